"""The agents close gaps of Faust 0.15.3 that would lose events or acknowledge too much."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import faust
import pytest
from faust.tables.recovery import Recovery
from faust.transport.producer import ProducerBuffer
from faust.types import TP
from mode.utils.queues import FlowControlQueue

from streams.contract.events import Topic
from streams.kernels.counts.batch import Position, Rejection
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.kernels.counts.site_totals import EntranceTotals, SiteTotals, Total
from streams.kernels.counts.takeup import Problem
from streams.sources.brokers import TopicState
from streams.worker.agents import (
    KafkaOutlet,
    Unreadable,
    count_topic,
    follow_site_totals,
    settle,
    take_up_on_assignment,
)
from streams.worker.consumer import JoinedValue, Offsets
from streams.worker.snapshot_chain import SnapshotRecord
from streams.worker.takeup import Assigned, TakeUp, Verdict
from tests.support.lines import line, records
from tests.support.rehearsal import Worker, World, start_of

TOPIC = Topic.TURNSTILES.value
SOURCE = TP(TOPIC, 0)
LOG = PartitionId("here", TOPIC, 0)
NOTHING_LEFT = cast("Any", SimpleNamespace(record_at=lambda *_: None))
"""Brokers that have no record at or behind an offset."""


class Broker:
    """Takes what is sent, and says what became of it when the test tells it to."""

    def __init__(self) -> None:
        self.answers: list[asyncio.Future[Any]] = []

    def send_soon(self, **_: object) -> Awaitable[None]:
        """Send, as Faust does: at once, with a promise."""
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]

    def send_changelog(self, *_: object) -> Awaitable[None]:
        """Send a snapshot."""
        return self.send_soon()


def outlet(broker: Broker) -> KafkaOutlet:
    app = cast("faust.App", SimpleNamespace(topic=lambda *_, **__: broker))
    return KafkaOutlet(app, TOPIC, cast("Any", broker), Offsets())


async def turns() -> None:
    """Let everything happen that does not wait for somebody else."""
    for _ in range(20):
        await asyncio.sleep(0)


REJECTION = Rejection(Position(1, 0, 1000), "not-json", "", "", b"")
WAYS: list[Callable[[KafkaOutlet], Awaitable[Any]]] = [
    lambda out: out.write_snapshots({0: SnapshotRecord(b"0", b"state")}),
    lambda out: out.reject(LOG, [REJECTION]),
    lambda out: out.park({"batch": b"rows"}),
]


# -- a flush that gives up ---------------------------------------------------------------------------------------------


def test_fausts_own_flush_returns_with_messages_still_unsent() -> None:
    async def story() -> None:
        buffer = ProducerBuffer()
        buffer.app = cast("Any", SimpleNamespace(conf=SimpleNamespace(producer_threaded=False)))
        buffer._started.set()
        buffer.pending.put_nowait(cast("Any", None))
        await buffer.flush()
        assert buffer.size == 1, "it waits now: the note on it in DESIGN.md can go"

    asyncio.run(story())


@pytest.mark.parametrize("send", WAYS)
def test_what_we_send_counts_as_sent_when_the_broker_has_it_and_not_before(
    send: Callable[[KafkaOutlet], Awaitable[Any]],
) -> None:
    async def story() -> None:
        broker = Broker()
        sending = asyncio.ensure_future(send(outlet(broker)))
        await turns()
        assert not sending.done()
        broker.answers[0].set_result(SimpleNamespace(offset=7))
        await asyncio.wait_for(sending, 1)

    asyncio.run(story())


def test_what_is_retracted_of_the_totals_is_published_once_the_broker_has_it() -> None:
    retracted = EntranceTotals("log", 3, "N1", "person", [Total("in", "visitor", -3)], missing=0, last_ts=None)
    said: list[str] = []

    class Twice:
        """Takes three passages back, and says when the broker has that."""

        async def run(self, _: object, announce: Callable[[list[EntranceTotals]], Awaitable[None]]) -> None:
            await announce([retracted, retracted])
            said.append("published")

    async def story() -> None:
        broker = Broker()
        tasks: list[Callable[[], Awaitable[None]]] = []
        app = cast("faust.App", SimpleNamespace(topic=lambda *_, **__: broker, task=tasks.append))
        settle(app, cast("Any", Twice()), lambda: True, end=_raise)
        running = asyncio.ensure_future(tasks[0]())
        await turns()
        assert not running.done()
        for answer in broker.answers:
            answer.set_result(None)
        await asyncio.wait_for(running, 1)

    asyncio.run(story())
    assert said == ["published"]


# -- errors that are only logged ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("send", WAYS)
def test_a_delivery_that_fails_is_an_error_here(send: Callable[[KafkaOutlet], Awaitable[Any]]) -> None:
    async def story() -> None:
        broker = Broker()
        sending = asyncio.ensure_future(send(outlet(broker)))
        await turns()
        broker.answers[0].set_exception(ConnectionError("too large"))
        with pytest.raises(ConnectionError, match="too large"):
            await sending

    asyncio.run(story())


# -- an exception in an agent acknowledges the event -------------------------------------------------------------------


class Fed:
    """A stream of one message, as an agent sees it."""

    def __init__(self, value: bytes | None, *, generation: int = 1) -> None:
        self._message = SimpleNamespace(value=value, partition=0, generation_id=generation)

    async def events(self) -> AsyncIterator[Any]:
        """Yield the message."""
        yield SimpleNamespace(message=self._message)

    def __aiter__(self) -> AsyncIterator[Any]:
        """Yield its value."""
        return self._values()

    async def _values(self) -> AsyncIterator[Any]:
        yield self._message.value


def joined(first: int) -> JoinedValue:
    held = records(line(seq=1), first=first)
    value = JoinedValue(held.value)
    value.records = held
    return value


def an_app() -> faust.App:
    app = faust.App("test", store="memory://", autodiscover=False, web_enabled=False)
    app._consumer = cast("Any", SimpleNamespace())
    app.consumer_generation_id = 1
    return app


def run_agent(app: faust.App, stream: Fed) -> None:
    """Let the app's only agent read a stream."""
    (agent,) = app.agents.values()
    asyncio.run(cast("Any", agent).fun(stream))


def test_whatever_goes_wrong_while_counting_ends_the_process() -> None:
    class Broken:
        topic, generation = TOPIC, 1

        async def apply(self, *_: object, **__: object) -> None:
            raise MemoryError("no room")

    ended: list[BaseException] = []
    app = an_app()
    count_topic(app, cast("Any", Broken()), end=ended.append, brokers=NOTHING_LEFT)
    run_agent(app, Fed(joined(0)))
    assert [type(each) for each in ended] == [MemoryError]


def test_a_hole_ends_the_process_before_anything_behind_it_is_counted() -> None:
    ended: list[BaseException] = []
    app, world = an_app(), World({(TOPIC, 0): [line(seq=n) for n in range(1, 5)]})
    counting = Worker(world).countings[TOPIC]
    counting.assign([start_of(counting, 0, None)])
    count_topic(app, counting, end=ended.append, brokers=NOTHING_LEFT)
    run_agent(app, Fed(joined(2)))
    assert [type(each) for each in ended] == [OffsetGapError]
    assert [log.next_offset for log in counting.partitions] == [0]
    assert counting.partitions[0].tally.received == 0


@pytest.mark.parametrize(("begin", "problem"), [(2, Problem.RECORDS_DELETED), (0, Problem.OFFSET_GAP)])
def test_records_that_brokers_do_not_have_block_their_partition_under_the_right_name(
    begin: int, problem: Problem
) -> None:
    ended: list[BaseException] = []
    app, world = an_app(), World({(TOPIC, 0): [line(seq=n) for n in range(1, 5)]})
    counting = Worker(world).countings[TOPIC]
    counting.assign([start_of(counting, 0, None)])
    state = TopicState("", {0: begin}, {0: 4})
    brokers = SimpleNamespace(record_at=lambda *_: (2, 1000), topic_states=lambda _: {TOPIC: state})
    count_topic(app, counting, end=ended.append, brokers=cast("Any", brokers))
    run_agent(app, Fed(joined(2)))
    assert ended == []
    assert {(each.problem, each.first, each.after) for each in counting.blocked.values()} == {(problem, 0, 2)}
    assert counting.partitions[0].tally.received == 0


@pytest.mark.parametrize("value", [b"not ours", b"", None, b"\xff", b"{}", b'{"log": 1}', b"[" * 100_000])
def test_totals_that_cannot_be_read_are_passed_over_and_counted(value: bytes | None) -> None:
    app, unreadable = an_app(), Unreadable()
    follow_site_totals(app, SiteTotals(), unreadable)
    run_agent(app, Fed(value))
    assert unreadable.counts == {Topic.TOTALS.value: 1}


# -- records dropped when a table recovers -----------------------------------------------------------------------------


class Eager:
    """A consumer that has fetched two records by the time Faust resumes the partitions, and hands one over at once."""

    def __init__(self, queue: FlowControlQueue[int]) -> None:
        self._queue = queue
        self._flowing, self._fetched, self._next = True, list[int](), 0

    def assignment(self) -> set[TP]:
        """What it holds."""
        return {SOURCE}

    def stop_flow(self) -> None:
        """Hand nothing over from now on."""
        self._flowing = False

    def resume_partitions(self, _: set[TP]) -> None:
        """Hand over the first of what was fetched, if it may."""
        if self._flowing:
            self._fetched = [0, 1]
            self._queue.put_nowait(self._fetched.pop(0))

    async def seek_to_committed(self) -> dict[TP, int]:
        """Nothing is committed."""
        return {}

    async def perform_seek(self) -> None:
        """Go to the beginning."""
        self._next = 0

    def resume_flow(self) -> None:
        """Hand over the rest of what was fetched, and fetch anew."""
        self._flowing = True
        for offset in (*self._fetched, self._next, self._next + 1):
            self._queue.put_nowait(offset)


class _Nothing(TakeUp):
    """Takes nothing up."""

    def __init__(self) -> None:
        super().__init__(cast("Any", None), cast("Any", None), "here")

    def decide(self, assigned: Sequence[Assigned]) -> list[Verdict]:
        """Decide about nothing."""
        assert not assigned
        return []


async def recovered(*, remedy: bool) -> list[int]:
    """Let Faust complete a recovery; return the offsets that the agent gets to see afterwards."""

    async def nothing(*_: object) -> None:
        pass

    async def waited(seeking: Awaitable[None], **_: object) -> None:
        await seeking

    app = faust.App("test", store="memory://", autodiscover=False, web_enabled=False)
    control = app.flow_control
    queue: FlowControlQueue[int] = FlowControlQueue(flow_control=control, clear_on_resume=True)
    app._consumer = cast("Any", Eager(queue))
    app._fetcher = cast("Any", SimpleNamespace(maybe_start=nothing))
    app.consumer_generation_id = 1
    if remedy:
        take_up_on_assignment(app, [], Offsets(), _Nothing(), end=_raise)
    recovery = SimpleNamespace(
        app=app, tables=app.tables, log=SimpleNamespace(info=print, dev=print), completed=asyncio.Event(),
        actives_for_table={}, standbys_for_table={}, _is_changelog_tp=lambda _: False, _set_recovery_ended=lambda: None,
        _wait=waited,
    )  # fmt: skip
    await Recovery.on_recovery_completed(cast("Recovery", recovery), 1)
    return [queue.get_nowait() for _ in range(queue.qsize())]


def _raise(error: BaseException) -> None:
    raise error


def test_faust_alone_drops_what_it_fetched_before_it_had_sought() -> None:
    assert asyncio.run(recovered(remedy=False)) == [1, 0, 1], "it keeps the order now: see take_up_on_assignment"


def test_after_a_recovery_nothing_is_missing_in_front_of_what_comes_first() -> None:
    assert asyncio.run(recovered(remedy=True)) == [0, 1]
