"""A log closes holes and begins new parts by its own records only, and no count depends on these."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sinks.memory import MemorySink
from sinks.rows import TABLES
from streams.kernels.counts.admission import RANGES
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite
from streams.kernels.counts.snapshot import FORMAT_OF_PARTS, freeze, thaw
from tests.support.events import LOG, NINE, PLACE, Event, batch

SMALL = replace(PLACE, most_devices=1, most_ranges=5, stretch=7, most_cells=9)
ROOMY = replace(SMALL, most_devices=9, most_ranges=40, most_cells=99)  # most batches are far from any bound
LINES = 3  # of each record
COUNTS = {  # what is read of each table: all of a row's columns but those that only tell rows apart
    "counts_10s": "passages", "counts_1m": "passages", "counts_day": "passages", "late_day": "passages",
    "refusals_1m": "refusals", "area_flows_10s": "entered", "area_flows_1h": "departed",
}  # fmt: skip


class Store:
    """A log with the store that it writes to; whatever is flushed is written."""

    def __init__(self, place: CountingSite = SMALL) -> None:
        self.place, self.sink = place, MemorySink()
        self.log = PassageLog(LOG, "person", place, next_offset=0)
        self.kept = freeze(self.log)
        self.rejected: dict[tuple[int, int], tuple[str, str]] = {}

    def apply(self, events: Sequence[Event], *, first: int, after: int) -> None:
        """Count the events of these offsets, and write what follows."""
        some = [each for each in events if first <= each.offset < after]
        self.log.apply(batch(some, first=first, after=after))
        asyncio.run(self.sink.write(self.log.drain()))
        for each in self.log.drain_rejections():
            self.rejected[each.position.offset, each.position.line] = each.reason, each.detail

    def crash(self) -> None:
        """Go on from what was kept last."""
        self.log = thaw(self.kept, LOG, "person", self.place)

    def keep(self) -> None:
        """Keep a snapshot."""
        self.kept = freeze(self.log)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return what is stored; without its version, which depends on when it was flushed."""
        rows = [dict(zip(TABLES[table].columns, row, strict=True)) for row in self.sink.rows(table)]
        return [{name: value for name, value in row.items() if name != "version"} for row in rows]

    def sums(self) -> Counter[tuple[Any, ...]]:
        """Add up what was counted, as the views do."""
        sums: Counter[tuple[Any, ...]] = Counter()
        for table, value in COUNTS.items():
            for row in self.rows(table):
                key = tuple(row[name] for name in TABLES[table].key if name != "segment")
                sums[table, *key] += row[value]
        return sums

    def fates(self) -> dict[tuple[int, int], str]:
        """Tell what became of each line."""
        fates = {(row["offset"], row["line"]): row["fate"] for row in self.rows("deliveries")}
        return {**{place: reason for place, (reason, _) in self.rejected.items()}, **fates}


def of_numbers(drawn: Iterable[tuple[str, int, int]]) -> list[Event]:
    """Write events with these devices, epochs and numbers."""
    return [
        Event(n // LINES, seq, device, epoch, line=n % LINES, ts=NINE + n)
        for n, (device, epoch, seq) in enumerate(drawn)
    ]


def whole(events: Sequence[Event], place: CountingSite = SMALL) -> Store:
    store, after = Store(place), events[-1].offset + 1
    store.apply(events, first=0, after=after)
    return store


def in_pieces(events: Sequence[Event], cuts: Sequence[tuple[int, str]], place: CountingSite = SMALL) -> Store:
    """Apply events cut at offsets; after each piece the state may be kept, or the worker be killed."""
    store, after = Store(place), events[-1].offset + 1
    edges = sorted({(min(at, after), then) for at, then in cuts})
    for at, then in [*edges, (after, "")]:
        store.apply(events, first=store.log.next_offset, after=max(at, store.log.next_offset))
        if then == "keep":
            store.keep()
        elif then == "crash":
            store.crash()
    return store


counters = st.tuples(st.sampled_from("a"), st.integers(0, 9), st.integers(1, 60))
one_counter = st.tuples(st.just("a"), st.just(0), st.integers(1, 90))
deliveries = st.one_of(st.lists(counters, min_size=1, max_size=150), st.lists(one_counter, min_size=1, max_size=150))
pieces = st.lists(st.tuples(st.integers(1, 50), st.sampled_from(["", "keep", "crash"])), max_size=12)
TOO_OLD = [*(("a", 0, 2 * n) for n in range(1, 70)), ("a", 0, 3), ("a", 0, 3), ("a", 0, 137), ("a", 0, 4)]


@settings(deadline=None)
@given(deliveries, pieces, st.sampled_from([SMALL, ROOMY]))
@example(TOO_OLD, [(2, "keep"), (5, ""), (14, "crash")], SMALL)
@example(TOO_OLD * 2, [(2, "keep"), (5, ""), (14, "crash")], ROOMY)
def test_what_becomes_of_an_event_does_not_depend_on_batches_and_crashes(
    drawn: list[tuple[str, int, int]], cuts: list[tuple[int, str]], place: CountingSite
) -> None:
    events = of_numbers(drawn)
    once, cut = whole(events, place), in_pieces(events, cuts, place)
    assert freeze(once.log) == freeze(cut.log)
    assert once.fates() == cut.fates()
    assert once.sums() == cut.sums()
    assert once.rows("devices") == cut.rows("devices")


@settings(deadline=None)
@given(deliveries)
@example(TOO_OLD)
def test_no_event_that_is_new_is_called_a_duplicate_and_all_that_lacks_stays_missing(
    drawn: list[tuple[str, int, int]],
) -> None:
    events = of_numbers(drawn)
    store = whole(events)
    fates, came, before = store.fates(), dict[tuple[str, int], set[int]](), set[tuple[str, int, int]]()
    for event, identity in zip(events, drawn, strict=True):
        fate = fates[event.offset, event.line]
        if identity in before:
            assert fate != "counted"
        assert fate != "duplicate" or identity in before
        if fate == "counted":
            before.add(identity)
            came.setdefault(identity[:2], set()).add(identity[2])
    tally = store.log.tally
    assert (tally.received, tally.unaccounted) == (len(events), 0)
    assert (tally.counted, len(fates)) == (len(before), len(events))
    missing = {(row["device"], row["epoch"]): row["last_seq"] for row in store.rows("devices")}
    assert missing == {counter: max(numbers) for counter, numbers in came.items()}
    for row in store.rows("devices"):
        holes = row["last_seq"] - sum(high - low + 1 for low, high in row["ranges"])
        assert holes + row["closed"] == row["last_seq"] - len(came[row["device"], row["epoch"]])
    assert sum(store.log.devices.missing.values()) == sum(max(numbers) - len(numbers) for numbers in came.values())


@settings(deadline=None)
@given(st.lists(counters, min_size=1, max_size=300))
def test_ranges_are_bounded_by_a_stretch_more_than_the_limits(drawn: list[tuple[str, int, int]]) -> None:
    store = whole(of_numbers(drawn))
    sizes = [len(device.ranges) for device in store.log.devices.known.values()]
    assert store.log.devices.ranges == sum(sizes)
    assert sum(sizes) <= RANGES * SMALL.most_devices + SMALL.stretch
    assert max(sizes) <= SMALL.most_ranges + SMALL.stretch


def test_a_number_that_nobody_can_decide_about_any_more_is_refused_by_name() -> None:
    #  2 4 6 ... 28: fourteen ranges, of which five are kept: 2-20 22 24 26 28
    events = of_numbers([("a", 0, 2 * n) for n in range(1, 15)])
    store = whole(events)
    [row] = store.rows("devices")
    assert (row["ranges"], row["closed"]) == ([(2, 20), (22, 22), (24, 24), (26, 26), (28, 28)], 9)
    assert store.log.devices.missing == {"N1": 14}
    later = [Event(5, seq, "a", line=line) for line, seq in enumerate([1, 3, 20, 21, 22])]
    store.apply(later, first=5, after=6)
    assert [store.fates()[5, line] for line in range(5)] == [
        "number-too-old", "number-too-old", "number-too-old", "counted", "duplicate",
    ]  # fmt: skip
    assert store.rejected[5, 1][1].startswith("seq: 3 is too old to tell whether it has come")
    assert store.rejected[5, 1][1].endswith("expected above 20")
    assert store.log.devices.missing == {"N1": 13}


def test_only_those_with_many_holes_pay_where_all_together_have_too_many() -> None:
    # 16 ranges are remembered of all: counters with 7, 7, 7 and 2 keep 4, 4, 4 and 2, which is 14; with 5 it were 17.
    place = replace(SMALL, most_ranges=100, stretch=23)
    events = of_numbers([("a", epoch, 2 * n) for n in range(1, 8) for epoch in range(3)] + [("a", 3, 1), ("a", 3, 3)])
    devices = whole(events, place).log.devices
    assert [len(device.ranges) for _, device in sorted(devices.known.items())] == [4, 4, 4, 2]
    assert [device.ranges.closed for _, device in sorted(devices.known.items())] == [3, 3, 3, 0]


entrances = st.sampled_from(["N1", "N2", "H1"])
moments = st.integers(-3 * 86_400_000, 60_000)
outcomes = st.sampled_from(["passed", "granted", "denied"])


@settings(deadline=None)
@given(st.lists(st.tuples(entrances, moments, outcomes, st.sampled_from("xyz")), min_size=1, max_size=80), pieces)
def test_the_parts_of_a_segment_add_up_to_it(
    drawn: list[tuple[str, int, str, str]], cuts: list[tuple[int, str]]
) -> None:
    events = [
        Event(
            n // LINES, 1, f"{n}", ts=NINE + at, entrance=entrance, outcome=outcome, category=category,
            reason="why" if outcome == "denied" else "", line=n % LINES, arrived=NINE,
        )
        for n, (entrance, at, outcome, category) in enumerate(drawn)
    ]  # fmt: skip
    small, large = replace(SMALL, most_devices=100), replace(PLACE, most_devices=100)
    parts, one = in_pieces(events, cuts, small), whole(events, large)
    assert parts.sums() == one.sums()
    assert parts.fates() == one.fates()
    assert len(parts.log.bucket) <= small.most_cells + 2 * small.stretch
    assert freeze(parts.log) == freeze(whole(events, small).log)


def test_a_version_that_knows_no_parts_does_not_take_up_a_log_in_one() -> None:
    events = [Event(n, n + 1, ts=NINE + 10_000 * n) for n in range(14)]
    logs = [PassageLog(LOG, "person", SMALL, next_offset=0) for _ in range(2)]
    for counting, after in zip(logs, (7, 14), strict=True):
        counting.apply(batch(events[:after], first=0, after=after))
    assert [freeze(counting)["format"] for counting in logs] == [1, FORMAT_OF_PARTS]
    segments = {row for block in logs[1].drain() if block.table == "counts_10s" for row in block.columns["segment"]}
    assert segments == {0}
    logs[1].apply(batch([Event(14, 15)], first=14, after=15))
    [rows] = [block for block in logs[1].drain() if block.table == "counts_10s"]
    assert list(rows.columns["segment"]) == [1 << 40]


def test_events_of_two_segments_in_one_batch_are_decided_segment_by_segment() -> None:
    # At the end of the first segment holes are closed, which an event of the next one finds done.
    place, end = replace(SMALL, stretch=1000), 1 << 14
    events = [Event(n, 2 * n + 2, "a") for n in range(10)]
    last = Event(end, 3, "a")
    together, apart = (PassageLog(LOG, "person", place, next_offset=0) for _ in range(2))
    together.apply(batch([*events, last], first=0, after=end + 1))
    edges = [0, 10, end, end + 1]
    for first, after in pairwise(edges):
        some = [each for each in [*events, last] if first <= each.offset < after]
        apart.apply(batch(some, first=first, after=after))
    assert freeze(together) == freeze(apart)
    assert dict(together.tally.rejected) == {"number-too-old": 1}
