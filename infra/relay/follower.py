"""Reads the topic `alarms`: stores each change in the outbox together with its offset, in one transaction.

No commit of a consumer group is trusted; the next offset is stored in the outbox. Where it has none of this topic (a
new relay, or a topic that was replaced), all of the topic is read, and of each episode only its newest change counts:
it is accepted if the episode is open, or if its end was still to be sent.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from dashboards.messages.notice import PLATFORM, Notice, OwnWords
from infra.relay.metrics import RelayMetrics
from infra.relay.options import SITE, RelayOptions
from infra.relay.outbox import Outbox, TopicPosition
from infra.relay.platform import TOPIC, PlatformBox, platform_notice
from streams.contract.events import Topic
from streams.kernels.alarms.episodes import Episode
from streams.logging import loggable_text
from streams.settings import KafkaSettings
from streams.sources.brokers import Brokers, BrokersError

log = structlog.get_logger(__name__)

_CHECK_SECONDS: Final = 5.0
"""How often the brokers are queried whether it is still the same topic."""
_AGAIN_SECONDS: Final = 1.0
_POLL_MS: Final = 500
_PLACE: Final = TopicPartition(Topic.ALARMS.value, 0)
MOST_OPEN: Final = 200
"""Open episodes of which robots know nothing that are announced at most, the gravest and newest."""
_MOST: Final = 1 << 53
"""Whole numbers up to here are exact in JSON and fit SQLite; as a time in ms it is in 287 thousand years."""
_decode = msgspec.json.Decoder(Episode).decode


class ChangeError(ValueError):
    """A record is no change of an episode; the message says why."""

    quotes_events = True


def read_change(value: bytes) -> Notice:
    """Decode a record. Raises ChangeError also for what could be decoded, and neither stored nor put into words."""
    try:
        episode = _decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ChangeError(str(error)) from error
    if not (episode.episode and episode.rule and episode.level):
        raise ChangeError("expected an episode with its rule and its level")
    times = (episode.raised_at, episode.changed_at, episode.acknowledged_at or 0, episode.cleared_at or 0)
    if not (1 <= episode.change <= _MOST and all(0 <= each <= _MOST for each in times)):
        raise ChangeError("expected a change from 1 on, and times in ms since 1970")
    return Notice(episode)


@dataclass
class NewestChanges:
    """Of each episode the change with the highest number, wherever it stands in the topic.

    A worker that resumes at its checkpoint publishes again what it had published; one that was thought dead may append
    an old change behind the end. `unfinished`: the episodes whose end robots still have to hear of.
    """

    unfinished: Collection[str]
    _numbers: dict[str, int] = field(default_factory=dict)
    _newest: dict[str, Notice] = field(default_factory=dict)

    def note(self, notice: Notice) -> None:
        """Take the next change of the topic in."""
        name, change = notice.episode.episode, notice.episode.change
        if change < self._numbers.get(name, 0):
            return
        self._numbers[name] = change
        self._newest.pop(name, None)
        if not notice.over or name in self.unfinished:
            self._newest[name] = notice

    def announced(self) -> list[Notice]:
        """Return what is to be sent, in order of time: all of known episodes, and the gravest of those not known."""
        known = [each for name, each in self._newest.items() if name in self.unfinished]
        unknown = [each for name, each in self._newest.items() if name not in self.unfinished]
        unknown.sort(key=lambda each: (each.severity, each.episode.changed_at), reverse=True)
        if len(unknown) > MOST_OPEN:
            log.warning("more episodes are open than are announced", open=len(unknown), announced=MOST_OPEN)
        return sorted(known + unknown[:MOST_OPEN], key=lambda each: each.episode.changed_at)


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
        self, kafka: KafkaSettings, options: RelayOptions, outbox: Outbox, metrics: RelayMetrics,
        wake: Callable[[], None],
    ) -> None:  # fmt: skip
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
                    self._store(self._read(records, found), found.at(records[-1].offset + 1))
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
        self._store(newest.announced(), found.at(at))
        return found.at(at)

    def _store(self, notices: Sequence[Notice], position: TopicPosition) -> None:
        with self._outbox.at_once():
            for notice in notices:
                route = PLATFORM if notice.own else notice.episode.zone or SITE
                self._outbox.accept(notice, self._options.robots_of(route), _now_ms())
            self._outbox.move(position)
        self._wake()

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
