"""A whole snapshot and the changes behind it are, byte for byte, the snapshot of the state that was reached."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.changes import freeze_changes, join, note_saved
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite
from streams.kernels.counts.snapshot import Plain, SnapshotError, freeze, thaw
from streams.worker.alarm_inputs import flow_of
from streams.worker.snapshot_records import pack, unpack
from tests.support.events import HORIZON, LOG, NINE, PLACE, Event, batch

BUCKET = 1 << BUCKET_BITS
TIGHT = replace(PLACE, most_devices=2, most_ranges=3, stretch=5, most_cells=4)  # holes are closed, parts begin
PLACES = [PLACE, TIGHT]


class Chain:
    """A log, and the records from which a worker that takes it up has to restore it."""

    def __init__(self, place: CountingSite) -> None:
        self.place, self.log = place, PassageLog(LOG, "person", place, next_offset=0)
        self.records: list[bytes] = []
        self.save()

    def save(self, *, whole: bool = True) -> None:
        """Write the whole state, or what has changed since the last time."""
        plain = None if whole else freeze_changes(self.log)
        if plain is None:
            self.records = [pack(freeze(self.log))]
        else:
            self.records.append(pack(plain))
        note_saved(self.log)

    def count(self, *events: Event) -> None:
        """Count events in one record each."""
        first = self.log.next_offset
        some = [replace(each, offset=first + n) for n, each in enumerate(events)]
        self.log.apply(batch(some, first=first, after=first + len(some)))

    def taken_up(self) -> Plain:
        """Read the records."""
        whole, *changes = map(unpack, self.records)
        return join(whole, changes)


times = st.one_of(
    st.integers(-40, 40).map(lambda n: NINE + n * 7_000),
    st.sampled_from([NINE + 86_400_000, NINE - HORIZON - 1, NINE - 3_600_000]),  # a new day, late, from an upload
)
events = st.builds(
    Event,
    seq=st.integers(1, 30),
    device=st.sampled_from(["N1-L01", "N2-L01", "H1-L01"]),
    epoch=st.sampled_from([0, 0, 0, 1, 2**63 - 1]),
    ts=times,
    entrance=st.sampled_from(["N1", "N2", "H1"]),
    direction=st.sampled_from(["in", "out"]),
    outcome=st.sampled_from(["passed", "granted", "denied"]),
    category=st.sampled_from(["visitor", "staff"]),
    reason=st.sampled_from(["", "expired", "票"]),
    credential=st.sampled_from(["", "c1"]),
    arrived=st.sampled_from([None, NINE, NINE + 86_400_000, 0]),
)
Step = Callable[[Chain], Any]


def counting(some: list[Event]) -> Step:
    return lambda chain: chain.count(*some)


def to_next_bucket(chain: Chain) -> None:
    chain.log.skip_to(chain.log.next_offset // BUCKET * BUCKET + BUCKET)


def take_up(chain: Chain) -> None:
    """Go on from what is written, which may be less than what was counted: so is the log then."""
    chain.log = thaw(chain.taken_up(), LOG, "person", chain.place)


STEPS: list[Step] = [
    lambda chain: chain.log.drain(),
    lambda chain: flow_of(chain.log, 0),
    lambda chain: chain.save(whole=True),
    lambda chain: chain.save(whole=False),
    lambda chain: chain.save(whole=False),
    to_next_bucket,
    take_up,
]
steps = st.lists(st.one_of(st.lists(events, min_size=1, max_size=9).map(counting), st.sampled_from(STEPS)), max_size=40)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(PLACES), steps)
def test_what_is_joined_is_what_would_have_been_written_whole(place: CountingSite, drawn: list[Step]) -> None:
    chain = Chain(place)
    for step in drawn:
        before = len(chain.records)
        step(chain)
        if len(chain.records) > before:
            assert pack(chain.taken_up()) == pack(freeze(chain.log))
    chain.save(whole=False)
    assert pack(chain.taken_up()) == pack(freeze(chain.log))
    again = thaw(chain.taken_up(), LOG, "person", place)
    assert freeze(again) == freeze(chain.log)
    assert again.tally == chain.log.tally


@settings(deadline=None)
@given(st.lists(st.lists(events, min_size=1, max_size=6), min_size=1, max_size=8))
def test_a_log_taken_up_from_any_part_of_a_chain_reaches_the_same_state(batches: list[list[Event]]) -> None:
    chain, ends = Chain(TIGHT), [0]
    for some in batches:
        chain.count(*some)
        chain.log.drain()
        chain.save(whole=False)
        ends.append(chain.log.next_offset)
    every = [replace(each, offset=n) for n, each in enumerate(each for some in batches for each in some)]
    whole, *changes = map(unpack, chain.records)
    for n, end in enumerate(ends):
        log = thaw(join(whole, changes[:n]), LOG, "person", TIGHT)
        assert log.next_offset == end
        log.apply(batch(every[end:], first=end, after=len(every)))
        assert {**freeze(log), "live": None} == {**freeze(chain.log), "live": None}


# -- what changes are not ----------------------------------------------------------------------------------------------


def three() -> Chain:
    chain = Chain(PLACE)
    for seq in (1, 2, 4):
        chain.count(Event(seq=seq, ts=NINE + seq * 1000))
        chain.log.drain()
        chain.save(whole=False)
    return chain


def test_changes_hold_little_of_what_did_not_change() -> None:
    chain = Chain(PLACE)
    chain.count(*(Event(seq=1, device=f"d{n}") for n in range(500)))
    chain.log.drain()
    flow_of(chain.log, 0)
    chain.save()
    chain.count(Event(seq=2, device="d7"))
    chain.log.drain()
    chain.save(whole=False)
    changes = unpack(chain.records[-1])
    assert [len(changes["devices"][name]) for name in ("number", "low", "high")] == [8, 8, 8]
    assert changes["names"] == [[1, []], [1, []], [0, []], [500, []]]
    assert len(changes["live"]["lanes"]["device"]) == 8


@pytest.mark.parametrize("lacking", [[0], [1], [0, 2]])
def test_changes_that_do_not_follow_on_are_refused(lacking: list[int]) -> None:
    whole, *changes = map(unpack, three().records)
    with pytest.raises(SnapshotError, match="do not follow on"):
        join(whole, [each for n, each in enumerate(changes) if n not in lacking])


def test_changes_out_of_their_order_are_refused() -> None:
    whole, first, second, third = map(unpack, three().records)
    with pytest.raises(SnapshotError, match="do not follow on"):
        join(whole, [first, third, second])


def test_changes_of_another_log_are_refused() -> None:
    whole, first, *_ = map(unpack, three().records)
    with pytest.raises(SnapshotError, match="do not follow on"):
        join(whole, [{**first, "log": "test/turnstile.passages/1"}])


@pytest.mark.parametrize("part", ["low", "high", "low_ts", "ranges", "number"])
def test_changes_with_a_column_too_short_are_refused(part: str) -> None:
    whole, first, *_ = map(unpack, three().records)
    devices = {**first["devices"], part: first["devices"][part][8:]}
    with pytest.raises(ValueError, match=r"shorter|longer|ranges"):
        join(whole, [{**first, "devices": devices}])


def test_nothing_can_follow_on_what_was_never_saved_or_was_taken_up() -> None:
    chain = three()
    assert freeze_changes(PassageLog(LOG, "person", PLACE, next_offset=0)) is None
    assert freeze_changes(thaw(chain.taken_up(), LOG, "person", PLACE)) is None


def test_a_log_that_is_counted_by_other_days_is_written_whole() -> None:
    """Its days do not follow from its records: with an earlier snapshot some events would be in two days."""
    chain = three()
    chain.log.place = replace(PLACE, days=SiteDays(PLACE.days.zone, 240))
    assert freeze_changes(chain.log) is not None
    chain.log.change_days()
    assert freeze_changes(chain.log) is None
