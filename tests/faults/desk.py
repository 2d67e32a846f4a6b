"""Helper for tests of operations: sends single passages, queries the views, and changes topics.

For tests of what operators and brokers do. The truth is the numbers that a test itself has sent.
"""

import json
import shlex
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Producer
from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from streams.contract import topics
from streams.contract.events import Topic
from streams.settings import KafkaSettings
from streams.sources.brokers import Brokers
from tests.faults.catalogue import Layout
from tests.faults.plant import GROUP, PARTITIONS, Plant

TURNSTILES: Final = Topic.TURNSTILES.value
_POLL_SECONDS: Final = 0.2


class NotSeenError(AssertionError):
    """What should have been seen was not, within its time."""


class Desk:
    """One operator; `device` is a new one for each test, so that tests share a plant."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.kafka = KafkaSettings(brokers=plant.bootstrap, group=GROUP, partitions=PARTITIONS)
        self._producer = self._connected()

    def _connected(self) -> Producer:
        return Producer(
            {"bootstrap.servers": self.plant.bootstrap, "log_level": 0, "topic.metadata.refresh.interval.ms": 1000}
        )

    # -- what is sent --------------------------------------------------------------------------------------------------

    def send(
        self,
        device: str,
        numbers: Sequence[int],
        *,
        entrance: str = "N1",
        partition: int | None = None,
        producer: Producer | None = None,
        **more: Any,
    ) -> None:
        """Send passages inward with these numbers, and wait until the broker has them."""
        errors: list[str] = []
        sender = producer or self._producer
        for number in numbers:
            event = {
                "device": device, "seq": number, "ts": int(time.time() * 1000), "entrance": entrance, "direction": "in",
                "outcome": "passed", "category": "visitor", **more,
            }  # fmt: skip
            where: dict[str, Any] = {} if partition is None else {"partition": partition}
            sender.produce(
                TURNSTILES, value=json.dumps(event).encode(), key=entrance.encode(),
                on_delivery=lambda error, _: errors.append(str(error)) if error else None, **where,
            )  # fmt: skip
        sender.flush(30)
        assert not errors

    def renew(self) -> None:
        """Forget what the producer knows of topics that were made anew."""
        self._producer = self._connected()

    # -- what is seen --------------------------------------------------------------------------------------------------

    def ask(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Ask the store as the reader."""
        reader = self.plant.reader()
        try:
            return reader.query(sql, params)
        finally:
            reader.close()

    def total(self, entrance: str) -> int:
        """Return how many have come in at an entrance."""
        ((total,),) = self.ask(
            "SELECT sum(passages) FROM gatepulse.entrance_totals WHERE entrance = %(entrance)s", {"entrance": entrance}
        )
        return int(total)

    def until(self, seen: Callable[[], object], what: str, seconds: float = 60.0) -> float:
        """Wait until something is seen; return how many seconds it took. Raises NotSeenError."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            with suppress(Exception):  # servers may be away
                if seen():
                    return time.monotonic() - begun
            time.sleep(_POLL_SECONDS)
        raise NotSeenError(f"{what}: not within {seconds:g} s")

    def until_total(self, entrance: str, wanted: int, seconds: float = 60.0) -> None:
        """Wait until an entrance has so many, and see that it stays so."""
        self.until(
            lambda: self.total(entrance) == wanted, f"{wanted} at {entrance}, {self.total(entrance)} seen", seconds
        )
        time.sleep(1.5)
        assert self.total(entrance) == wanted

    def problems(self) -> set[tuple[str, int, str]]:
        """Return what stands in the way of sources: topic, partition, what."""
        rows = self.ask("SELECT topic, partition, problem FROM gatepulse.source_problems")
        return {(topic, partition, problem) for topic, partition, problem in rows}

    def readers(self, topic: str) -> set[str]:
        """Return the workers that read a topic's present partitions."""
        sql = (
            "SELECT DISTINCT p.worker FROM gatepulse.progress AS p INNER JOIN gatepulse.source_partitions AS s"
            " ON s.log = p.log WHERE s.topic = %(topic)s AND s.present = 1"
        )
        return {worker for (worker,) in self.ask(sql, {"topic": topic})}

    def alarms(self, rule: str) -> set[str]:
        """Return the subjects of the open alarms of a rule."""
        sql = "SELECT subject FROM gatepulse.alarm_episodes WHERE rule = %(rule)s AND cleared_at IS NULL"
        return {subject for (subject,) in self.ask(sql, {"rule": rule})}

    def wall(self) -> dict[str, Any]:
        """Return what the wall shows now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.plant.wall_port}/snapshot.json", timeout=5) as answer:
            snapshot: dict[str, Any] = json.load(answer)["beat"]["snapshot"]
        return snapshot

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of gatepulse with the worker's settings, whatever comes of it."""
        try:
            said = self.plant.command(*words)
        except subprocess.CalledProcessError as error:
            return subprocess.CompletedProcess(words, error.returncode, error.stdout, error.stderr)
        return subprocess.CompletedProcess(words, 0, said, "")

    def follow(self, advice: str, **values: str) -> None:
        """Do what a sentence advises: run the command in it, with NAME and TEXT replaced."""
        command = advice.split("`")[1].replace("NAME", values["actor"]).replace("TEXT", shlex.quote(values["reason"]))
        done = self.command(*shlex.split(command.removeprefix("gatepulse ")))
        assert done.returncode == 0, (command, done.stdout, done.stderr)

    def advice(self, topic: str, partition: int) -> str:
        """Return what `gatepulse logs show` says of a partition."""
        said = self.command("logs", "show")
        assert said.returncode == 1
        (line,) = [each for each in said.stderr.splitlines() if each.startswith((f"{topic} {partition}:", f"{topic}:"))]
        return line

    # -- what is done --------------------------------------------------------------------------------------------------

    def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        """Return by partition the first offset and the one behind the last."""
        brokers = Brokers(self.kafka)
        state = brokers.topic_states([topic])[topic]
        brokers.close()
        return {number: (state.begin[number], end) for number, end in state.end.items()}

    def admin(self) -> Any:  # kafka-python has no types
        """Return a new administrator's client."""
        return KafkaAdminClient(bootstrap_servers=self.plant.bootstrap)

    def delete_records(self, topic: str, before: Mapping[int, int]) -> None:
        """Delete the records before some offsets, as retention would."""
        admin = self.admin()
        admin.delete_records({TopicPartition(topic, number): offset for number, offset in before.items()})
        admin.close()

    def delete_topics(self, names: Sequence[str]) -> None:
        """Delete topics, and wait until they are gone."""
        admin = self.admin()
        admin.delete_topics(list(names))
        self.until(lambda: not topics.describe(admin, list(names)), f"end of {names}")
        admin.close()

    def create_topic(self, name: str, *, partitions: int) -> None:
        """Create a topic with so many partitions, as somebody does by hand."""
        admin = self.admin()
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs={"message.timestamp.type": "LogAppendTime"})])
        admin.close()

    def topics(self) -> set[str]:
        """Return the names of the topics that there are."""
        admin = self.admin()
        names = set(admin.list_topics())
        admin.close()
        return names

    def delete_snapshots(self) -> None:
        """Delete the topics of the snapshots, and make them anew."""
        self.delete_topics([plan.name for plan in topics.plans(self.kafka) if plan.name.endswith("-changelog")])
        topics.apply(self.kafka)

    def delete_group(self) -> None:
        """Delete what the group has committed; the broker allows it when its last session is over."""
        admin = self.admin()

        def gone() -> bool:
            with suppress(KafkaError):
                admin.delete_groups([GROUP])
            return GROUP not in {each["group_id"] for each in admin.list_groups()}

        self.until(gone, "end of the group")
        admin.close()

    def configure(self, topic: str, **config: str) -> None:
        """Change how a topic is set."""
        admin = self.admin()
        named = {key.replace("_", "."): value for key, value in config.items()}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, named)])
        admin.close()


@contextmanager
def desk_of(layout: Layout, path: Path) -> Iterator[Desk]:
    """Run a plant for the time of a block, which begins when every partition is read."""
    with Plant(layout, path) as plant:
        desk = Desk(plant)
        desk.until(lambda: len(desk.ask("SELECT log FROM gatepulse.progress")) >= 13, "every partition read")
        yield desk


WITH_WALL: Final = Layout(
    wall=True,
    settings={"KAFKA__CREATE_TOPICS": "true"},
    broker_settings={"transaction.state.log.min.isr": "1", "log.cleaner.enable": "false"},
)
"""A plant with a wall, whose workers make topics and whose broker keeps what it is asked to compact."""
