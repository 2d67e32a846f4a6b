"""Formats results as Markdown tables of the page; next: `reckoned.py`. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from tests.benchmarks.growth.cases import PARTS, Measured
from tests.benchmarks.growth.chain import Passed

_BACKLOG: Final = (
    "entrances", "devices", "passages", *(f"{part} µs" for part in PARTS), "all µs", "passages/s a core",
    "rows a passage", "memory MB, early → all", "snapshot kB", "snapshot ms", "restore ms",
)  # fmt: skip
_LIVE: Final = (
    "entrances", "devices", "passages/s", *(f"{part} %" for part in PARTS), "of a core %", "rows/s", "records/s",
    "snapshot kB", "snapshot ms", "restore ms",
)  # fmt: skip
_CHAIN: Final = (
    "partitions", "workers", "passages", "passages/s", "workers' cores", "passages/s a worker's core",
    "ClickHouse cores", "Kafka cores", "worker MB, most", "snapshots kB", "killed: resumed after",
    "no lag after",
)  # fmt: skip
_CHAIN_LIVE: Final = (
    "entrances", "devices", "passages/s", "workers' cores", "ClickHouse cores", "Kafka cores", "worker MB, most",
    "snapshots kB", "stored after the last", "wall query round", "bytes on disk a passage",
)  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of Markdown, all columns to the right."""
    return "\n".join(f"| {' | '.join(each)} |" for each in (head, ["--:"] * len(head), *rows))


def kernel_tables(results: Sequence[Measured]) -> str:
    """Write what the kernels cost: for a backlog, and live."""
    backlog = table(_BACKLOG, (_backlog(each) for each in results if each.case.kind == "backlog"))
    live = table(_LIVE, (_live(each) for each in results if each.case.kind == "live"))
    return f"A backlog, µs of processor time a passage:\n\n{backlog}\n\nLive, % of one core:\n\n{live}"


def chain_tables(results: Sequence[Passed]) -> str:
    """Write what the chain did: with a backlog, killed, and live."""
    backlog = table(_CHAIN, (_chain(each) for each in results if each.asked.kind != "live"))
    live = [each for each in results if each.asked.kind == "live"]
    parts = [f"A backlog:\n\n{backlog}", f"Live:\n\n{table(_CHAIN_LIVE, map(_chain_live, live))}"]
    parts += [f"Bytes on disk a passage, by table, {_sizes(each)}: {_by_table(each)}." for each in live[:1]]
    return "\n\n".join(parts)


def microseconds(measured: Measured) -> float:
    """Return the processor time of a passage in all parts."""
    return sum(measured.spent.values()) * 1e6 / measured.case.events


def share(measured: Measured) -> float:
    """Return how many cores a live case needs."""
    return sum(measured.spent.values()) * measured.case.rate / measured.case.events


def bytes_a_passage(passed: Passed) -> float:
    """Return how many bytes on disk a passage comes to, in all tables."""
    return sum(passed.disk.values()) / passed.asked.events


def _backlog(measured: Measured) -> list[str]:
    case, spent = measured.case, measured.spent
    return [
        *_numbers(case.entrances, case.devices, case.events),
        *(f"{spent[part] * 1e6 / case.events:.2f}" for part in PARTS),
        f"{microseconds(measured):.1f}",
        f"{1e6 / microseconds(measured):,.0f}",
        f"{measured.rows / case.events:.1f}",
        f"{measured.memory_early:.0f} → {measured.memory:.0f}",
        *_snapshot(measured),
    ]


def _live(measured: Measured) -> list[str]:
    case = measured.case
    percent = 100 * case.rate / case.events
    return [
        *_numbers(case.entrances, case.devices, case.rate),
        *(f"{measured.spent[part] * percent:.1f}" for part in PARTS),
        f"{100 * share(measured):.1f}",
        *_numbers(*(round(each * case.rate / case.events) for each in (measured.rows, measured.records))),
        *_snapshot(measured),
    ]


def _snapshot(measured: Measured) -> list[str]:
    made = measured.spent["snapshot"] * 1000 / measured.snapshots
    return [f"{measured.snapshot / 1000:,.0f}", f"{made:.1f}", f"{measured.thaw * 1000:.1f}"]


def _chain(passed: Passed) -> list[str]:
    asked, cores = passed.asked, passed.cores
    return [
        *_numbers(asked.partitions, asked.workers, asked.events, round(passed.rate)),
        f"{cores['workers']:.2f}",
        f"{passed.rate / max(cores['workers'], 0.01):,.0f}",
        *_around(passed),
        _seconds(passed.again),
        _seconds(passed.gone),
    ]


def _chain_live(passed: Passed) -> list[str]:
    asked = passed.asked
    return [
        *_numbers(asked.entrances, asked.devices, round(passed.rate)),
        f"{passed.cores['workers']:.2f}",
        *_around(passed),
        _seconds(passed.behind),
        "" if passed.wall is None else f"{1000 * passed.wall:.0f} ms",
        f"{bytes_a_passage(passed):.0f}",
    ]


def _around(passed: Passed) -> list[str]:
    """Write what the servers used, and the sizes of workers and snapshots."""
    cores = [f"{passed.cores[name]:.2f}" for name in ("ClickHouse", "Kafka")]
    return [*cores, f"{passed.memory}", f"{passed.snapshot / 1000:,.0f}"]


def _by_table(passed: Passed) -> str:
    sizes = sorted(passed.disk.items(), key=lambda each: -each[1])
    shown = [(name, size / passed.asked.events) for name, size in sizes if size * 2 >= passed.asked.events]
    return ", ".join(f"`{name}` {each:.0f}" for name, each in shown)


def _sizes(passed: Passed) -> str:
    asked = passed.asked
    return f"with {asked.entrances:,} entrances and {asked.devices:,} devices at {asked.rate:,} passages a second"


def _numbers(*values: int) -> list[str]:
    return [f"{value:,}" for value in values]


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"
