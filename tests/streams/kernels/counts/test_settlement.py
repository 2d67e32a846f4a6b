"""However events are delivered, over any logs and restarts, each counts once in the end.

The tables are held in memory, and added up as the views do; the truth is counted event by event.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sinks.memory import MemorySink
from sinks.rows import TABLES
from streams.kernels.counts.columns import Block
from streams.kernels.counts.settlement import CELL, DELIVERY, decide, retraction_rows, verdict_rows
from tests.support.deliveries import SITE, Delivery, counts_once, logs_of, truth
from tests.support.events import HORIZON, NINE, Event
from tests.support.size import examples

_DAY = 86_400_000
_WRAP = 1 << 64
_CONTENT = ("kind", "ts", "entrance", "direction", "outcome", "category", "reason", "credential", "health")
_SUMS = {
    "counts_10s": ("window_start", "entrance", "direction", "outcome", "category", "passages"),
    "counts_1m": ("window_start", "entrance", "direction", "outcome", "category", "passages"),
    "counts_day": ("day", "entrance", "direction", "outcome", "category", "boundary", "passages"),
    "late_day": ("day", "entrance", "direction", "outcome", "category", "passages"),
    "refusals_1m": ("window_start", "entrance", "category", "reason", "refusals"),
    "area_flows_10s": ("area", "window_start", "entered"),
    "area_flows_1h": ("area", "window_start", "departed"),
}


class Store:
    """Tables in memory, and a settlement that is done on them step by step."""

    def __init__(self) -> None:
        self.sink = MemorySink()

    def write(self, *blocks: Block) -> None:
        """Write rows."""
        asyncio.run(self.sink.write(blocks))

    def table(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a table by column."""
        return [dict(zip(TABLES[name].columns, row, strict=True)) for row in self.sink.rows(name)]

    def columns(self, rows: Sequence[dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
        """Return rows as columns, as a reader does."""
        found: dict[str, Any] = {name: [row[name] for row in rows] for name in names}
        numbers = {
            "epoch",
            "seq",
            "offset",
            "line",
            "arrived",
            "ts",
            "content",
            "anonymous",
            "segment",
            "window",
            "day",
        }
        numbers |= {"events"}
        return {k: np.array(v, dtype=np.int64) if k in numbers else v for k, v in found.items()}

    def settle(self, stop: Callable[[], bool] = lambda: False) -> None:
        """Decide about all deliveries; a process that is killed stops after any step."""
        rows = self.table("deliveries")
        hashes = {content: n for n, content in enumerate({tuple(row[c] for c in _CONTENT) for row in rows})}
        looked = [
            {**row, "content": hashes[tuple(row[c] for c in _CONTENT)], "anonymous": int(not row["credential"])}
            for row in rows
        ]
        some = self.columns(looked, DELIVERY)
        decided = decide(some)
        self.write(*verdict_rows(some, decided, SITE))
        if stop():
            return
        marks = {(row["log"], row["offset"], row["line"]): row for row in self.table("verdicts")}
        for row in rows:
            mark = marks.get((row["log"], row["offset"], row["line"]))
            if mark is not None and mark["seen"] > row["seen"]:
                marked = row | {"settled": mark["verdict"], "seen": mark["seen"]}
                self.write(Block("deliveries", {name: [value] for name, value in marked.items()}))
        if stop():
            return
        cells: dict[tuple[Any, ...], list[int]] = {}
        for row in self.table("verdicts"):
            if row["fate"] != "duplicate":
                cell = row | {"segment": row["offset"] >> 14, "window": row["ts"] // 10_000 * 10_000}
                events = cells.setdefault(tuple(cell[name] for name in CELL), [0, 0])
                events[0] += 1
                events[1] += row["anonymous"]
        whole = [
            dict(zip(CELL, key, strict=True)) | {"events": n, "anonymous": nobody} for key, (n, nobody) in cells.items()
        ]
        self.write(*retraction_rows(self.columns(whole, (*CELL, "events", "anonymous"))))

    def sums(self, name: str) -> dict[tuple[Any, ...], int]:
        """Add a table of counts up over all logs."""
        *keys, value = _SUMS[name]
        added: Counter[tuple[Any, ...]] = Counter()
        for row in self.table(name):
            added[tuple(row[key] for key in keys)] += row[value]
        return {key: n % _WRAP for key, n in added.items() if n % _WRAP}

    def passages(self) -> set[tuple[Any, ...]]:
        """Return what counts."""
        rows = self.table("deliveries")
        return {
            (row["device"], row["epoch"], row["seq"], row["ts"], row["entrance"])
            for row in rows
            if row["fate"] == "counted" and not row["settled"]
        }


@st.composite
def stories(draw: st.DrawFn) -> list[Delivery]:
    """Draw some events, and deliveries of each through some partitions, some of them late or with other content."""
    deliveries: list[Delivery] = []
    for seq in range(1, draw(st.integers(1, 8)) + 1):
        for n in range(draw(st.integers(1, 4))):
            event = Event(
                seq=seq,
                ts=NINE + seq * 4_000,
                device=draw(st.sampled_from(["N1-L01", "N1-L02"])),
                entrance=draw(st.sampled_from(["N1", "N1", "N1", "H1"])),
                direction=draw(st.sampled_from(["in", "in", "out"])),
                outcome=draw(st.sampled_from(["passed", "passed", "denied"])),
                credential=draw(st.sampled_from(["", "anna"])),
            )
            late = draw(st.sampled_from([0, 0, 0, HORIZON + _DAY]))
            # Of two that arrive at one time the one in the lower partition counts: times are told apart here.
            arrived = event.ts + late + draw(st.integers(0, 400)) * 10 + n
            deliveries.append(Delivery(event, draw(st.integers(0, 2)), arrived))
    times = Counter(each.arrived for each in deliveries)
    return [each for each in deliveries if times[each.arrived] == 1]


def expected(deliveries: Sequence[Delivery], name: str) -> dict[tuple[Any, ...], int]:
    """Return the sums of a log that only ever got what counts."""
    alone = Store()
    log = logs_of([Delivery(each.event, 0, each.arrived) for each in counts_once(deliveries)])
    alone.write(*(block for each in log.values() for block in each.drain()))
    return alone.sums(name)


@settings(max_examples=examples(240))
@given(stories(), st.data())
def test_any_assignment_order_and_crash_ends_in_each_event_once(
    deliveries: list[Delivery], data: st.DataObject
) -> None:
    store = Store()
    for _ in range(data.draw(st.integers(0, 3))):  # what was stored so far, some partitions ahead of others
        for partition in range(3):
            mine = sorted((d for d in deliveries if d.partition == partition), key=lambda each: each.arrived)
            for log in logs_of(mine[: data.draw(st.integers(0, len(mine)))]).values():
                store.write(*log.drain())
        store.settle(lambda: data.draw(st.booleans()))
    for log in logs_of(deliveries).values():
        store.write(*log.drain())
    store.settle()
    assert store.passages() == set(truth(deliveries)["passages"])
    for name in _SUMS:
        assert store.sums(name) == expected(deliveries, name), name
    before = {name: store.table(name) for name in TABLES}
    store.settle()
    assert {name: store.table(name) for name in TABLES} == before


def test_what_was_retracted_is_never_put_in_again() -> None:
    store = Store()
    first, second, third = (Delivery(Event(seq=1), n, NINE + 1000 * n) for n in range(3))
    for known in ([second, third], [first, second, third], [second, third]):
        for log in logs_of(known).values():
            store.write(*log.drain())
        store.settle()
    assert [row["settled"] for row in store.table("deliveries")] == ["", "repeat", "repeat"]


def test_a_repeat_of_what_was_not_believed_is_compared_with_it() -> None:
    ahead = NINE + _DAY
    one = [Delivery(Event(seq=1, ts=ahead), 0, NINE), Delivery(Event(seq=1, ts=ahead), 0, NINE + 1)]
    other = Delivery(Event(seq=1, ts=NINE + 2), 0, NINE + 2)
    store = Store()
    for log in logs_of([*one, other]).values():
        store.write(*log.drain())
    store.settle()
    found = [(row["fate"], row["settled"]) for row in store.table("deliveries")]
    assert found == [("suspect", ""), ("duplicate", ""), ("duplicate", "conflict")]
