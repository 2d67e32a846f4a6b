"""Random operations on a whole plant, for minutes or hours: `python -m tests.nightly.operations --minutes 60`.

Passages come in all the time, 1,000 a second and more, some of them again through any partition, between lines that
mean harm; meanwhile workers and servers are killed, and operators do what they should not. At the end every view must
say what the recorder has read, but for losses that were accepted aloud. A seed repeats the order of what is done.
"""

import argparse
import json
import random
import secrets
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from confluent_kafka import KafkaError as ProducerError
from confluent_kafka import KafkaException, Producer
from kafka.admin import NewPartitions
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from infra.servers.kafka.server import KafkaError
from streams.contract import topics
from streams.contract.events import Topic
from streams.kernels.counts.partition_log import PartitionId
from streams.logging import kafka_writes_into
from streams.sources.brokers import Brokers
from tests.faults.catalogue import Layout
from tests.faults.desk import TURNSTILES, Desk, NotSeenError
from tests.faults.plant import Plant
from tests.nightly.recorder import Recorder, figures

RATE: Final = 1_200  # passages a second
_TICK: Final = 0.05
_AGAIN: Final = 0.05  # of the passages come again, through any partition
_HOSTILE: Final = 0.01
_MOST_PARTITIONS: Final = 8
_QUIET_SECONDS: Final = 240.0
_RECOVERED_SECONDS: Final = 60.0
_GATES: Final = ("N1", "N2", "N3", "M1", "W1", "E1")
_CATEGORIES: Final = ("visitor", "exhibitor", "staff")
_HARM: Final = (
    b"\x00", b"{", b"[" * 5000, b"\xff\xfe", b'{"device":"H-1"}', b'{"device":"H-2","seq":9223372036854775807,"ts":-1}',
    b'{"device":"H-3","seq":1,"ts":1e400,"entrance":"N1","direction":"in","outcome":"passed","category":"visitor"}',
    b'{"device":"H-4","seq":1,"ts":1000,"entrance":"nowhere","direction":"in","outcome":"passed","category":"visitor"}',
)  # fmt: skip


@dataclass
class Sender:
    """Sends passages until it is closed; while it is held nothing is on its way."""

    bootstrap: str
    random: random.Random
    sent: int = 0
    partitions: int = 4
    _numbers: Counter[str] = field(default_factory=Counter)
    _lately: deque[bytes] = field(default_factory=lambda: deque(maxlen=20_000))
    _played: bool = False

    def __post_init__(self) -> None:
        """Begin to send."""
        self._over, self._go, self._held = threading.Event(), threading.Event(), threading.Event()
        self._go.set()
        self.renew()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)
        self._thread.start()

    def renew(self) -> None:
        """Forget what the producer knows of topics that were made anew."""
        self._producer = Producer(
            {
                "bootstrap.servers": self.bootstrap, "log_level": 0, "enable.idempotence": True, "linger.ms": 5,
                "topic.metadata.refresh.interval.ms": 1000, "message.timeout.ms": 600_000,
            }
        )  # fmt: skip

    def close(self) -> None:
        """Send no more, and wait until the broker has everything."""
        self._over.set()
        self._go.set()
        self._thread.join()
        assert self._played, "the sender has failed"
        assert self._producer.flush(60) == 0

    @contextmanager
    def held(self) -> Iterator[None]:
        """Send nothing for the time of a block, which begins when the broker has everything."""
        self._go.clear()
        self._held.wait(60)
        assert self._producer.flush(60) == 0
        try:
            yield
        finally:
            self._held.clear()
            self._go.set()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            if not self._go.is_set():
                self._held.set()
                self._go.wait()  # what was due meanwhile is sent then: the rate is that of the whole run
            due += _TICK
            for _ in range(round(RATE * _TICK)):
                self._send_one()
            self._producer.poll(0)
            time.sleep(max(0.0, due - time.monotonic()))
        self._played = True

    def _send_one(self) -> None:
        gate = self.random.choice(_GATES)
        device = f"G-{gate}-{self.random.randrange(8)}"
        self._numbers[device] += 1
        line = json.dumps(
            {
                "device": device, "seq": self._numbers[device], "ts": int(time.time() * 1000), "entrance": gate,
                "direction": "in" if self.random.random() < 0.6 else "out", "outcome": "passed",
                "category": self.random.choice(_CATEGORIES),
            }
        ).encode()  # fmt: skip
        self._lately.append(line)
        self._produce(line, key=gate.encode())
        self.sent += 1
        if self.random.random() < _AGAIN:
            self._produce(self.random.choice(self._lately), partition=self.random.randrange(self.partitions))
        if self.random.random() < _HOSTILE:
            self._produce(self.random.choice(_HARM), key=gate.encode())

    def _produce(self, value: bytes, **where: Any) -> None:
        while True:
            try:
                self._producer.produce(TURNSTILES, value=value, **where)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                if error.args[0].code() != ProducerError._UNKNOWN_PARTITION:  # it was added a moment ago
                    raise
                self._producer.poll(0.1)
            else:
                return


class Operations:
    """What is done, one after the other, in an order that a seed decides."""

    def __init__(self, desk: Desk, sender: Sender, recorder: Recorder, chance: random.Random) -> None:
        self.desk, self.sender, self.recorder, self.random = desk, sender, recorder, chance
        self.done: Counter[str] = Counter()
        self.all: list[tuple[int, Callable[[], None]]] = [
            (6, self.kill_worker), (2, self.stop_worker), (2, self.second_worker), (2, self.kill_store),
            (1, self.kill_broker), (1, self.add_partitions), (1, self.topic_anew), (1, self.delete_unread),
            (1, self.delete_alarm_inputs), (1, self.lose_snapshots), (1, self.restore_store),
        ]  # fmt: skip

    def one(self) -> str:
        """Do one operation; return its name."""
        (do,) = self.random.choices([do for _, do in self.all], [weight for weight, _ in self.all])
        name: str = do.__name__
        do()
        self.done[name] += 1
        return name

    def kill_worker(self) -> None:
        """`kill -9` a worker; it comes back by itself."""
        worker = self.random.choice(self.desk.plant.workers)
        with suppress(Exception):  # it may be about to end by itself
            worker.kill()

    def stop_worker(self) -> None:
        """Stop a worker in good order for some seconds."""
        worker = self.random.choice(self.desk.plant.workers)
        worker.stop(30.0)
        time.sleep(self.random.random() * 3)
        worker.start()

    def second_worker(self) -> None:
        """Add a worker, or take it away."""
        plant = self.desk.plant
        if len(plant.workers) == 1:
            plant.add_worker()
        else:
            plant.workers.pop().stop(30.0)

    def kill_store(self) -> None:
        """`kill -9` the store; it comes back after some seconds."""
        store = self.desk.plant.store
        store.kill()
        time.sleep(self.random.random() * 5)
        store.start()

    def kill_broker(self) -> None:
        """`kill -9` the broker; it comes back after some seconds."""
        broker = self.desk.plant.broker
        broker.kill()
        time.sleep(self.random.random() * 5)
        try:
            broker.start()
        except KafkaError:  # on a busy machine it may be asked before it is ready, and never gets so
            broker.kill()
            broker.start()

    def add_partitions(self) -> None:
        """Give the topic two partitions more."""
        now = len(self.desk.bounds(TURNSTILES))
        if now < _MOST_PARTITIONS:
            admin = self.desk.admin()
            admin.create_partitions({TURNSTILES: NewPartitions(now + 2)})
            admin.close()
            self.sender.partitions = now + 2

    def topic_anew(self) -> None:
        """Delete the topic and make it anew; what was not read is lost, and must be named."""
        with self.sender.held():
            self.desk.until(self.recorder.caught_up, "the recorder")
            self.quiet()
            self.desk.delete_topics([TURNSTILES])
            topics.apply(self.desk.kafka)
            self.sender.partitions = 4
            self.sender.renew()
            self.desk.until(self.recorder.caught_up, "the recorder at the new topic")

    def delete_unread(self) -> None:
        """Delete what a partition has not been read of while all workers are away."""
        workers = [*self.desk.plant.workers]
        for worker in workers:
            worker.stop(30.0)
        time.sleep(2 + self.random.random() * 2)
        with self.sender.held():
            self.desk.until(self.recorder.caught_up, "the recorder")
            bounds = self.desk.bounds(TURNSTILES)
            number = self.random.choice(sorted(bounds))
            self.desk.delete_records(TURNSTILES, {number: bounds[number][1]})
        for worker in workers:
            worker.start()

    def delete_alarm_inputs(self) -> None:
        """Delete all records of the alarms' topic."""
        inputs = Topic.ALARM_INPUTS.value
        self.desk.delete_records(inputs, {0: self.desk.bounds(inputs)[0][1]})

    def lose_snapshots(self) -> None:
        """Delete the topics of the snapshots while no worker runs."""
        workers = [*self.desk.plant.workers]
        for worker in workers:
            worker.stop(30.0)
        self.desk.delete_snapshots()
        for worker in workers:
            worker.start()

    def restore_store(self) -> None:
        """Copy the store, let some seconds pass, and bring the copy back; workers are stopped meanwhile."""
        plant = self.desk.plant
        folder, copy, workers = plant.path / "clickhouse", plant.path / "older", [*plant.workers]
        for seconds in (4.0, 0.0):
            for worker in workers:
                worker.stop(30.0)
            plant.store.stop()
            if seconds:
                shutil.copytree(folder, copy, symlinks=True)
            else:
                shutil.rmtree(folder)
                copy.rename(folder)
            plant.store.start()
            for worker in workers:
                worker.start()
            time.sleep(seconds + 4 * self.random.random())

    # -- what an operator does all the time ----------------------------------------------------------------------------

    def accept_losses(self) -> None:
        """Accept what stands in the way, as `gatepulse logs show` advises."""
        for topic, partition, problem in sorted(self.desk.problems()):
            if problem in ("records-deleted", "state-lost", "log-replaced", "offset-gap"):
                self.desk.follow(self.desk.advice(topic, partition), actor="duty", reason=f"an exercise: {problem}")

    def quiet(self) -> None:
        """Wait until everything is counted and settled."""

        def settled() -> bool:
            with suppress(Exception):
                self.accept_losses()
            return not self.desk.problems() and self._lag() == 0 and self._unsettled() == 0

        self.desk.until(settled, "a plant that has caught up", _QUIET_SECONDS)

    def _lag(self) -> int:
        (row,) = self.desk.ask(
            "SELECT sum(if(p.log = '', s.log_end - s.log_begin, greatest(s.log_end, p.next_offset) - p.next_offset))"
            " FROM gatepulse.source_partitions AS s LEFT JOIN gatepulse.progress AS p ON p.log = s.log"
            " WHERE s.present = 1 AND s.topic = %(topic)s",
            {"topic": TURNSTILES},
        )
        ends = sum(end for _, end in self.desk.bounds(TURNSTILES).values())
        (known,) = self.desk.ask(
            "SELECT sum(log_end) FROM gatepulse.source_partitions WHERE present = 1 AND topic = %(topic)s",
            {"topic": TURNSTILES},
        )
        return int(row[0]) + abs(ends - int(known[0]))

    def _unsettled(self) -> int:
        ((number,),) = self.desk.ask("SELECT count() FROM gatepulse.unsettled")
        return int(number)


def differences(desk: Desk, recorder: Recorder) -> dict[str, list[Any]]:
    """Compare the views with what the recorder has read; return what differs, by view."""
    lost = [
        (PartitionId.parse(log).incarnation, partition, first, after)
        for log, partition, first, after in desk.ask(
            "SELECT log, partition, first, after FROM gatepulse.losses WHERE records > 0"
        )
    ]
    truth = recorder.truth(lost)
    counted = {
        tuple(row) for row in desk.ask("SELECT device, epoch, seq FROM gatepulse.passages WHERE device LIKE 'G-%%'")
    }
    expected = figures(truth.values(), desk.plant.site.time_zone)
    cell = "entrance, direction, category"
    views: dict[str, Counter[Any]] = {
        "days": Counter(
            {
                (day, *rest): n
                for day, *rest, n in desk.ask(f"SELECT day, {cell}, passages FROM gatepulse.entrance_totals")
            }
        ),
        "minutes": Counter(
            {
                (start, *rest): n
                for start, *rest, n in desk.ask(
                    f"SELECT intDiv(toUnixTimestamp(window_start), 60), {cell}, passages"
                    " FROM gatepulse.entrance_counts_1m"
                )
            }
        ),
        "inside": Counter(
            {"all": sum(n for (n,) in desk.ask("SELECT inside FROM gatepulse.occupancy WHERE kind = 'person'"))}
        ),
    }
    found: dict[str, list[Any]] = {
        "lost": sorted(truth.keys() - counted),
        "phantom": sorted(counted - truth.keys()),
    }
    for name, seen in views.items():
        found[name] = [
            (key, expected[name][key], seen[key])
            for key in sorted(expected[name].keys() | seen.keys(), key=str)
            if expected[name][key] != seen[key]
        ]
    return {name: each for name, each in found.items() if each}


def run(minutes: float, seed: int, place: Path, console: Console) -> bool:
    """Run for so many minutes; return whether everything was equal in the end."""
    chance = random.Random(seed)  # noqa: S311  # an order, not a secret
    layout = Layout(wall=True)
    with kafka_writes_into(place / "logs" / "harness.log"), Plant(layout, place) as plant:
        desk = Desk(plant)
        desk.until(lambda: len(desk.ask("SELECT log FROM gatepulse.progress")) >= 13, "every partition read")
        recorder = Recorder(Brokers(desk.kafka), TURNSTILES)
        sender = Sender(plant.bootstrap, random.Random(chance.random()))  # noqa: S311
        operations = Operations(desk, sender, recorder, chance)
        begun = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("random operations", total=minutes * 60)
            while (spent := time.monotonic() - begun) < minutes * 60:
                bar.update(task, completed=spent)
                time.sleep(chance.random() * 8)
                name = operations.one()
                console.print(f"{time.monotonic() - begun:6.0f} s  {name}")
                with suppress(Exception):
                    operations.accept_losses()
        sender.close()
        seconds = time.monotonic() - begun
        desk.until(recorder.caught_up, "the recorder")
        operations.quiet()
        with suppress(NotSeenError):
            desk.until(lambda: not differences(desk, recorder), "what the recorder has read", _RECOVERED_SECONDS)
        wrong = differences(desk, recorder)
        ((losses, records),) = desk.ask("SELECT count(), sum(records) FROM gatepulse.losses")
        recorder.close()
        ends = Counter(end.why[:60] for worker in plant.workers for end in worker.ends if not end.ours)
    console.print(f"{sender.sent} passages in {seconds:.0f} s ({sender.sent / seconds:.0f}/s); {dict(operations.done)}")
    console.print(f"losses accepted aloud: {losses}, {records} records; ends by themselves: {dict(ends)}")
    for name, each in wrong.items():
        console.print(f"{name}: {len(each)} differ, first {each[:5]}")
    console.print("EQUAL but for these losses" if not wrong else "DIFFERENT", style="bold")
    return not wrong


def main() -> None:
    """Run the command; exit code 0 only if everything was equal."""
    parser = argparse.ArgumentParser("python -m tests.nightly.operations", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    options = parser.parse_args()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"seed {options.seed}")
    place = Path(tempfile.mkdtemp(prefix="gatepulse-operations-"))
    equal = run(options.minutes, options.seed, place, console)
    if equal:
        shutil.rmtree(place, ignore_errors=True)
    else:
        console.print(f"files in {place}")
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
