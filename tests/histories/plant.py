"""The simulated servers, which outlive the workers: broker, store, network, and the truth about each log.

Whatever reaches a server is held against the truth at once: committed ≤ snapshot ≤ stored, and no figure claims to be
complete that is not.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter
from types import SimpleNamespace
from typing import Any, Final

from faust.types import TP

from sinks.rows import PROGRESS_TABLE, TableRows
from sinks.sink import as_list
from streams.contract.events import KIND_OF_TOPIC, Topic
from streams.kernels.counts.partition_log import PartitionId
from streams.worker.partition_state import TopicHandler
from streams.worker.snapshot_records import unpack
from tests.histories.broker import Broker, Partition
from tests.histories.clock import EPOCH_MS, VirtualLoop, drawing
from tests.histories.network import Network, Server, ViolationError
from tests.histories.store import Store
from tests.histories.truth import Line, Truth

SOURCES: Final = (Topic.TURNSTILES.value, Topic.VEHICLES.value, Topic.CORRECTIONS.value)
CLUSTER: Final = "c"
_SNAPSHOTS: Final = ".snapshots-changelog"
_PASSED_OVER: Final = frozenset({"records-deleted", "offset-gap"})


_next_offset = itemgetter("next_offset")
parsed = lru_cache(1000)(PartitionId.parse)
"""Names of logs by how they are written."""


def changelog(topic: str) -> str:
    """Name the topic in which the snapshots of a topic's logs are kept."""
    return f"g-{topic}{_SNAPSHOTS}"


@dataclass
class Tape:
    """Every record that one partition of one incarnation of a topic has ever had, whatever became of it."""

    records: list[tuple[int, int, tuple[Line, ...]]] = field(default_factory=list)  # offset, time (ms), lines
    former: list[list[tuple[int, int, tuple[Line, ...]]]] = field(
        default_factory=list
    )  # before the broker was shortened


class Plant:
    """One site's servers and what is true about it."""

    def __init__(self, seed: str, handlers: Mapping[str, TopicHandler[Any]], *, alarms: bool) -> None:
        self.seed, self.handlers = seed, handlers
        self.loop = VirtualLoop(drawing(f"{seed}/order"))  # type: ignore[abstract]  # without what has input and output
        self.order = drawing(f"{seed}/network")
        self.network = Network(self.loop, self.order)
        self.broker_server, self.store_server = Server(patient=True), Server(patient=False)
        self.broker = Broker(self.now, drawing(f"{seed}/group"))
        counted = (*SOURCES, Topic.ALARM_INPUTS.value) if alarms else SOURCES
        self.broker.sources = {topic: changelog(topic) for topic in counted}
        self.store = Store(self._inserted)
        self.alarms_lost = False  # with a store that came back from a copy: nobody judges again
        self.skews: dict[str, int] = {}
        self.disks: dict[str, object] = {}  # of workers, by their names
        self.tapes: dict[tuple[str, str, int], Tape] = defaultdict(Tape)  # by topic, incarnation and partition
        self.stored: dict[str, set[tuple[int, int]]] = defaultdict(set)  # by log: offset and line of each raw row
        self.excused: set[str] = set()  # logs with rows that the store has refused for ever, now or before
        self.newest: dict[TP, Mapping[str, Any]] = {}  # of the snapshots that were ever kept, whole or not
        self._truths: dict[tuple[str, tuple[tuple[int, int], ...]], Truth] = {}

    def now(self) -> int:
        """Tell the broker's time in ms."""
        return EPOCH_MS + int(self.loop.time() * 1000)

    # -- what is true --------------------------------------------------------------------------------------------------

    def tape_of(self, log: PartitionId) -> Tape:
        """Return the tape that a log is read from."""
        return self.tapes[log.topic, log.incarnation, log.partition]

    def is_whole(self, log: PartitionId) -> bool:
        """Tell whether a log of a source topic can have been counted from its own topic only.

        A topic that is made anew has the same name: for a moment its records may be counted into the log before.
        """
        return log.topic in SOURCES and log.incarnation == self.broker.topics[log.topic].id

    def shortened(self) -> None:
        """Let tapes end where the broker's logs end now; what was on them was counted all the same."""
        for (topic, incarnation, number), tape in self.tapes.items():
            found = self.broker.topics[topic]
            if found.id != incarnation or number >= len(found.partitions):
                continue
            end = found.partitions[number].end
            if tape.records and tape.records[-1][0] >= end:
                tape.former.append(tape.records)
                tape.records = [each for each in tape.records if each[0] < end]
        self._truths.clear()

    def truth(self, name: str, *, lost: int | None = None) -> Truth:
        """Return the truth about a log by now; `lost`: how many records it has passed over, if not as stored."""
        log = parsed(name)
        if lost is None:
            lost = sum(row["lost"] for row in self.store.table("log_progress") if row["log"] == name)
        passed = tuple(
            sorted(
                (each.first, each.after)
                for each in self.store.losses.values()
                if lost and each.log == name and each.problem in _PASSED_OVER
            )
        )
        truth = self._truths.get((name, passed))
        if truth is None:
            truth = self._truths[name, passed] = Truth(KIND_OF_TOPIC.get(log.topic, ""), log.first, passed)
        truth.read(self.tape_of(log).records)
        return truth

    # -- the broker ----------------------------------------------------------------------------------------------------

    def log_of(self, tp: TP) -> Partition:
        """Return a partition that must be there."""
        found = self.broker.partition(tp)
        if found is None:
            raise KeyError(tp)
        return found

    def ends(self) -> dict[tuple[str, int], int]:
        """Tell where the source topics' logs end."""
        topics = [self.broker.topics[name] for name in SOURCES]
        return {(topic.name, number): each.end for topic in topics for number, each in enumerate(topic.partitions)}

    def send(self, topic: str, partition: int, lines: Sequence[Line]) -> None:
        """Append a record of events, if the partition is there, and put it on tape."""
        found = self.broker.topics[topic]
        if partition < len(found.partitions):
            offset = self.broker.append(topic, b"k", b"\n".join(each.raw for each in lines), partition)
            self.tapes[topic, found.id, partition].records.append((offset, self.now(), tuple(lines)))

    def produced(self, topic: str, key: bytes | None, value: bytes | None, partition: int | None) -> SimpleNamespace:
        """Append a worker's record; return where it is, as Kafka does."""
        if topic.endswith(_SNAPSHOTS) and value is not None:
            plain = unpack(value, changes=b"/" in (key or b""))
            self._check_stored(plain["log"], plain["next"], "a snapshot", lost=plain["lost"])
            kept = TP(topic, partition or 0)
            self.newest[kept] = max(plain, self.newest.get(kept, plain), key=lambda each: (each["era"], each["next"]))
        return SimpleNamespace(offset=self.broker.append(topic, key, value, partition))

    def commit(self, name: str, generation: int, offsets: Mapping[TP, int]) -> None:
        """Commit a worker's offsets."""
        for tp in self.broker.commit(name, generation, offsets):
            kept = self.newest.get(TP(changelog(tp.topic), tp.partition))
            if kept is None:
                continue  # they were lost
            if kept["era"]:
                continue  # it may be an offset of the log before, under way since then; nothing is taken up at it
            if offsets[tp] > kept["next"]:
                raise ViolationError(f"{tp}: {offsets[tp]} is committed, and the newest snapshot is of {kept['next']}")
            self._check_stored(kept["log"], min(offsets[tp], kept["next"]), "a commit", lost=kept["lost"])

    def stored_again(self) -> None:
        """Look anew at which passages are stored: the store has come back from a copy."""
        self.stored.clear()
        for row in self.store.table("deliveries"):
            self.stored[row["log"]].add((row["offset"], row["line"]))

    # -- the store -----------------------------------------------------------------------------------------------------

    def _inserted(self, block: TableRows) -> None:
        columns = {name: as_list(column) for name, column in block.columns.items()}
        if block.table == "deliveries":
            for log, offset, line in zip(columns["log"], columns["offset"], columns["line"], strict=True):
                self.stored[log].add((offset, line))
        if block.table == "parked_batches":
            self.excused.update(columns["log"])
        if block.table == PROGRESS_TABLE:
            rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            newest = {(row["topic"], row["partition"]): row["next_offset"] for row in sorted(rows, key=_next_offset)}
            copies: dict[tuple[str, int], int] = defaultdict(int)
            for row in rows:
                place = (row["topic"], row["partition"])
                copies[place] = max(copies[place], parsed(row["log"]).copy)
            for row in rows:
                if parsed(row["log"]).copy < copies[row["topic"], row["partition"]]:
                    continue  # of records that the broker does not have any more
                # A log that has ended says how complete the one is that goes on in its place.
                self._check_claim(row, goes_on=row["next_offset"] == newest[row["topic"], row["partition"]])

    def _check_claim(self, row: Mapping[str, Any], *, goes_on: bool) -> None:
        known = sum(row[name] for name in ("counted", "duplicate", "late", "rejected"))
        if row["received"] != known:
            raise ViolationError(f"{row['log']}: received {row['received']}, and {known} of them became something")
        if not self.is_whole(parsed(row["log"])):
            return
        self._check_stored(row["log"], row["next_offset"], "a claim", lost=row["lost"])
        records = self.tape_of(parsed(row["log"])).records
        lacking = [at for offset, at, _ in records if offset >= row["next_offset"] and at < row["complete_to"]]
        if lacking and goes_on and not self.skews:
            raise ViolationError(
                f"{row['log']}: complete to {row['complete_to']} with next offset {row['next_offset']}, and a record "
                f"behind it arrived at {lacking[0]}"
            )

    def _check_stored(self, name: str, offset: int, what: str, *, lost: int) -> None:
        """Raise ViolationError unless all passages of a log below an offset are stored."""
        log = parsed(name)
        if log.topic not in KIND_OF_TOPIC or name in self.excused or not self.is_whole(log):
            return
        wanted = {(each.offset, each.line) for each, _ in self.truth(name, lost=lost).counted() if each.offset < offset}
        lacking = wanted - self.stored[name]
        if lacking:
            raise ViolationError(f"{name}: {what} of offset {offset}, and passages at {min(lacking)} are not stored")
