"""Judges the runs: who counted exactly, how fast, and in what ratio to a reference. Pure; next: `page.py`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from tests.benchmarks.peers.job import Window


@dataclass(frozen=True)
class Run:
    """One contender in one round, on messages of `frame` events each; or why it failed.

    `seconds` from the first record in hand to the last one counted, `start_seconds` from the start of the process to
    the first record, `cpu_seconds` within `seconds`, `peak_mb` resident; `different` of `windows` have a wrong count.
    """

    contender: str
    frame: int
    round: int
    events: int
    seconds: float = 0.0
    start_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: int = 0
    different: int = 0
    windows: int = 0
    error: str = ""

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


@dataclass(frozen=True)
class Spread:
    """The median of some values, the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Summary:
    """All runs of one contender with one kind of message; `rate` and `ratio` are None where none succeeded."""

    contender: str
    frame: int
    runs: Sequence[Run]
    rate: Spread | None
    ratio: Spread | None

    @property
    def done(self) -> Sequence[Run]:
        """The runs that came to their end."""
        return [run for run in self.runs if not run.error]

    @property
    def errors(self) -> Sequence[str]:
        """Why the others did not."""
        return [run.error for run in self.runs if run.error]

    @property
    def exact(self) -> bool:
        """Whether every run came to its end with every window right."""
        return not any(run.error or run.different for run in self.runs)


def differing(found: Mapping[Window, int], truth: Mapping[Window, int]) -> int:
    """Return how many windows have another count than the true one; a window that is missing has 0."""
    return sum(found.get(window, 0) != truth.get(window, 0) for window in {*found, *truth})


def spread(values: Iterable[float]) -> Spread | None:
    """Return median, lowest and highest; None without values."""
    held = list(values)
    return Spread(median(held), min(held), max(held)) if held else None


def summaries(runs: Sequence[Run], *, reference: str) -> list[Summary]:
    """Sum up each contender with each kind of message, in the order of their first run.

    A ratio compares two rates of one round, so that a machine that is slower for a while slows both.
    """
    kinds = dict.fromkeys((run.contender, run.frame) for run in runs)
    base = {(run.frame, run.round): run.rate for run in runs if run.contender == reference and not run.error}
    return [_summary([run for run in runs if (run.contender, run.frame) == kind], base) for kind in kinds]


def _summary(runs: Sequence[Run], base: Mapping[tuple[int, int], float]) -> Summary:
    done = [run for run in runs if not run.error]
    ratios = [run.rate / base[run.frame, run.round] for run in done if (run.frame, run.round) in base]
    return Summary(
        contender=runs[0].contender,
        frame=runs[0].frame,
        runs=runs,
        rate=spread(run.rate for run in done),
        ratio=spread(ratios),
    )
