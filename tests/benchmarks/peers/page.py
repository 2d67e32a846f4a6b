"""Formats the results: a line for each run, tables, and `docs/benchmarks.md` with raw results beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any, Final

from tests.benchmarks.peers.contender import PROJECT, Contender
from tests.benchmarks.peers.judge import Run, Spread, Summary
from tests.benchmarks.peers.plot import plot

BEGIN: Final = "<!-- results: written by `make bench` -->"
END: Final = "<!-- end of results -->"
_DOCS: Final = PROJECT / "docs"
Machine = Mapping[str, Any]
"""What `machine.py` tells."""
_HEAD: Final = (
    "| contender | events | events/s | × gatepulse | CPU µs/event | of its core | peak MB | start s | counts |\n"
    "|---|--:|--:|--:|--:|--:|--:|--:|---|\n"
)


class NoPlaceError(RuntimeError):
    """The page has no place for the results; the message says which lines are expected."""


def line(run: Run) -> str:
    """Return a run in a line; an error whole."""
    where = f"{run.contender}, round {run.round}, {run.frame} to a message"
    if run.error:
        return f"{where}: {run.error}"
    wrong = f"; {run.different:,} of {run.windows:,} windows differ" if run.different else ""
    return f"{where}: {run.events:,} events in {run.seconds:.2f} s, {run.rate:,.0f}/s{wrong}"


def table(summaries: Sequence[Summary], lineup: Sequence[Contender]) -> str:
    """Return a table in Markdown for each kind of message, the fastest first; below it why somebody failed."""
    titles = {contender.name: contender.title for contender in lineup}
    parts = []
    for frame in dict.fromkeys(summary.frame for summary in summaries):
        some = [summary for summary in summaries if summary.frame == frame]
        some.sort(key=lambda each: each.rate.median if each.rate else 0.0, reverse=True)
        rows = "".join(_row(each, titles[each.contender]) for each in some)
        parts.append(f"### {kind(frame)}\n\n{_HEAD}{rows}{_failures(some, titles)}")
    return "\n".join(parts)


def kind(frame: int) -> str:
    """Name a kind of message."""
    return "One event to a message" if frame == 1 else f"{frame} events to a message"


def publish(runs: Sequence[Run], found: Sequence[Summary], lineup: Sequence[Contender], machine: Machine) -> None:
    """Write the raw results and the plot, then `docs/benchmarks.md`. Raises NoPlaceError."""
    folder, page = _DOCS / "benchmarks", _DOCS / "benchmarks.md"
    folder.mkdir(exist_ok=True)
    raw = {"machine": machine, "runs": [asdict(run) for run in runs]}
    (folder / "peers.json").write_text(json.dumps(raw, indent=1, ensure_ascii=False) + "\n")
    (folder / "peers.svg").write_text(plot(found, lineup))
    page.write_text(with_results(page.read_text(), f"{_described(machine)}\n{table(found, lineup)}"))


def with_results(page: str, results: str) -> str:
    """Put new results in the place of the old ones. Raises NoPlaceError."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NoPlaceError(f"docs/benchmarks.md: expected the lines {BEGIN!r} and {END!r}; put them back")
    return f"{before}{BEGIN}\n\n{results}\n{END}{after}"


def _described(machine: Machine) -> str:
    versions = "".join(
        f"- {who}: {', '.join(f'{name} {version}' for name, version in some.items())}\n"
        for who, some in machine["versions"].items()
    )
    return (
        f"Measured on {machine['on']}: {machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, "
        f"{machine['system']}.\n\n{versions}\n![events a second](benchmarks/peers.svg)\n"
    )


def _row(summary: Summary, title: str) -> str:
    done = summary.done
    if not done or summary.rate is None:
        return f"| {title} | – | – | – | – | – | – | – | {_counts(summary)} |\n"
    ratio = "–" if summary.ratio is None else _spread(summary.ratio, ".2f")
    cpu = median([run.cpu_seconds * 1e6 / run.events for run in done])
    core = median([run.cpu_seconds / run.seconds for run in done])
    start = median([run.start_seconds for run in done])
    return (
        f"| {title} | {done[0].events:,} | {_spread(summary.rate, ',.0f')} | {ratio} | {cpu:.1f} | {core:.0%} "
        f"| {max(run.peak_mb for run in done):,} | {start:.1f} | {_counts(summary)} |\n"
    )


def _spread(values: Spread, form: str) -> str:
    return f"{values.median:{form}} ({values.low:{form}}–{values.high:{form}})"


def _counts(summary: Summary) -> str:
    if summary.exact:
        return "exact"
    wrong = [run for run in summary.done if run.different]
    said = [f"{run.different:,} of {run.windows:,} windows differ in round {run.round}" for run in wrong]
    failed = [f"failed in {len(summary.errors)} of {len(summary.runs)} rounds"] if summary.errors else []
    return "; ".join(said + failed)


def _failures(summaries: Sequence[Summary], titles: Mapping[str, str]) -> str:
    lines = [f"- {titles[each.contender]}: {each.errors[0].splitlines()[0]}" for each in summaries if each.errors]
    return "\n" + "\n".join(lines) + "\n" if lines else ""
