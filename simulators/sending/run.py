"""Plays a scenario into Kafka with its ledger: what `gatepulse simulate` calls.

The order of things: `plan.py` has the options, the scenario makes the day, `distort.py` the schedule, `play.py` and
`pace.py` set the times, `produce.py` sends.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from simulators.ledger.ledger import LedgerWriter
from simulators.sending.lag import Backlog, ConsumerLag
from simulators.sending.pace import MachineTime
from simulators.sending.plan import Plan, Programme
from simulators.sending.play import NextSchedule, ProgrammePlayer, Progress
from simulators.sending.produce import EventSender
from simulators.sending.producer import make_producer
from streams.contract.events import Topic
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site

_TOPICS = (Topic.TURNSTILES.value, Topic.VEHICLES.value)


@dataclass(frozen=True)
class Summary:
    """What was sent: the figures of `produce.SendCounts` and `play.Ended`, and how many of `sent` are repetitions."""

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
    report: Callable[[Progress], None] = lambda _: None,
    kafka: Mapping[str, Any] | None = None,
    at_clock: Callable[[SiteClock], None] = lambda _: None,
    next_schedule: NextSchedule | None = None,
    punctual: bool = False,
) -> Summary:
    """Play `plan` until it ends or `stop` is set; return what was sent.

    `ledger` is a new directory for the truth. With `consumer_group`, sending waits while the workers of that group
    are more than `plan.max_lag` events behind; `kafka` are further settings for who asks how far. `at_clock` is
    called with the site's clock before anything is sent. `next_schedule` is played instead of the days of `plan`.
    `punctual`: what can be done before the first event is due is done before. Raises `NoBrokerError`,
    `UnknownDeviceError`, `UnfitSiteError`, `LedgerError`, and what kafka-python raises.
    """
    real = MachineTime()
    epoch = plan.epoch if plan.epoch is not None else real.now_ms() // 1000
    stopped = (stop or threading.Event()).is_set
    with ExitStack() as connections:
        producer = connections.enter_context(closing(make_producer(bootstrap, stop=stopped)))
        lag = ConsumerLag(bootstrap, consumer_group, _TOPICS, **(kafka or {})) if consumer_group else None
        if lag:
            connections.callback(lag.close)
        writer = LedgerWriter(ledger, meta=plan.described(site, epoch)) if ledger else None
        for topic in _TOPICS if punctual else ():
            producer.partitions_for(topic)  # so that the first message need not wait for that
        sender = EventSender(producer, writer, real, frame=plan.frame, backlog=Backlog() if lag else None)

        def set_clock(clock: SiteClock) -> None:
            if writer:
                writer.describe(clock=asdict(clock))
            at_clock(clock)

        player = ProgrammePlayer(
            plan,
            next_schedule or Programme(plan, site, epoch=epoch).next,
            sender,
            real,
            stop=stopped,
            report=report,
            committed=lag.committed if lag else None,
            at_clock=set_clock,
        )
        ended = player.play()
    # After an error the ledger stays open on purpose: its reader then knows that answers may be missing.
    if writer:
        writer.close()
    counts = sender.counts
    duplicates = max(0, counts.sent + counts.unknown + counts.lost - counts.events)
    return Summary(**asdict(counts), duplicates=duplicates, epoch=epoch, **asdict(ended))


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
        # This may interrupt a wait for the event that holds the event's lock: setting it right here would never return.
        threading.Thread(target=event.set, daemon=True).start()
        restore()

    for number in usual:
        signal.signal(number, stop)
    try:
        yield event
    finally:
        restore()
