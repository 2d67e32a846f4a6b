"""The follower finds its place in the topic: where records cannot be read, and where the topic changes meanwhile."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dashboards.messages.notice import Notice, from_plain, to_plain
from infra.relay import follower
from infra.relay.follower import MOST_OPEN, ChangeError, Follower, NewestChanges, read_change
from infra.relay.metrics import RelayMetrics
from infra.relay.options import RelayOptions
from infra.relay.outbox import Outbox
from streams.contract.events import Topic
from streams.settings import KafkaSettings
from streams.sources.brokers import TopicState
from tests.support.alerts import EXPO, notice, robot

SECONDS = 10.0


@dataclass
class Record:
    """What the consumer returns."""

    offset: int
    value: bytes | None


@dataclass
class _FakeKafka:
    """A topic, and the brokers' answers about it one after the other: its id, and the offset behind its last record."""

    records: list[Record]
    answers: list[tuple[str, int]]
    settings: dict[str, Any] = field(default_factory=dict)
    at: int = 0

    def __call__(self, *_: object, **settings: Any) -> "_FakeKafka":
        """Be made: the consumer, or who asks the brokers."""
        self.settings |= settings
        return self

    def cluster(self) -> str:
        return "c"

    def topic_states(self, _: Sequence[str]) -> dict[str, TopicState]:
        incarnation, end = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return {Topic.ALARMS.value: TopicState(incarnation, {0: 0}, {0: end})}

    def assign(self, _: object) -> None:
        pass

    def close(self) -> None:
        pass

    def seek(self, _: object, offset: int) -> None:
        self.at = offset

    def position(self, _: object) -> int:
        return self.at

    def poll(self, **_: object) -> dict[Any, list[Record]]:
        found = [each for each in self.records if each.offset >= self.at]
        self.at = max([self.at, *(each.offset + 1 for each in found)])
        return {follower._PLACE: found} if found else {}


def record(offset: int, change: Notice) -> Record:
    return Record(offset, msgspec.json.encode(change.episode))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Provide an empty outbox."""
    with Outbox(tmp_path / "o") as empty:
        yield empty


def follow(
    monkeypatch: pytest.MonkeyPatch, outbox: Outbox, kafka: _FakeKafka, *, changes: int
) -> list[tuple[str, int]]:
    """Follow until so many changes wait; return them."""
    monkeypatch.setattr(follower, "KafkaConsumer", kafka)
    monkeypatch.setattr(follower, "Brokers", kafka)
    monkeypatch.setattr(follower, "_CHECK_SECONDS", 0.01)
    options = RelayOptions(EXPO, Path(), (robot(name="duty"),))

    def waiting() -> list[tuple[str, int]]:
        return [(each.notice.episode.subject, each.notice.episode.change) for each in outbox.waiting("duty", 0)]

    async def run() -> None:
        one = Follower(KafkaSettings(), options, outbox, RelayMetrics(["duty"], outbox), lambda: None)
        task = asyncio.create_task(one.run())
        async with asyncio.timeout(SECONDS):
            while len(waiting()) < changes and not task.done():
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return waiting()


def test_records_that_cannot_be_read_do_not_keep_the_others_from_being_sent(
    monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    line = msgspec.json.encode(notice(1).episode)
    odd = [line.replace(b"N3", b"\xff"), line.replace(b'"change":1', b'"change":%d' % 10**30), b"[" * 100_000]
    kafka = _FakeKafka([], [("t", 0)])
    kafka.records = [*(Record(at, value) for at, value in enumerate(odd)), Record(3, None), record(4, notice(2))]
    assert follow(monkeypatch, outbox, kafka, changes=4) == [*[("unreadable", 1)] * 3, ("N3", 2)]


def test_a_topic_that_is_replaced_while_it_is_read_as_a_whole_is_noticed(
    monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    kafka = _FakeKafka([record(0, notice(1))], [("old", 1000), ("new", 1)])
    assert follow(monkeypatch, outbox, kafka, changes=1) == [("N3", 1)]


def test_to_read_the_topic_does_not_make_one_that_is_set_otherwise(
    monkeypatch: pytest.MonkeyPatch, outbox: Outbox
) -> None:
    kafka = _FakeKafka([record(0, notice(1))], [("t", 1)])
    follow(monkeypatch, outbox, kafka, changes=1)
    assert kafka.settings["allow_auto_create_topics"] is False


LINE = msgspec.json.encode(notice(1, episode="EPISODE").episode)


def announced(*changes: Notice, unfinished: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    newest = NewestChanges(unfinished)
    for each in changes:
        newest.note(each)
    return [(each.episode.episode, each.episode.change) for each in newest.announced()]


def test_a_change_is_read_as_it_was_written() -> None:
    assert read_change(msgspec.json.encode(notice(3, what="cleared").episode)) == notice(3, what="cleared")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="no episode"),
        pytest.param(LINE.replace(b"EPISODE", b"\xff"), id="no UTF-8"),
        pytest.param(LINE[:-1] + b',"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="nested too deep"),
        pytest.param(LINE.replace(b'"change":1', b'"change":%d' % 10**30), id="number of no change"),
        pytest.param(LINE.replace(b'"change":1', b'"change":0'), id="change before the first"),
        pytest.param(LINE.replace(b'"changed_at":', b'"changed_at":-9'), id="time before 1970"),
        pytest.param(LINE.replace(b'"rule":"entrance-overload"', b'"rule":""'), id="no rule"),
    ],
)
def test_what_is_no_change_of_an_episode_is_refused_in_one_way(value: bytes) -> None:
    with pytest.raises(ChangeError):
        read_change(value)


def test_what_is_read_can_be_stored_and_taken_up_again() -> None:
    odd = LINE.replace(b'"level":"orange"', b'"level":"purple"').replace(b"EPISODE", b"\\u0000<@all>")
    assert from_plain(to_plain(read_change(odd))) == read_change(odd)


def test_changes_that_are_published_again_after_the_end_open_nothing() -> None:
    again = [notice(1), notice(2), notice(3, what="cleared"), notice(1), notice(2)]
    assert announced(*again) == []
    assert announced(*again, unfinished=frozenset([notice().episode.episode])) == [(notice().episode.episode, 3)]
    assert announced(notice(1), notice(2), notice(1)) == [(notice().episode.episode, 2)]


def test_ends_that_robots_wait_for_are_sent_however_many_episodes_are_open() -> None:
    open_ones = [notice(1, episode=f"open-{number}", level="red") for number in range(MOST_OPEN + 5)]
    found = announced(notice(2, episode="ends", what="cleared"), *open_ones, unfinished=frozenset(["ends"]))
    assert ("ends", 2) in found
    assert len(found) == MOST_OPEN + 1
