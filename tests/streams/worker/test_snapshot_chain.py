"""Whatever kills, zombies, compaction and copies leave of a changelog: the state taken up is one that the log had.

The log here is the numbers from 0. Its state says of each remainder which number was the last that had it: a state with
changes on top that do not follow on it would say something else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kernels.counts import changes
from streams.kernels.counts.snapshot import Plain, freeze, thaw
from streams.worker.checkpoint import SnapshotTable
from streams.worker.snapshot_chain import SHARE, SLOTS, Chains, ChainWriter, SnapshotRecord, key_of, place_of
from streams.worker.snapshot_records import pack, unpack
from tests.support.events import LOG, PLACE, Event, batch, log

REMAINDERS = 23


def state(end: int) -> Plain:
    """Return the one state that a log of so many records can have."""
    last = {str(number % REMAINDERS): number for number in range(end)}
    return {"log": "l", "next": end, "era": 0, "lost": 0, "tail": 0, "last": last}


def changed(after: int, end: int) -> Plain:
    last = {str(number % REMAINDERS): number for number in range(after, end)}
    return {**state(end), "after": after, "last": last}


def join(whole: Plain, some: Sequence[Plain]) -> Plain:
    """Join without looking: only the links between the records keep apart what does not belong together."""
    for each in some:
        whole = {**whole, "next": each["next"], "last": whole["last"] | each["last"]}
    return whole


class Table(SnapshotTable):
    """The product's table without Faust's around it."""

    def __init__(self, check: Callable[[Plain], object] = lambda _: None) -> None:
        self.chains, self.unreadable, self.join_plain, self.check = {}, {}, join, check
        self.said: list[str] = []
        self.on_unreadable = lambda _, error: self.said.append(type(error).__name__)


def table(records: Sequence[SnapshotRecord], *, cut: int = 1000, **more: Any) -> Table:
    """Let a worker read a changelog in batches."""
    made = Table(**more)
    for start in range(0, len(records), cut):
        events = [
            SimpleNamespace(message=SimpleNamespace(key=each.key, value=each.value, partition=0))
            for each in records[start : start + cut]
        ]
        made.apply_changelog_batch(events)  # type: ignore[arg-type]  # all that it asks of events
    return made


def taken_up(records: Sequence[SnapshotRecord], **more: Any) -> int:
    """Return where a worker that reads these goes on; its state must be the log's."""
    plain = table(records, **more).newest(0)
    if plain is None:
        return -1
    assert plain == state(plain["next"])
    return int(plain["next"])


@dataclass
class Writer:
    """A worker that has taken the log up at an offset."""

    at: int = 0
    chain: ChainWriter = field(default_factory=lambda: ChainWriter(0))
    saved: int = 0

    def save(self, records: list[SnapshotRecord], *, more: int = 10) -> None:
        """Count so many records, and write a snapshot."""
        self.at += more
        whole = self.chain.wants_whole
        plain = state(self.at) if whole else changed(self.saved, self.at)
        records.append(self.chain.record(plain, pack, whole=whole))
        self.saved = self.at


def compacted(records: Sequence[SnapshotRecord]) -> list[SnapshotRecord]:
    newest = {each.key: each for each in records}
    return [each for each in records if newest[each.key] is each]


def chain_of(length: int, *, at: int = 0) -> list[SnapshotRecord]:
    records: list[SnapshotRecord] = []
    writer = Writer(at)
    writer.chain.whole_bytes = 1 << 20
    for _ in range(length):
        writer.save(records)
        writer.chain.whole_bytes = 1 << 20
    return records


# -- a chain -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 2, 1000])
def test_a_chain_is_taken_up_at_its_end(cut: int) -> None:
    records = chain_of(5)
    assert [place_of(each.key) for each in records] == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4)]
    assert taken_up(records, cut=cut) == taken_up(compacted(records), cut=cut) == 50


def test_a_kill_between_any_two_records_leaves_a_state_of_the_log() -> None:
    records = chain_of(4)
    again = Writer(40)
    for _ in range(4):
        again.save(records)
    assert [taken_up(records[:n]) for n in range(len(records) + 1)] == [-1, 10, 20, 30, 40, 50, 60, 70, 80]


def test_a_record_that_is_missing_ends_its_chain() -> None:
    records = chain_of(5)
    assert [taken_up(records[:n] + records[n + 1 :]) for n in range(5)] == [-1, 10, 20, 30, 40]


@pytest.mark.parametrize("damage", [lambda value: value[:-4], lambda value: value[:24] + b"canary", lambda _: b""])
def test_a_record_that_is_damaged_ends_its_chain(damage: Callable[[bytes], bytes]) -> None:
    records = chain_of(5)
    for n in (1, 2, 4):
        torn = [*records]
        torn[n] = SnapshotRecord(records[n].key, damage(records[n].value))
        assert taken_up(torn) == 10 * n


def test_how_far_a_damaged_record_had_counted_is_known() -> None:
    records = chain_of(3)
    torn = table([*records[:2], SnapshotRecord(records[2].key, records[2].value[:-4])])
    assert torn.unreadable_after(0) == 30
    assert torn.said


def test_changes_on_which_our_own_code_fails_leave_an_earlier_state() -> None:
    def fails_from(offset: int) -> Callable[[Plain], object]:
        return lambda plain: 1 // (plain["next"] < offset)

    records = chain_of(9)
    for offset in (95, 90, 50, 20):
        end = taken_up(records, check=fails_from(offset))
        assert offset / 2 - 10 <= end < offset
    assert taken_up(records, check=fails_from(10)) == -1
    assert table(records, check=fails_from(20)).unreadable_after(0) == 90


def test_changes_without_their_whole_snapshot_are_nothing() -> None:
    assert taken_up(chain_of(4)[1:]) == -1


# -- several chains ----------------------------------------------------------------------------------------------------


def test_what_compaction_leaves_of_the_chain_before_is_passed_over() -> None:
    records = chain_of(6)
    writer = Writer(60)
    writer.save(records)
    writer.save(records)
    left = compacted(records)
    assert [place_of(each.key)[1] for each in left] == [2, 3, 4, 5, 0, 1]
    assert taken_up(left) == taken_up(records) == 80


def test_a_worker_that_was_thought_dead_cannot_turn_the_state_back() -> None:
    """Its changes take the places of newer ones, or its whole snapshot that of the newer chain's."""
    live: list[SnapshotRecord] = []
    zombie = Writer()
    for _ in range(3):
        zombie.save(live)
    assert taken_up(live) == 30
    writer = Writer(30)
    for _ in range(5):
        writer.save(live)
        writer.chain.whole_bytes = 1 << 20
    late: list[SnapshotRecord] = []
    zombie.chain.tip = b""
    zombie.save(late, more=20)  # whole, at 50: further than the whole one of the live chain, which is at 40
    zombie.save(late)
    assert taken_up(live + late) == 80
    assert taken_up(compacted(live + late)) == 60
    assert taken_up(compacted(live[:4] + late)) == 60
    writer.save(late)
    assert taken_up(live + late) == 90


def test_changes_of_a_zombie_between_those_of_the_live_worker_are_passed_over() -> None:
    records: list[SnapshotRecord] = []
    zombie = Writer()
    zombie.save(records)
    writer = Writer(10)
    for each in (writer, zombie, writer, zombie, zombie, writer, writer):
        each.save(records)
        each.chain.whole_bytes = 1 << 20
    assert taken_up(records) == 50
    assert taken_up(compacted(records)) in (20, 30, 40, 50)


def test_two_workers_with_the_same_whole_snapshot_have_chains_of_their_own() -> None:
    """Their whole snapshots are equal to the last byte, and so are those that follow on either of them."""
    records: list[SnapshotRecord] = []
    one, other = Writer(), Writer()
    one.save(records)
    other.save(records)
    assert records[0] == records[1]
    for writer, more in ((one, 10), (other, 5), (one, 10), (other, 20)):
        writer.chain.whole_bytes = 1 << 20
        writer.save(records, more=more)
    for n in range(2, len(records) + 1):
        taken_up(records[:n])
        taken_up(compacted(records[:n]))
    assert taken_up(records) == 35


def test_a_broker_that_came_back_from_an_older_copy_leaves_the_chain_as_it_was_then() -> None:
    records = chain_of(6)
    copy = records[:3]
    writer = Writer(taken_up(copy))
    assert writer.at == 30
    writer.save(copy)
    assert taken_up(copy) == 40
    survivor = records[:3] + records[4:]  # of a worker that lived on, and wrote on behind what is lost
    assert taken_up(survivor) == 30


def test_changes_that_are_applied_to_whatever_was_before_would_be_noticed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def add(self: Chains, value: bytes, *, before: bytes, version: int, add: Any = Chains.add) -> bool:
        newest = self.newest() if before else None
        added: bool = add(self, value, before=newest.digest if newest else before, version=version)
        return added

    records = chain_of(5)
    assert taken_up(records[:2] + records[3:]) == 20
    monkeypatch.setattr(Chains, "add", add)
    with pytest.raises(AssertionError):
        taken_up(records[:2] + records[3:])


STEPS = st.sampled_from(["save", "save", "save", "save", "zombie", "restart", "compact", "shorten", "lose", "damage"])


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(STEPS, st.integers(0, 30)), max_size=40), st.sampled_from([1, 3, 1000]))
def test_no_history_of_a_changelog_leads_to_a_state_that_the_log_never_had(
    drawn: list[tuple[str, int]], cut: int
) -> None:
    records: list[SnapshotRecord] = []
    writers = [Writer()]
    for step, n in drawn:
        if step == "save":
            writers[-1].save(records, more=1 + n % 9)
        elif step == "zombie":
            writers[n % len(writers)].save(records, more=n % 5)
        elif step == "restart":
            writers.append(Writer(max(0, taken_up(records, cut=cut))))
        elif step == "compact":
            records = compacted(records)
        elif step == "shorten":
            records = records[: max(0, len(records) - n % 4)]
        elif records:
            at = n % len(records)
            value = records[at].value
            lost = [] if step == "lose" else [SnapshotRecord(records[at].key, value[: len(value) // 2] + b"\0")]
            records = records[:at] + lost + records[at + 1 :]
        taken_up(records, cut=cut)
    writers[-1].save(records)


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_whole_snapshot_is_due_first_and_after_so_many_changes() -> None:
    slots = [place_of(each.key)[1] for each in chain_of(SLOTS + 3)]
    assert slots == [*range(SLOTS + 1), 0, 1]


def test_a_whole_snapshot_is_due_once_a_start_would_have_to_read_much_more_than_one() -> None:
    writer, records = Writer(), list[SnapshotRecord]()
    for number in count():
        writer.save(records)
        if number and writer.chain.slot == 0:
            break
    *chain, last = records
    assert place_of(last.key) == (0, 0)
    read = [len(each.value) for each in chain]
    assert sum(read[1:-1]) <= SHARE * read[0] < sum(read[1:])


@pytest.mark.parametrize(("offsets", "wholes"), [([4, 5, 9, 10], [0]), ([4, 5, 0, 1], [0, 3]), ([4, 4, 5, 6], [0, 2])])
def test_a_whole_snapshot_is_due_when_the_changelog_was_made_anew_or_cut(offsets: list[int], wholes: list[int]) -> None:
    writer, records = Writer(), list[SnapshotRecord]()
    for offset in offsets:
        writer.save(records)
        writer.chain.note_written(offset)
        writer.chain.whole_bytes = 1 << 20
    assert [n for n, each in enumerate(records) if place_of(each.key) == (0, 0)] == wholes


def test_changes_that_were_made_before_the_changelog_was_known_to_be_another_follow_on_nothing() -> None:
    """A checkpoint goes on while the next one is made."""
    writer, records = Writer(), list[SnapshotRecord]()
    writer.save(records)
    writer.chain.note_written(5)
    made = changed(10, 20)
    writer.chain.note_written(0)
    records = [writer.chain.record(made, pack, whole=False)]
    assert taken_up(records) == -1
    assert writer.chain.wants_whole
    writer.at = writer.saved = 20
    writer.save(records)
    writer.save(records)
    assert taken_up(records) == 40


# -- other versions ----------------------------------------------------------------------------------------------------


def as_before(records: Sequence[SnapshotRecord]) -> bytes:
    """Return the record that a worker of the version before takes up: of those whose key is a number, the newest."""
    found = []
    for each in records:
        try:
            number = int(each.key)
        except ValueError:
            continue
        assert str(number).encode() == each.key
        found.append(each.value)
    return max(found, key=lambda value: int.from_bytes(value[:8], "big"))


def test_a_worker_of_the_version_before_goes_on_from_the_whole_snapshot() -> None:
    events = [Event(offset=n, seq=n + 1, ts=Event().ts + n * 3000) for n in range(40)]
    counting, chain, records = log(), ChainWriter(0), []
    for n in range(0, 30, 10):
        counting.apply(batch(events[n : n + 10], first=n, after=n + 10))
        counting.drain()
        plain = None if chain.wants_whole else changes.freeze_changes(counting)
        records.append(chain.record(plain or freeze(counting), pack, whole=plain is None))
        changes.note_saved(counting)
        chain.whole_bytes = 1 << 20
    assert [place_of(each.key)[1] for each in records] == [0, 1, 2]
    before = thaw(unpack(as_before(records)), LOG, "person", PLACE)
    assert before.next_offset == 10
    before.apply(batch(events[10:], first=10, after=40))
    counting.apply(batch(events[30:], first=30, after=40))
    assert {**freeze(before), "live": None} == {**freeze(counting), "live": None}


def test_a_whole_snapshot_of_the_version_before_wins_over_a_chain_only_if_it_has_counted_further() -> None:
    chain = chain_of(4)
    for at, end in ((30, 40), (45, 45)):
        of_before = SnapshotRecord(key_of(0), pack(state(at)))
        assert taken_up([*chain, of_before]) == end
        assert taken_up(compacted([*chain, of_before])) == at
