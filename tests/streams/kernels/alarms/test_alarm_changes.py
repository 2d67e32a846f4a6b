"""A whole snapshot of the alarms and the changes behind it are, byte for byte, that of the state that was reached."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kernels.alarms import recent, snapshot
from streams.kernels.alarms.changes import freeze_changes, join, note_saved
from streams.kernels.alarms.inputs import Inside, LogFlow, OccupancyReading
from streams.kernels.alarms.snapshot import freeze, thaw
from streams.kernels.counts.snapshot import Plain, SnapshotError
from streams.worker.snapshot_records import pack, unpack
from tests.support.alarm_feed import DENIED, IN, NAME, OUT, TEN, UNWELL, Feed, gate

GATES = [gate("N1"), gate("N2"), gate("N3")]
LANES = [lane for each in GATES for lane in each.lanes]


class Chain:
    """Alarms, and the records from which a worker that takes them up has to restore them."""

    def __init__(self) -> None:
        self.hours = True
        self.feed = Feed(GATES, logs={"N2": "other"}, is_open=lambda _: self.hours)
        self.second = TEN
        self.records: list[bytes] = []
        self.save()

    def save(self, *, whole: bool = True) -> None:
        """Write the whole state, or what has changed since the last time."""
        plain = None if whole else freeze_changes(self.feed.alarms)
        if plain is None:
            self.records = [pack(freeze(self.feed.alarms))]
        else:
            self.records.append(pack(plain))
        note_saved(self.feed.alarms)

    def play(self, events: list[tuple[str, Any]], seconds: int) -> None:
        """Let the same happen for some seconds."""
        self.feed.play(lambda _: events, start=self.second, end=self.second + seconds)
        self.second += seconds

    def taken_up(self) -> Plain:
        """Read the records."""
        whole, *changes = map(unpack, self.records)
        return join(whole, changes)


Step = Callable[[Chain], Any]
happening = st.lists(st.tuples(st.sampled_from(LANES), st.sampled_from([IN, IN, IN, OUT, DENIED, UNWELL])), max_size=6)
plays = st.tuples(happening, st.integers(1, 70)).map(lambda drawn: lambda chain: chain.play(*drawn))


def later(chain: Chain) -> None:
    """Let much time pass without anybody who looks."""
    chain.second += 1000
    chain.play([], 1)


def reading(chain: Chain) -> None:
    inside = [Inside("hall", "person", chain.second % 97, 50)]
    chain.feed.tell(readings=[OccupancyReading(chain.second * 1000, inside, {"N1": 3}, {"N2": 1}, [])])


def repeat(chain: Chain) -> None:
    """Publish some of what was published again, as a worker does that has started anew, and something for later."""
    some = [(chain.second - 100, "N1", IN, 2), (chain.second - 1, "N1", IN, 9), (chain.second + 5, "N3", OUT, 1)]
    chain.feed.tell(LogFlow("log", "person", chain.second, 0, [*some], [], {"N3": 2}))


def close_or_open(chain: Chain) -> None:
    chain.hours = not chain.hours
    chain.play([], 1)


def take_up(chain: Chain) -> None:
    chain.feed.alarms = thaw(chain.taken_up(), NAME, chain.feed.place)


STEPS: list[Step] = [
    lambda chain: chain.save(whole=True),
    lambda chain: chain.save(whole=False),
    lambda chain: chain.save(whole=False),
    later,
    reading,
    repeat,
    close_or_open,
    take_up,
    lambda chain: chain.feed.alarms.recent.forget_known(4),
]


@pytest.mark.parametrize("few", [256, 0])
@settings(deadline=None, max_examples=100)
@given(drawn=st.lists(st.one_of(plays, st.sampled_from(STEPS)), max_size=25))
def test_what_is_joined_is_what_would_have_been_written_whole(few: int, drawn: list[Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "FEW_ENTRANCES", few)
        chain = Chain()
        for step in drawn:
            step(chain)
            assert ("steps" in unpack(chain.records[0])) == (few == 0)
            if step is STEPS[1]:
                assert pack(chain.taken_up()) == pack(freeze(chain.feed.alarms))
        chain.save(whole=False)
        assert pack(chain.taken_up()) == pack(freeze(chain.feed.alarms))
        assert freeze(thaw(chain.taken_up(), NAME, chain.feed.place)) == freeze(chain.feed.alarms)


def test_alarms_that_were_raised_and_cleared_meanwhile_are_in_the_changes() -> None:
    chain = Chain()
    chain.play([], 1)
    chain.save()
    for happens, times in (([("N1-1", IN)] * 9, 8), ([], 12)):
        for _ in range(times):
            chain.play(happens, 50)
            chain.save(whole=False)
            assert pack(chain.taken_up()) == pack(freeze(chain.feed.alarms))
        assert bool(chain.feed.alarms.open_episodes()) == bool(happens)
    assert len(chain.records) == 21


def test_what_has_changed_within_more_than_a_minute_is_written_whole() -> None:
    chain = Chain()
    chain.play([("N1-1", IN)], 1)
    chain.save()
    chain.play([("N1-1", IN)], 60)
    assert freeze_changes(chain.feed.alarms) is not None
    chain.play([("N1-1", IN)], 1)
    assert freeze_changes(chain.feed.alarms) is None


def test_what_is_known_is_forgotten_in_the_changes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_KNOWN", 20)
    chain = Chain()
    for _ in range(8):
        chain.play([("N1-1", IN), ("N2-1", OUT), ("N3-2", DENIED)], 9)
        repeat(chain)
        chain.save(whole=False)
        assert pack(chain.taken_up()) == pack(freeze(chain.feed.alarms))


def test_changes_hold_little_of_what_did_not_change() -> None:
    chain = Chain()
    chain.play([(lane, IN) for lane in LANES], 200)
    chain.save()
    chain.play([("N2-1", IN)], 1)
    chain.save(whole=False)
    changes = unpack(chain.records[-1])
    assert [len(each) for each in changes["heard"]] == [8] * 5
    assert [len(each[0]) // 8 for each in (changes["kept"], *changes["known"].values())] == [3, 0, 1]
    assert changes["marks"] == []


def test_changes_that_do_not_follow_on_are_refused() -> None:
    chain = Chain()
    for _ in range(3):
        chain.play([("N1-1", IN)], 2)
        chain.save(whole=False)
    whole, *changes = map(unpack, chain.records)
    for lacking in range(len(changes) - 1):
        with pytest.raises(SnapshotError, match="do not follow on"):
            join(whole, changes[:lacking] + changes[lacking + 1 :])
    with pytest.raises(SnapshotError, match="do not follow on"):
        join(whole, [{**changes[0], "log": "test/alarm.inputs/1"}])


def test_nothing_can_follow_on_what_was_taken_up() -> None:
    chain = Chain()
    assert freeze_changes(thaw(chain.taken_up(), NAME, chain.feed.place)) is None
