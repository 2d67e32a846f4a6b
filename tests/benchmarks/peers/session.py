"""Runs all rounds: fills a broker once for each kind of message, then lets each contender count in turn."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.servers.kafka.server import KafkaServer
from simulators.scenario.day import Day
from streams.contract.events import Topic
from tests.benchmarks.peers import input as events_input
from tests.benchmarks.peers.contender import Contender, Measured, Place
from tests.benchmarks.peers.input import Feed
from tests.benchmarks.peers.judge import Run, differing
from tests.benchmarks.peers.process import ContenderFailed

_KEPT_FOR_EVER: Final = {"log.retention.ms": -1}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What is run: `events` for a share of 1, how many rounds, which kinds of messages; seconds for each run."""

    contenders: Sequence[Contender]
    events: int
    rounds: int
    frames: Sequence[int]
    patience: float
    folder: Path

    @property
    def runs(self) -> int:
        """The number of runs."""
        return len(self.contenders) * self.rounds * len(self.frames)


def play(options: Options, say: Say) -> Iterator[Run]:
    """Yield each run when it is over; `say` receives what is being done."""
    sizes = sorted({_size(contender, options) for contender in options.contenders})
    say(f"making up {sizes[-1]:,} events")
    days = events_input.persons(sizes[-1])
    for frame in options.frames:
        with _broker(options.folder / f"kafka-{frame}", say) as bootstrap:
            feeds = {size: _feed(options, bootstrap, events_input.first(days, size), frame, say) for size in sizes}
            for number in range(1, options.rounds + 1):
                for contender in _turns(options.contenders, number):
                    say(f"{contender.title}: round {number}, {frame} to a message")
                    place = Place(bootstrap, options.folder / f"{contender.name}-{frame}-{number}", options.patience)
                    yield _one(contender, place, feeds[_size(contender, options)], number)
                    shutil.rmtree(place.folder, ignore_errors=True)
                    events_input.delete_others(bootstrap, {feed.topic for feed in feeds.values()})


def _turns(contenders: Sequence[Contender], number: int) -> list[Contender]:
    """Let somebody else begin in each round."""
    first = (number - 1) % len(contenders)
    return [*contenders[first:], *contenders[:first]]


def _size(contender: Contender, options: Options) -> int:
    return round(options.events * contender.share)


@contextmanager
def _broker(folder: Path, say: Say) -> Iterator[str]:
    say("starting Kafka")
    kafka = KafkaServer(folder)
    kafka.heap = "1g"
    kafka.settings |= _KEPT_FOR_EVER
    kafka.start()
    try:
        kafka.wait_ready()
        yield kafka.bootstrap
    finally:
        kafka.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _feed(options: Options, bootstrap: str, days: list[Day], frame: int, say: Say) -> Feed:
    """Fill a topic; the one that gatepulse's worker reads has all events of a share of 1."""
    size = sum(map(len, days))
    topic = Topic.TURNSTILES.value if size == options.events else f"{Topic.TURNSTILES}.{size}"
    say(f"filling {topic}: {size:,} events, {frame} to a message")
    return events_input.fill(bootstrap, days, topic=topic, frame=frame)


def _one(contender: Contender, place: Place, feed: Feed, number: int) -> Run:
    try:
        measured = contender.start(place, feed)
    except ContenderFailed as error:
        return Run(contender.name, feed.frame, number, feed.events, error=str(error))
    return judged(contender.name, measured, feed, number)


def judged(name: str, measured: Measured, feed: Feed, number: int) -> Run:
    """Compare an answer with the truth, and reckon what it took."""
    answer = measured.answer
    return Run(
        contender=name,
        frame=feed.frame,
        round=number,
        events=answer.events,
        seconds=(answer.last_ms - answer.first_ms) / 1000,
        start_seconds=(answer.first_ms - measured.started_ms) / 1000,
        cpu_seconds=measured.use.between(answer.first_ms, answer.last_ms),
        peak_mb=measured.use.peak_mb,
        different=differing(answer.counts, feed.truth),
        windows=len(feed.truth),
    )
