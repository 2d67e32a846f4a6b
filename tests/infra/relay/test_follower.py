"""The follower finds its place in the topic: where records cannot be read, and where the topic changes meanwhile."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dashboards.messages.notice import Notice
from infra.relay import follower
from infra.relay.follower import Follower
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
    options = RelayOptions(EXPO, outbox.path.parent, (robot(name="duty"),))

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
