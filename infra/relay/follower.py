"""Reads the topic `alarms`: stores each change in the outbox together with its offset, in one transaction.

No commit of a consumer group is trusted; the next offset is stored in the outbox. Where it has none of this topic (a
new relay, or a topic that was replaced), all of the topic is read, and of each episode only its newest change counts:
it is accepted if the episode is open, or if its end was still to be sent.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from dashboards.messages.notice import PLATFORM, Notice, OwnWords
from infra.relay.alerts import SITE, platform_notice
from infra.relay.changes import ChangeError, NewestChanges, read_change
from infra.relay.metrics import RelayMetrics
from infra.relay.options import RelayOptions
from infra.relay.outbox import Outbox, TopicPosition
from infra.relay.platform import TOPIC, PlatformBox
from streams.contract.events import Topic
from streams.logging import loggable_text
from streams.settings import KafkaSettings
from streams.sources.brokers import Brokers, BrokersError

log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 5.0
"""How often the brokers are queried whether it is still the same topic."""
_AGAIN_SECONDS: Final = 1.0
_POLL_MS: Final = 500
_PLACE: Final = TopicPartition(Topic.ALARMS.value, 0)


class TopicReplacedError(RuntimeError):
    """The topic of alarms is not the one that was read, or has lost records; it is read from its beginning."""


@dataclass(frozen=True)
class _Found:
    """The topic as the brokers have it now: who it is, its first offset, and the one behind its last."""

    cluster: str
    incarnation: str
    begin: int
    end: int

    def has(self, position: TopicPosition) -> bool:
        """Whether a position is one in this topic."""
        known = {position.incarnation, self.incarnation} - {""}
        return position.cluster == self.cluster and len(known) < 2 and position.next_offset <= self.end

    def at(self, offset: int) -> TopicPosition:
        """Return a position in this topic."""
        return TopicPosition(self.cluster, self.incarnation, offset)


class Follower:
    """Follows the topic; `wake` is called when something is new. All calls to the brokers are made in one thread."""

    def __init__(
        self,
        kafka: KafkaSettings,
        options: RelayOptions,
        outbox: Outbox,
        metrics: RelayMetrics,
        wake: Callable[[], None],
    ) -> None:
        self._kafka, self._options, self._outbox, self._metrics, self._wake = kafka, options, outbox, metrics, wake
        self._brokers = Brokers(kafka)
        self._thread = ThreadPoolExecutor(1, "alarms")

    async def run(self) -> None:
        """Follow; brokers that do not answer are queried again every second."""
        while True:
            try:
                await self._follow()
            except TopicReplacedError:
                log.warning("the topic of alarms was replaced; it is read from its beginning")
            except (BrokersError, KafkaError) as error:
                self._metrics.following.set(0)
                log.warning("the topic of alarms cannot be read", reason=loggable_text(error))
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow(self) -> None:
        found = await self._topic_now()
        position = self._outbox.position()
        consumer = await self._in_thread(self._consumer)
        try:
            if position is None or not found.has(position):
                position = await self._read_all(consumer, found)
            await self._in_thread(consumer.seek, _PLACE, max(position.next_offset, found.begin))
            checked_at = self._note_following()
            while True:
                records = await self._poll(consumer)
                if records:
                    self._accept(records, found)
                if time.monotonic() - checked_at >= _CHECK_SECONDS:
                    found = await self._topic_now()
                    current = self._outbox.position()
                    if current is None or not found.has(current):
                        raise TopicReplacedError
                    checked_at = self._note_following()
        finally:
            await self._in_thread(consumer.close)

    def _note_following(self) -> float:
        """Note that the brokers answer and the topic is read; return the moment (monotonic s)."""
        self._metrics.following.set(1)
        PlatformBox(self._outbox).beat(TOPIC, self._options.robots_of(PLATFORM), _now_ms())
        return time.monotonic()

    async def _topic_now(self) -> _Found:
        """Ask the brokers for the topic. Raises BrokersError."""
        cluster = await self._in_thread(self._brokers.cluster)
        state = (await self._in_thread(self._brokers.topic_states, [_PLACE.topic])).get(_PLACE.topic)
        if state is None:
            raise BrokersError(f"there is no topic {_PLACE.topic} at {self._kafka.brokers}: `gatepulse topics apply`")
        return _Found(cluster, state.incarnation, state.begin.get(0, 0), state.end.get(0, 0))

    def _consumer(self) -> Any:  # noqa: ANN401  # kafka-python has no types
        consumer = KafkaConsumer(
            bootstrap_servers=self._kafka.brokers.split(","), client_id="gatepulse-relay", group_id=None,
            enable_auto_commit=False, auto_offset_reset="none", fetch_min_bytes=1, allow_auto_create_topics=False,
            **self._kafka.client,
        )  # fmt: skip
        consumer.assign([_PLACE])
        return consumer

    async def _poll(self, consumer: Any) -> Sequence[Any]:  # noqa: ANN401  # as above
        found = await self._in_thread(lambda: consumer.poll(timeout_ms=_POLL_MS))
        records: Sequence[Any] = found.get(_PLACE, [])
        return records

    async def _read_all(self, consumer: Any, found: _Found) -> TopicPosition:  # noqa: ANN401  # as above
        """Accept what is to be announced of a topic in which there is no place yet, and take one at its end."""
        newest, at, checked_at = NewestChanges(self._outbox.unfinished()), found.begin, time.monotonic()
        await self._in_thread(consumer.seek, _PLACE, at)
        while at < found.end:
            for notice in self._read(await self._poll(consumer), found):
                if notice.own is None:
                    newest.note(notice)
            at = await self._in_thread(consumer.position, _PLACE)
            if time.monotonic() - checked_at >= _CHECK_SECONDS:
                if not (await self._topic_now()).has(found.at(found.end)):
                    raise TopicReplacedError
                checked_at = time.monotonic()
        with self._transaction():
            self._accept_notices(newest.announced())
            self._outbox.move(found.at(at))
        return found.at(at)

    def _accept(self, records: Sequence[Any], found: _Found) -> None:
        with self._transaction():
            self._accept_notices(self._read(records, found))
            self._outbox.move(found.at(records[-1].offset + 1))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._outbox.at_once():
            yield
        self._wake()

    def _accept_notices(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            route = PLATFORM if notice.own else notice.episode.zone or SITE
            self._outbox.accept([notice], self._options.robots_of(route), _now_ms())

    def _read(self, records: Sequence[Any], found: _Found) -> list[Notice]:
        """Return the changes; one that cannot be read becomes an alarm of the platform rather than nothing."""
        return [self._notice(each, found) for each in records if each.value is not None]

    def _notice(self, record: Any, found: _Found) -> Notice:  # noqa: ANN401  # as above
        try:
            return read_change(record.value)
        except ChangeError as error:
            self._metrics.unreadable.inc()
            log.exception("a change of an alarm cannot be read", offset=record.offset)
            own = OwnWords(
                f"收到无法解读的告警（{_PLACE.topic} 偏移 {record.offset}）",
                f"a change of an alarm cannot be read ({_PLACE.topic}, offset {record.offset}): {error}",
                "查看大屏上的告警列表，并通知平台工程师。",
                "See the alarms on the wall, and tell the engineer.",
            )
            alarm = f"unreadable:{found.cluster}:{found.incarnation}:{record.offset}"
            return platform_notice(alarm, "unreadable", own, at_ms=_now_ms(), level="orange")

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:  # noqa: ANN401  # of any call
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
