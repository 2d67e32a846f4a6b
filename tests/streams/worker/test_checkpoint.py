"""Snapshots survive packing, the one that counted further wins, and each fits into one record."""

import asyncio
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import faust
import numpy as np
import pytest

from streams.kernels.counts import corrections, snapshot
from streams.kernels.counts.batch import Batch
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.corrections import CorrectionLog
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite, EntranceSides
from streams.kernels.counts.snapshot import Plain
from streams.worker.checkpoint import SnapshotTable, snapshot_table
from streams.worker.snapshot_chain import key_of
from streams.worker.snapshot_records import only_whole, pack, unpack, version
from tests.support.events import LOG, NINE, PLACE, TIMES, Event, batch, log
from tests.support.lines import correction, line, persons, records
from tests.support.lines import corrections as correction_codec

SEGMENT = 1 << BUCKET_BITS
MOST_BYTES = 900_000
"""A broker takes records of a megabyte unless it is set otherwise."""


def unpacked(_: Plain) -> None:
    """Accept any snapshot that can be unpacked."""


def unexpected(partition: int, error: Exception) -> None:
    raise AssertionError(partition) from error


def counted(events: int) -> PassageLog:
    counting = log()
    lines = [
        line(seq=2 * i + 1, ts=NINE + i * 999, outcome="denied" if i % 3 else "passed", reason=f"r{i % 5}")
        for i in range(events)
    ]
    counting.apply(persons().read(records(b"bad", *lines)))
    return counting


# -- there and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("events", [0, 1, 40])
def test_a_snapshot_comes_back_as_it_was_and_says_its_offset_first(events: int) -> None:
    plain = snapshot.freeze(counted(events))
    value = pack(plain)
    assert unpack(value) == plain
    assert version(value) == plain["next"] == events + 1
    assert snapshot.freeze(snapshot.thaw(unpack(value), LOG, "person", PLACE)) == plain


def test_a_log_taken_up_goes_on_as_if_it_had_never_stopped() -> None:
    one, other = counted(20), snapshot.thaw(unpack(pack(snapshot.freeze(counted(20)))), LOG, "person", PLACE)
    for counting in (one, other):
        counting.apply(persons().read(records(line(seq=2), line(seq=1), b"bad", first=21)))
    assert snapshot.freeze(one) == snapshot.freeze(other)
    assert one.tally == other.tally


def test_a_log_of_corrections_remembers_their_ids() -> None:
    name = PartitionId("test", "corrections", 0)
    counting = CorrectionLog(name, TIMES, next_offset=0)
    counting.apply(correction_codec().read(records(correction(), b"bad", correction(id="c-2"))))
    again = corrections.thaw(unpack(pack(corrections.freeze(counting))), name, TIMES)
    again.apply(correction_codec().read(records(correction(), first=3)))
    assert (again.tally.counted, again.tally.duplicate, again.tally.rejected["not-json"]) == (2, 1, 1)


def test_the_largest_numbers_survive() -> None:
    counting = log()
    counting.apply(persons().read(records(line(seq=2**63 - 1, epoch=2**63 - 1))))
    plain = snapshot.freeze(counting)
    assert unpack(pack(plain)) == plain
    assert counting.devices.missing == {"N1": 10**12}  # as many as are ever said of one device


# -- the table ---------------------------------------------------------------------------------------------------------


def recovered(*batches: Iterable[tuple[bytes, bytes | None]]) -> dict[bytes, Plain]:
    """Let a table recover from batches of its changelog; return what it holds then."""

    async def recover() -> dict[bytes, Plain]:
        app = faust.App("t", broker="kafka://127.0.0.1:1", store="memory://", Table=SnapshotTable, autodiscover=False)
        table = snapshot_table(
            app, "source.snapshots", partitions=2, check=unpacked, join=only_whole, on_unreadable=unexpected
        )
        assert isinstance(table, SnapshotTable)
        for each in batches:
            table.apply_changelog_batch([_event(key, value) for key, value in each])
        return held(table)

    return asyncio.run(recover())


def held(table: SnapshotTable) -> dict[bytes, Plain]:
    """Return what a table holds by key."""
    return {key_of(n): plain for n in (0, 1) if (plain := table.newest(n)) is not None}


def _event(key: bytes, value: bytes | None) -> Any:
    message = SimpleNamespace(key=key, value=value, partition=int(key), offset=0)
    return SimpleNamespace(message=message, key=key, value=value)


def kept(offset: int, more: str = "") -> bytes:
    return pack({"next": offset, "more": more})


NEW, OLD = kept(200), kept(100)
ZERO, ONE = key_of(0), key_of(1)


@pytest.mark.parametrize(
    "batches",
    [
        [[(ZERO, OLD), (ZERO, NEW)]],
        [[(ZERO, NEW), (ZERO, OLD)]],
        [[(ZERO, OLD)], [(ZERO, NEW)]],
        [[(ZERO, NEW)], [(ZERO, OLD)]],
        [[(ZERO, NEW)], [(ZERO, OLD), (ZERO, kept(150))], [(ZERO, OLD)]],
        [[(ZERO, OLD), (ZERO, NEW), (ZERO, kept(150))], []],
        [[(ZERO, NEW)], [(ZERO, None)]],
    ],
)
def test_of_two_snapshots_the_one_that_counted_further_stays(batches: list[list[tuple[bytes, bytes | None]]]) -> None:
    assert recovered(*batches) == {ZERO: unpack(NEW)}


def test_of_two_that_counted_as_far_the_later_stays() -> None:
    assert recovered([(ZERO, kept(200, "earlier"))], [(ZERO, kept(200, "later"))]) == {ZERO: unpack(kept(200, "later"))}


def test_partitions_do_not_disturb_each_other() -> None:
    assert recovered([(ZERO, NEW), (ONE, OLD)], [(ZERO, OLD)]) == {ZERO: unpack(NEW), ONE: unpack(OLD)}


def test_the_shelf_keeps_bytes_as_they_are() -> None:
    value = kept(7, "\0\n证")
    assert recovered([(ONE, value)])[ONE] == {"next": 7, "more": "\0\n证"}


# -- what cannot be loaded ---------------------------------------------------------------------------------------------

GARBAGE = [
    b"",
    b"\0" * 7,
    b"\xff" * 8,
    b"\xff" * 40,
    kept(900)[:-3],
    kept(900)[:8] + b"canary",
    pack({"next": 900}),
]
"""The last one is a snapshot of something else."""


def shelved(*records: tuple[bytes, bytes | None]) -> tuple[SnapshotTable, list[tuple[int, str]]]:
    said: list[tuple[int, str]] = []

    async def recover() -> SnapshotTable:
        app = faust.App("t", broker="kafka://127.0.0.1:1", store="memory://", Table=SnapshotTable, autodiscover=False)
        table = snapshot_table(
            app,
            "source.snapshots",
            partitions=2,
            check=lambda plain: plain["more"],
            join=only_whole,
            on_unreadable=lambda partition, error: said.append((partition, type(error).__name__)),
        )
        table.apply_changelog_batch([_event(key, value) for key, value in records])
        return table

    return asyncio.run(recover()), said


@pytest.mark.parametrize("garbage", GARBAGE)
def test_a_snapshot_that_cannot_be_taken_up_leaves_the_place_to_an_older_one(garbage: bytes) -> None:
    table, said = shelved((ZERO, OLD), (ZERO, garbage), (ONE, NEW))
    assert held(table) == {ZERO: unpack(OLD), ONE: unpack(NEW)}
    assert table.unreadable_after(1) == 0
    if len(garbage) >= 8:  # a shorter one is older than any
        assert len(said) == 1
        assert table.unreadable_after(0) > 0


def test_how_far_a_lost_snapshot_had_counted_is_known_until_a_newer_one_is_there() -> None:
    lost = pack({"next": 900, "era": 2})
    assert shelved((ZERO, lost), (ZERO, kept(200)))[0].unreadable_after(0) == 900
    assert shelved((ZERO, lost), (ZERO, pack({"next": 3, "era": 3, "more": ""})))[0].unreadable_after(0) == 0


def test_a_record_of_a_stranger_is_passed_over() -> None:
    events = [_event(ZERO, NEW)]
    for key in (None, b"canary", b"\xff", b"00"):
        message = SimpleNamespace(key=key, value=kept(900), partition=0, offset=0)
        events.append(SimpleNamespace(message=message, key=key, value=message.value))

    async def recover() -> dict[bytes, Plain]:
        app = faust.App("t", broker="kafka://127.0.0.1:1", store="memory://", Table=SnapshotTable, autodiscover=False)
        table = snapshot_table(
            app, "source.snapshots", partitions=2, check=unpacked, join=only_whole, on_unreadable=lambda *_: None
        )
        table.apply_changelog_batch(events)
        return held(table)

    assert asyncio.run(recover()) == {ZERO: unpack(NEW)}


# -- size --------------------------------------------------------------------------------------------------------------

LANES = [(f"E{i % 25:02}", f"E{i % 25:02}-L{i // 25:02}") for i in range(200)]
SITE = CountingSite({entrance: EntranceSides("outside", "venue") for entrance, _ in LANES}, PLACE.days, TIMES)
CATEGORIES = ("guest", "exhibitor", "visitor", "media", "staff", "security")


def whole_segment(ts: Callable[["np.random.Generator"], "np.ndarray[Any, Any]"], *, frame: int = 1) -> PassageLog:
    """Fill a segment but for one offset with frames of events of 200 lanes, all categories, directions and outcomes."""
    draw = np.random.default_rng(20211105)
    counting = PassageLog(LOG, "person", SITE, next_offset=0)
    n = (SEGMENT - 1) * frame
    times = ts(draw).tolist()
    lanes = draw.integers(len(LANES), size=n).tolist()
    shown = draw.choice(6, p=[0.03, 0.14, 0.74, 0.02, 0.045, 0.025], size=n).tolist()
    outcome = draw.choice(3, p=[0.97, 0.01, 0.02], size=n).tolist()
    seq = [0] * len(LANES)
    events = []
    for i, lane in enumerate(lanes):
        seq[lane] += 2 if draw.random() < 0.001 else 1  # one event in a thousand is missing
        entrance, device = LANES[lane]
        events.append(
            Event(
                offset=i // frame, line=i % frame, seq=seq[lane], device=device, ts=times[i], entrance=entrance,
                category=CATEGORIES[shown[i]], direction=("in", "out")[lane % 2],
                outcome=("passed", "granted", "denied")[outcome[i]], reason="expired" if outcome[i] == 2 else "",
            )
        )  # fmt: skip
    counting.apply(_batch(events))
    return counting


def _batch(events: list[Event]) -> Batch:
    return batch(events, first=0, after=SEGMENT - 1)


def test_the_snapshot_of_a_busy_partition_fits_into_one_record(capsys: pytest.CaptureFixture[str]) -> None:
    # 11 events a second: a quarter of the peak day's mean, for the 25 minutes that a segment then takes
    counting = whole_segment(lambda draw: NINE + np.cumsum(draw.exponential(1000 / 11, size=SEGMENT - 1)).astype(int))
    value = pack(snapshot.freeze(counting))
    with capsys.disabled():
        cells = len(counting.bucket.tens.counts) + len(counting.bucket.minutes.counts)
        print(f"\nsnapshot of 200 lanes, a full segment: {len(value):,} bytes for {cells:,} windows")  # noqa: T201  # a figure to read
    assert len(value) < MOST_BYTES / 3


def test_so_does_one_whose_events_all_fall_into_windows_of_their_own() -> None:
    # the worst that single events can do: a day's uploads of devices that were offline, in any order
    counting = whole_segment(lambda draw: NINE + draw.integers(0, 86_400_000, size=SEGMENT - 1))
    assert len(pack(snapshot.freeze(counting))) < MOST_BYTES
