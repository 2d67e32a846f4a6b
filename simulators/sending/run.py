"""Plays a scenario into Kafka with its ledger: what `gatepulse simulate` calls.

The order of things: `plan.py` has the options, the scenario makes the day, `distort.py` the schedule, `play.py` and
`pace.py` set the times, `produce.py` sends.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from simulators.ledger.ledger import LedgerWriter
from simulators.sending.lag import Backlog, ConsumerLag
from simulators.sending.pace import MachineTime
from simulators.sending.plan import Plan, Programme
from simulators.sending.play import Ended, ProgrammePlayer, Schedules
from simulators.sending.produce import EventSender, NoLedger, SendCounts
from simulators.sending.producer import get_ready, make_producer
from simulators.sending.progress import Report, Silence
from streams.contract.events import Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import FrameType

    from streams.kernels.counts.site_clock import SiteClock
    from streams.site.model import Site

_TOPICS = (Topic.TURNSTILES.value, Topic.VEHICLES.value)


@dataclass(frozen=True)
class Summary:
    """What was sent.

    `events` are passages, each counted once; `lost` of them never left. `sent` counts their stored deliveries, of
    which `duplicates` are repetitions; `unknown` deliveries may have arrived or not. `site_ms` is the site time that
    was reached, `seconds` real time since the first send, `stopped` whether it was ended early.
    """

    events: int
    lost: int
    sent: int
    duplicates: int
    unknown: int
    malformed: int
    messages: int
    site_ms: int
    seconds: float
    epoch: int
    stopped: bool


def simulate(
    plan: Plan,
    site: Site,
    *,
    bootstrap: str,
    ledger: Path | None = None,
    consumer_group: str | None = None,
    stop: threading.Event | None = None,
    report: Report | None = None,
    kafka: Mapping[str, Any] | None = None,
    at_clock: Callable[[SiteClock], None] = lambda _: None,
    programme: Schedules | None = None,
    punctual: bool = False,
) -> Summary:
    """Play `plan` until it ends or `stop` is set; return what was sent.

    `ledger` is a new directory for the truth. With `consumer_group`, sending waits while the workers of that group
    are more than `plan.max_lag` events behind; `kafka` are further settings for who asks how far. `at_clock` is
    called with the site's clock before anything is sent. `programme` is played instead of the days of `plan`.
    `punctual`: what can be done before the first event is due is done before. Raises `UnknownDeviceError`,
    `UnfitSiteError`, `LedgerExists`, and what kafka-python raises.
    """
    real, settings = MachineTime(), dict(kafka or {})
    epoch = plan.epoch if plan.epoch is not None else real.now_ms() // 1000
    stopped = (stop or threading.Event()).is_set
    writer = LedgerWriter(ledger, meta=plan.described(site, epoch)) if ledger else None
    producer = make_producer(bootstrap, stop=stopped)
    if punctual:
        get_ready(producer, _TOPICS)
    lag = ConsumerLag(bootstrap, consumer_group, _TOPICS, **settings) if consumer_group else None
    sender = EventSender(producer, writer or NoLedger(), real, frame=plan.frame, backlog=Backlog() if lag else None)

    def set_clock(clock: SiteClock) -> None:
        if writer:
            writer.describe(clock=asdict(clock))
        at_clock(clock)

    player = ProgrammePlayer(
        programme or Programme(plan, site, epoch=epoch),
        sender,
        real,
        stop=stopped,
        report=report or Silence(),
        committed=lag.committed if lag else None,
        at_clock=set_clock,
    )
    try:
        ended = player.play()
    finally:
        # After an error the ledger stays open on purpose: its reader then knows that answers may be missing.
        producer.close()
        if lag:
            lag.close()
    if writer:
        writer.close()
    return _summary(sender.sent, ended, epoch)


def _summary(sent: SendCounts, ended: Ended, epoch: int) -> Summary:
    return Summary(
        events=sent.events,
        lost=sent.lost,
        sent=sent.ok,
        duplicates=max(0, sent.ok + sent.unknown + sent.lost - sent.events),
        unknown=sent.unknown,
        malformed=sent.malformed,
        messages=sent.messages,
        site_ms=ended.site_ms,
        seconds=ended.seconds,
        epoch=epoch,
        stopped=ended.stopped,
    )


@contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; the second one of them ends the program as usual.

    Only the main thread may use it.
    """
    event = threading.Event()
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in usual.items():
            signal.signal(number, handler)

    def stop(_number: int, _frame: FrameType | None) -> None:
        event.set()
        restore()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield event
    finally:
        restore()
