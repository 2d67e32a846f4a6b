"""Counts of one partition are right and depend on its records alone, not on batches."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.memory import MemorySink
from sinks.rows import TABLES
from streams.kernels.counts.batch import Batch, LineCounts
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId, Tally
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite
from streams.kernels.counts.site_totals import Total, entrance_totals
from streams.kernels.counts.snapshot import SnapshotError, freeze, thaw
from tests.support.events import HORIZON, LOG, NINE, PLACE, Event, batch, log, rejection

SEGMENT = 1 << BUCKET_BITS
DAY = 86_400_000


def stored(*writes: Sequence[Block]) -> dict[str, list[tuple[object, ...]]]:
    """Write rows into a store, and read every table."""
    sink = MemorySink()
    for blocks in writes:
        asyncio.run(sink.write(blocks))
    return {name: sink.rows(name) for name in TABLES}


def column(blocks: Sequence[Block], table: str, name: str) -> list[object]:
    return [value for block in blocks if block.table == table for value in block.columns[name]]


def counted(blocks: Sequence[Block], table: str, *names: str) -> list[tuple[object, ...]]:
    return list(zip(*(column(blocks, table, name) for name in names), strict=True))


def test_a_window_begins_with_its_first_millisecond_and_ends_before_the_next() -> None:
    #            09:00:00.000      09:00:10.000
    #  ─────────┼─────────────────┼─────────────
    #          ·│·               ·│·               −1 ms and 0 ms at both ends
    counting = log()
    times = [NINE - 1, NINE, NINE + 9_999, NINE + 10_000]
    counting.apply(batch([Event(i, i + 1, ts=ts) for i, ts in enumerate(times)], first=0, after=4))
    assert counted(counting.drain(), "counts_10s", "window_start", "passages") == [
        (NINE - 10_000, 1),
        (NINE, 2),
        (NINE + 10_000, 1),
    ]


def test_only_passed_events_move_people() -> None:
    counting = log()
    events = [
        Event(0, 1, outcome="granted"),
        Event(1, 2, outcome="denied", reason="expired"),
        Event(2, 3, outcome="passed"),
        Event(3, 4, outcome="passed", direction="out"),
    ]
    counting.apply(batch(events, first=0, after=4))
    blocks = counting.drain()
    assert counted(blocks, "area_flows_10s", "area", "entered", "departed") == [("venue", 1, 1)]
    assert counted(blocks, "refusals_1m", "reason", "refusals") == [("expired", 1)]
    assert sorted(counted(blocks, "counts_1m", "outcome", "direction", "passages")) == [
        ("denied", "in", 1),
        ("granted", "in", 1),
        ("passed", "in", 1),
        ("passed", "out", 1),
    ]


def test_an_inner_gate_moves_people_between_areas_and_is_no_entry_to_the_site() -> None:
    counting = log()
    events = [Event(0, 1), Event(1, 1, device="H1-L01", entrance="H1", credential="c1")]
    counting.apply(batch(events, first=0, after=2))
    blocks = counting.drain()
    assert sorted(counted(blocks, "area_flows_10s", "area", "entered", "departed")) == [("hall", 1, 0), ("venue", 1, 1)]
    assert sorted(counted(blocks, "counts_day", "entrance", "boundary")) == [("H1", 0), ("N1", 1)]
    assert counted(blocks, "entered", "credential") == [("c1",)]


def test_what_moves_people_is_told_by_ten_seconds_and_by_hour() -> None:
    #  09:00:00   09:00:10          10:00:00
    #  ─┼─ in ─────┼─ in ─── late in ─┼─ out ──
    counting = log()
    times = [NINE, NINE + 10_000, NINE + 3_600_000]
    events = [Event(i, i + 1, ts=ts, direction="out" if i == 2 else "in") for i, ts in enumerate(times)]
    counting.apply(batch(events, first=0, after=3))
    hours = ("window_start", "entered", "departed", "last_ts")
    assert counted(counting.drain(), "area_flows_1h", *hours) == [
        (NINE, 2, 0, NINE + 10_000),
        (NINE + 3_600_000, 0, 1, NINE + 3_600_000),
    ]
    again = thaw(freeze(counting), LOG, "person", PLACE)
    again.apply(batch([Event(3, 4, ts=NINE + 3_599_999)], first=3, after=4))
    assert counted(again.drain(), "area_flows_1h", *hours) == [(NINE, 3, 0, NINE + 3_599_999)]


def test_the_day_is_the_sites() -> None:
    # 2025-11-20 00:00 in Shanghai is 16:00 UTC on the 19th
    midnight = NINE - 9 * 3_600_000
    counting = log()
    counting.apply(batch([Event(0, 1, ts=midnight - 1), Event(1, 2, ts=midnight)], first=0, after=2))
    assert [day for (day,) in counted(counting.drain(), "counts_day", "day")] == [20_411, 20_412]


def test_a_late_passage_lands_in_its_own_window_and_leaves_older_rows_as_they_are() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1)], first=0, after=1))
    first = counting.drain()
    late = Event(SEGMENT, 2, ts=NINE + 5)  # hours of offsets later
    counting.apply(batch([], first=1, after=SEGMENT))
    counting.apply(batch([late], first=SEGMENT, after=SEGMENT + 1))
    tables = stored(first, counting.drain())
    assert sum(counts[-2] for counts in tables["counts_10s"]) == 2  # type: ignore[misc]  # two segments, one window
    assert len(tables["counts_10s"]) == 2


def test_a_passage_beyond_the_horizon_is_counted_in_the_late_account_and_nowhere_else() -> None:
    #  two days before nine  ─── horizon ───  nine
    counting = log()
    late = NINE - HORIZON - 1
    events = [Event(0, 1, ts=late, arrived=NINE), Event(1, 2, ts=late, arrived=NINE, direction="out"), Event(2, 3)]
    counting.apply(batch(events, first=0, after=3))
    blocks = counting.drain()
    assert counted(blocks, "late_day", "day", "entrance", "direction", "outcome", "category", "passages") == [
        (20_410, "N1", "in", "passed", "visitor", 1),
        (20_410, "N1", "out", "passed", "visitor", 1),
    ]
    for table in ("counts_10s", "counts_1m", "counts_day", "area_flows_10s"):
        assert len(column(blocks, table, "log")) == 1, table
    assert sorted(counted(blocks, "deliveries", "seq", "fate")) == [(1, "late"), (2, "late"), (3, "counted")]
    assert counted(blocks, "entered", "day") == [(20_412,)]
    assert counted(blocks, "devices", "ranges") == [([(1, 3)],)]
    assert (counting.tally.received, counting.tally.counted, counting.tally.late) == (3, 1, 2)
    assert entrance_totals(counting)[0].totals == [Total("in", "visitor", 1)]


def test_a_time_that_is_not_believed_is_in_no_figure_and_is_told_with_its_reason() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1), Event(1, 2, ts=NINE + 86_400_000, arrived=NINE)], first=0, after=2))
    blocks = counting.drain()
    assert counted(blocks, "counts_day", "day", "passages") == [(20_412, 1)]
    assert counted(blocks, "deliveries", "seq", "fate") == [(1, "counted"), (2, "suspect")]
    assert counted(blocks, "devices", "ranges", "last_ts") == [([(1, 2)], NINE)]
    assert [(each.position.offset, each.reason) for each in counting.drain_rejections()] == [(1, "suspect-time")]
    assert counting.tally == Tally(received=2, counted=1, rejected={"suspect-time": 1})
    assert counting.last_ts == {"N1": NINE}


def test_lines_are_not_kept_until_they_are_stored() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1), Event(1, 1), Event(2, 2)], first=0, after=3))
    assert [(len(each.batch), each.batch.raw) for each, _ in counting._fresh] == [(2, [])]
    assert [(len(each), each.raw) for each, _ in counting._repeated] == [(1, [])]


def test_a_line_of_which_nothing_became_is_noticed() -> None:
    counting = log()
    one = batch([Event(0, 1)], first=0, after=1)
    counting.apply(replace(one, lines=LineCounts(np.array([0]), np.array([3]))))
    assert counting.tally.unaccounted == 2


def test_a_duplicate_is_told_and_not_counted() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1), Event(1, 1), Event(2, 2)], first=0, after=3))
    counting.apply(batch([Event(3, 2)], first=3, after=4))
    assert (counting.tally.received, counting.tally.counted, counting.tally.duplicate) == (4, 2, 2)


def test_a_restarted_counter_is_told_by_its_epoch() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1), Event(1, 1, epoch=1)], first=0, after=2))
    assert counting.tally.counted == 2


def test_a_hole_in_the_offsets_is_never_counted_over() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1)], first=0, after=1))
    with pytest.raises(OffsetGapError, match="expected offset 1, got 3: 2 records"):
        counting.apply(batch([Event(3, 2)], first=3, after=4))
    assert counting.tally.counted == 1
    assert counting.next_offset == 1


def test_a_snapshot_of_another_log_is_refused() -> None:
    plain = freeze(log())
    with pytest.raises(SnapshotError, match="from its own snapshots only"):
        thaw(plain, PartitionId("other", LOG.topic, 0), "person", PLACE)


def test_an_entrance_that_has_left_the_profile_keeps_its_history() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1)], first=0, after=1))
    plain = freeze(counting)
    smaller = CountingSite({name: gate for name, gate in PLACE.sides.items() if name != "N1"}, PLACE.days, PLACE.times)
    later = thaw(plain, LOG, "person", smaller)
    later.apply(batch([Event(1, 1, device="N2-L01", entrance="N2")], first=1, after=2))
    assert counted(later.drain(), "counts_day", "entrance", "boundary") == [("N2", 1)]
    assert counted(counting.drain(), "counts_day", "entrance", "boundary") == [("N1", 1)]


# -- nothing but the log decides ---------------------------------------------------------------------------------------

events = st.builds(
    Event,
    seq=st.integers(1, 12),
    device=st.sampled_from(["N1-L01", "N1-L02", "H1-L01"]),
    epoch=st.integers(0, 1),
    ts=st.integers(0, 40).map(lambda n: NINE + n * 3_333) | st.sampled_from([NINE + DAY, NINE - DAY, NINE - 3 * DAY]),
    entrance=st.sampled_from(["N1", "N2", "H1"]),
    direction=st.sampled_from(["in", "out"]),
    outcome=st.sampled_from(["passed", "passed", "granted", "denied"]),
    category=st.sampled_from(["visitor", "staff"]),
    reason=st.sampled_from(["", "expired"]),
    credential=st.sampled_from(["", "c1", "c2"]),
)

arrivals = st.sampled_from([NINE, NINE + 200_000, NINE + DAY])


@st.composite
def logs(draw: st.DrawFn) -> list[list[Event]]:
    """Records by offset, each a frame of some events; offsets begin shortly before the end of a segment."""
    frames = draw(st.lists(st.tuples(arrivals, st.lists(events, max_size=3)), max_size=25))
    start = SEGMENT - draw(st.integers(0, 25))
    return [
        [replace(each, offset=start + i, line=line, arrived=arrived) for line, each in enumerate(frame)]
        for i, (arrived, frame) in enumerate(frames)
    ]


def beginning(frames: list[list[Event]], start: int) -> PassageLog:
    del frames
    return PassageLog(LOG, "person", PLACE, next_offset=start)


@given(logs(), st.data())
def test_batches_checkpoints_and_crashes_leave_no_trace(frames: list[list[Event]], data: st.DataObject) -> None:
    offsets = [frame[0].offset if frame else -1 for frame in frames]
    start = next((offset - i for i, offset in enumerate(offsets) if offset >= 0), 0)

    def records(first: int, after: int) -> Batch:
        chosen = itertools.chain.from_iterable(frames[first - start : after - start])
        bad = [rejection(offset, 9) for offset in range(first, after) if offset % 5 == 0]
        return batch(list(chosen), first=first, after=after, rejections=bad)

    end = start + len(frames)
    whole = beginning(frames, start)
    if frames:
        whole.apply(records(start, end))
    expected = stored(whole.drain())

    sink: list[Sequence[Block]] = []
    counting = beginning(frames, start)
    kept = freeze(counting)
    while counting.next_offset < end:
        first = data.draw(st.integers(max(start, counting.next_offset - 3), counting.next_offset))  # some again
        counting.apply(records(first, data.draw(st.integers(counting.next_offset, end))))
        match data.draw(st.sampled_from(["go on", "write", "checkpoint", "crash", "write and crash"])):
            case "write":
                sink.append(counting.drain())
            case "checkpoint":
                sink.append(counting.drain())
                kept = freeze(counting)
            case "crash":
                counting = thaw(kept, LOG, "person", PLACE)
            case "write and crash":
                sink.append(counting.drain())
                counting = thaw(kept, LOG, "person", PLACE)
        if data.draw(st.integers(0, 9)) == 0:
            break
    if counting.next_offset < end:
        counting.apply(records(counting.next_offset, end))
    sink.append(counting.drain())
    actual = stored(*sink)

    for table in TABLES:
        assert without_version(table, actual[table]) == without_version(table, expected[table]), table
    assert counting.tally == whole.tally
    assert counting.tally.unaccounted == 0
    assert freeze(counting) == freeze(whole)


def without_version(table: str, rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Leave the version out: the same count may have been written as of an earlier offset."""
    names = TABLES[table].columns
    keep = [i for i, name in enumerate(names) if name != "version"]
    return [tuple(row[i] for i in keep) for row in rows]


@given(st.lists(events, max_size=40), st.randoms())
def test_the_order_of_arrival_changes_no_count(unordered: list[Event], random: object) -> None:
    # One identity must be one fact: the content follows from the identity. And a contradiction is told from the order
    # of arrival, so there must be none.
    facts = {(each.device, each.epoch, each.seq): each for each in unordered if abs(each.ts - NINE) < DAY}
    arrived = [facts[key] for each in unordered if (key := (each.device, each.epoch, each.seq)) in facts]
    shuffled = list(arrived)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    results = []
    for sequence in (arrived, shuffled):
        counting = log()
        frames = [replace(each, offset=i) for i, each in enumerate(sequence)]
        counting.apply(batch(frames, first=0, after=len(frames)))
        blocks = counting.drain()
        counts: Counter[tuple[object, ...]] = Counter()
        for table in ("counts_10s", "counts_1m", "counts_day", "refusals_1m", "area_flows_10s", "area_flows_1h"):
            ignored = {"log", "segment", "version"}
            names = [name for name in TABLES[table].columns if name not in ignored]
            counts.update((table, *row) for row in counted(blocks, table, *names))
        results.append((counts, set(counted(blocks, "entered", "day", "credential")), counting.tally))
    assert results[0] == results[1]
