"""The workers of a simulated site: operations act on them, and it restarts those that end."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast

from streams.contract.events import Topic
from streams.contract.parked import ParkedBatch, header
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.takeup import ACCEPTABLE
from streams.operations.losses import accept
from streams.operations.parked_rows import retry
from streams.worker.partition_state import TopicHandler
from tests.histories.around import Brokers, Notes
from tests.histories.clock import Process, VirtualTime
from tests.histories.plant import SOURCES, Plant, changelog
from tests.histories.settled import uncompared, unsettled
from tests.histories.store import StoreSink
from tests.histories.worker import SETTLE_SECONDS, Worker, handlers, put_clock

_QUIET_SECONDS: Final = 0.8
_LONGEST_SECONDS: Final = 90.0


class StandstillError(AssertionError):
    """Everything is well again, and something does not get on."""


@cache
def _trades(partitions: int) -> Mapping[str, TopicHandler[Any]]:
    return handlers(partitions)


class Stage:
    """Servers, and workers by name. `firsts`: where the partitions of the source topics begin."""

    def __init__(self, seed: str, *, workers: Sequence[str], firsts: Sequence[int], alarms: bool) -> None:
        self.plant = Plant(seed, _trades(len(firsts)), alarms=alarms)
        put_clock(VirtualTime(self.plant.loop), settle_seconds=SETTLE_SECONDS)
        self.ends: list[tuple[str, str]] = []
        self.accepted = 0
        broker = self.plant.broker
        for topic in SOURCES:
            broker.create(topic, firsts)
            broker.create(changelog(topic), [0] * len(firsts))
        broker.create(Topic.TOTALS, [0] * len(firsts))
        for name in (Topic.ALARM_INPUTS, changelog(Topic.ALARM_INPUTS), Topic.REJECTED, Topic.PARKED, Topic.ALARMS):
            broker.create(str(name), [0])
        self.copies: dict[str, Any] = {}
        self.workers: dict[str, Worker] = {}
        for name in workers:
            self._start(name)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.plant.loop.run_until(self.plant.loop.time() + seconds)

    # -- workers -------------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        worker = self.workers[name] = Worker(self.plant, name, on_end=self._ended)
        worker.start()

    def _ended(self, worker: Worker) -> None:
        """Start another one in its place, as supervisors do."""
        self.ends.append((worker.name, type(worker.why).__name__ if worker.why else "killed"))
        self.plant.loop.later(0.3 + self.plant.order.random(), self._start, worker.name)

    def on(self, name: str, what: Callable[[Worker], object]) -> None:
        """Do something to a worker that is alive."""
        worker = self.workers.get(name)
        if worker is not None and worker.alive:
            what(worker)

    def kill(self, name: str, steps: int) -> None:
        """Let a worker end after so many more steps."""
        self.on(name, lambda each: setattr(each, "steps_left", steps))

    def pause(self, name: str, seconds: float) -> None:
        """Stop a worker for a time."""

        def stop(each: Process) -> None:
            each.paused = True
            self.plant.loop.later(seconds, each.go_on)

        self.on(name, stop)

    # -- servers -------------------------------------------------------------------------------------------------------

    def compact(self) -> None:
        """Compact every topic of which the newest records are kept."""
        for name, topic in self.plant.broker.topics.items():
            if name in self.plant.broker.sources.values() or name in {Topic.ALARMS, Topic.PARKED}:
                for partition in topic.partitions:
                    partition.compact()

    def cure(self) -> None:
        """Let the store take everything, and bring back what was parked."""
        plant = self.plant
        plant.store.refuses.clear()
        operator = Process(plant.loop)
        operator.spawn(_bring_back(plant))

    def delete(self, topic: str, partition: int, records: int) -> None:
        """Delete so many of the first records of a partition, read or not."""
        partitions = self.plant.broker.topics[topic].partitions
        if partition < len(partitions):
            partitions[partition].delete_before(partitions[partition].begin + records)

    def make_anew(self, topic: str) -> None:
        """Delete a topic and create it again."""
        broker = self.plant.broker
        broker.create(topic, [0] * len(broker.topics[topic].partitions))
        for tp in [tp for tp in broker.committed if tp.topic == topic]:
            del broker.committed[tp]

    def add_partition(self, topic: str) -> None:
        """Give a topic one partition more."""
        broker = self.plant.broker
        broker.add_partitions(topic, len(broker.topics[topic].partitions) + 1)

    def lose_snapshots(self, topic: str) -> None:
        """Make the topic of a topic's snapshots anew, and empty, while no worker runs."""
        self._all_down()
        self.make_anew(changelog(topic))
        for tp in [tp for tp in self.plant.newest if tp.topic == changelog(topic)]:
            del self.plant.newest[tp]

    def forget_group(self) -> None:
        """Forget what the group has committed, while no worker runs."""
        self._all_down()
        self.plant.broker.committed.clear()

    def copy_store(self) -> None:
        """Copy what the store has."""
        self.copies["store"] = self.plant.store.copied()

    def restore_store(self) -> None:
        """Go back to the copy of the store, if there is one, while no worker runs."""
        if "store" in self.copies:
            self._all_down()
            self.plant.store_server.lives += 1
            self.plant.store.restore(self.copies["store"])
            self.plant.alarms_lost = True
            self.plant.stored_again()

    def shorten(self, topic: str, *, records: int, snapshots: int) -> None:
        """Let a source topic come back without its last records, and without its last snapshots; no worker runs."""
        self._all_down()
        topics = self.plant.broker.topics
        for number, partition in enumerate(topics[topic].partitions):
            if not self._is_cut_off(topic, number):
                partition.shorten(records)
        for partition in topics[changelog(topic)].partitions:
            partition.shorten(snapshots)
        for tp in [tp for tp in self.plant.newest if tp.topic == changelog(topic)]:
            del self.plant.newest[tp]
        self.plant.shortened()

    def _is_cut_off(self, topic: str, partition: int) -> bool:
        """Tell whether rows of a flush that was cut off are stored: nobody could tell them from those of other records.

        With their records gone as well they stay as they are, which is known to be imperfect.
        """
        tables, claims = self.plant.store.table, {}
        for row in tables("log_progress"):
            claims[row["log"]] = row["next_offset"]
        rows = [row for table in ("deliveries", "corrections", "rejections") for row in tables(table)]
        logs = [(PartitionId.parse(row["log"]), row) for row in rows]
        return any(
            (log.topic, log.partition) == (topic, partition) and row["offset"] >= claims.get(row["log"], 0)
            for log, row in logs
        )

    def _all_down(self) -> None:
        """Kill every worker; what they had under way is lost with the connections."""
        self.plant.broker_server.lives += 1
        self.plant.store_server.lives += 1
        for worker in self.workers.values():
            if worker.alive:
                worker.end()
                worker.died()

    # -- the end -------------------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """Heal everything, and wait until all is counted, stored, kept and committed. Raises StandstillError."""
        plant = self.plant
        for server in (plant.broker_server, plant.store_server):
            server.away_until, server.replies_to_lose, server.latency = 0.0, 0, 0.01
        for worker in self.workers.values():
            worker.steps_left = None
            worker.drop_next.clear()
            worker.go_on()
        self.cure()
        waited = 0.0
        while self._unfinished():
            if waited > _LONGEST_SECONDS:
                raise StandstillError(f"{self._unfinished()} after {waited:g} s; workers ended: {self.ends[-6:]}")
            self.run(_QUIET_SECONDS)
            waited += _QUIET_SECONDS
            self._accept()
            if self.plant.store.table("parked_batches"):
                self.cure()
        self.run(_QUIET_SECONDS)

    def _accept(self) -> None:
        """Let an operator accept every loss for which a partition is not read."""
        brokers, notes = cast("Any", Brokers(self.plant)), cast("Any", Notes(self.plant, "operator"))
        for each in notes.problems():
            if each.problem in ACCEPTABLE:
                self.accepted += 1
                place, now = (each.topic, each.partition), self.plant.now()
                accept(notes, brokers, place, actor="officer", reason="it happened", now=now)

    def current(self) -> dict[tuple[str, int], str]:
        """Return the logs in workers' hands by topic and partition."""
        return {
            (topic, log.name.partition): str(log.name)
            for worker in self.workers.values()
            if worker.alive
            for topic in SOURCES
            for log in worker.countings[topic].partitions
        }

    def _unfinished(self) -> str:
        """Say what is not done yet."""
        plant, current = self.plant, self.current()
        progress = {row["log"]: row["next_offset"] for row in plant.store.table("log_progress")}
        for (topic, number), end in plant.ends().items():
            name = current.get((topic, number), "")
            read = PartitionId.parse(name).incarnation == plant.broker.topics[topic].id if name else False
            if not read or progress.get(name) != end:
                problems = [each.problem.value for each in plant.store.problems.values()]
                return f"{topic} {number} {name} ends at {end}, stored is {progress.get(name)}, problems {problems}"
        if unsettled(plant) or uncompared(plant):
            return f"unsettled: {sorted(unsettled(plant))}"
        if any(not row["resolved"] for row in plant.store.table("parked_batches")):
            return "rows are parked"
        return ""

    def close(self) -> None:
        """End every process."""
        put_clock(time)
        self.plant.loop.close()


class _ParkedTopic:
    """The topic `parked` as the product's `retry` sees it."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        newest = {each.key: each.value for each in plant.broker.topics[Topic.PARKED].partitions[0].records}
        self._held = {key.decode(): value for key, value in newest.items() if key and value}

    def heads(self) -> list[ParkedBatch]:
        """List what is parked."""
        return [header(value) for value in self._held.values()]

    def values(self, names: set[str]) -> list[list[bytes]]:
        """Return the records of these batches."""
        return [[value for name, value in self._held.items() if name in names]]

    def forget(self, names: Sequence[str]) -> None:
        """Delete batches."""
        for name in names:
            self._plant.broker.append(Topic.PARKED, name.encode(), None)


async def _bring_back(plant: Plant) -> None:
    topic: Any = _ParkedTopic(plant)
    await retry(topic, StoreSink(plant.store, plant.store_server, plant.network), [], done=lambda _: None)
