"""The outcome of a scenario: its checks, its figures, and its verdict. Next: `table.py`."""

import datetime as dt
import enum
from collections.abc import Sequence
from dataclasses import dataclass, field, replace


class Word(enum.StrEnum):
    """A verdict. UNKNOWN: nothing wrong was seen, but the fault or the progress that would prove it was not seen."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class Check:
    """One thing that must hold; `holds` is None where it could not be found out. `text` says what was seen."""

    name: str
    holds: bool | None
    text: str = ""


@dataclass(frozen=True)
class Figures:
    """What was counted. Identities: `sent`, `lost`, `phantom`; `duplicated` also has events counted twice in windows.

    `restarts` are ends of a process after which it was started again, `kills` those among them that we caused;
    `holes` is how often a worker ended itself because records were missing in its log. `recovery` is seconds from the
    fault's end until everything is committed that was in Kafka at that moment, `memory` the peak of a worker in MB.
    """

    sent: int = 0
    lost: int = 0
    phantom: int = 0
    duplicated: int = 0
    kills: int = 0
    restarts: int = 0
    holes: int = 0
    recovery: float | None = None
    memory: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """A scenario that was run `on` a day; `place` is where its logs are, empty when they were removed."""

    id: str
    what: str
    seed: int
    quick: bool
    figures: Figures = field(default_factory=Figures)
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    place: str = ""
    name: str = ""
    on: dt.date | None = None

    @property
    def word(self) -> Word:
        """FAILED if a check failed, UNKNOWN if one could not be made or there was none, else PASSED."""
        if any(check.holds is False for check in self.checks):
            return Word.FAILED
        if not self.checks or any(check.holds is None for check in self.checks):
            return Word.UNKNOWN
        return Word.PASSED

    @property
    def note(self) -> str:
        """What was not as it should be, or what there is to say."""
        wrong = [f"{check.name}: {check.text}" for check in self.checks if not check.holds]
        return "; ".join([*wrong, *self.notes])


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Make one outcome of several runs of a scenario: sums, the longest recovery, the largest memory, every check."""
    first, all_figures = outcomes[0], [each.figures for each in outcomes]
    if len(outcomes) == 1:
        return first
    recoveries = [each.recovery for each in all_figures if each.recovery is not None]
    sums = ("sent", "lost", "phantom", "duplicated", "kills", "restarts", "holes", "seconds")
    figures = Figures(
        **{name: sum(getattr(each, name) for each in all_figures) for name in sums},
        recovery=max(recoveries, default=None),
        memory=max(each.memory for each in all_figures),
    )
    checks = [
        Check(f"run {number}, {check.name}", check.holds, check.text)
        for number, outcome in enumerate(outcomes, start=1)
        for check in outcome.checks
    ]
    notes = [f"{len(outcomes)} runs", *dict.fromkeys(note for outcome in outcomes for note in outcome.notes)]
    places = [outcome.place for outcome in outcomes if outcome.place]
    return replace(first, figures=figures, checks=tuple(checks), notes=tuple(notes), place=", ".join(places))
