"""Reads and writes the tables about source topics: partitions, readers, problems and losses (`013_sources.sql`).

Small facts about the present, written seldom and by any worker; the store's clock says which is the newest.
"""

import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from sinks.clickhouse import ClickHouseReader, StoreAddress, connect
from sinks.failures import failure
from sinks.rows import TABLES
from sinks.sink import StoreReader
from streams.contract.events import KIND_OF_TOPIC
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.takeup import AcceptedLoss, Problem
from streams.sources.brokers import PartitionKey

Row = Mapping[str, Any]
"""A row of a table of the store, by column."""

_SECONDS: Final = 5.0
_PROGRESS: Final = TABLES["log_progress"].columns

_LIVE: Final = (
    "SELECT log, cluster, next_offset, received, toUnixTimestamp64Milli(complete_to) FROM gatepulse.progress "
    "WHERE topic != 'alarm.inputs'"
)
_OVERVIEW: Final = """
SELECT
    s.topic, s.partition, s.incarnation, s.log, s.worker, s.log_begin, p.next_offset, s.log_end, p.received, p.lost,
    if(p.log = '', NULL, round(dateDiff('millisecond', p.complete_to, now64(3)) / 1000, 1))
FROM gatepulse.source_partitions AS s
LEFT JOIN gatepulse.progress AS p ON p.log = s.log
WHERE s.cluster = %(cluster)s AND s.present = 1
ORDER BY s.topic, s.partition
"""
# Offsets refer to a log without its "+first". What a log passed over it did not count: a gap never has a record.
_BASE: Final = "replaceRegexpOne({log}, '@?[+][0-9]+(~[0-9]+)?$', '\\\\1')"
_RECOVER: Final = f"""
INSERT INTO gatepulse_store.losses
SELECT l.* REPLACE (l.records + l.recovered - c.counted AS records, c.counted AS recovered)
FROM (SELECT * FROM gatepulse_store.losses FINAL WHERE records > 0) AS l
INNER JOIN
(
    SELECT
        lost.id AS id,
        least(
            any(lost.records + lost.recovered),
            max(toUInt64(greatest(
                toInt64(least(p.next_offset, lost.after)) - toInt64(greatest(p.first_offset, lost.first))
                    - toInt64(p.lost),
                0
            )))
        ) AS counted
    FROM (SELECT * FROM gatepulse_store.losses FINAL WHERE records > 0 AND problem != 'offset-gap') AS lost
    INNER JOIN (SELECT * FROM gatepulse_store.log_progress FINAL) AS p
        ON p.topic = lost.topic AND p.partition = lost.partition
        AND {_BASE.format(log="p.log")} = {_BASE.format(log="lost.log")}
    GROUP BY lost.id
) AS c ON c.id = l.id
WHERE c.counted > l.recovered
"""  # noqa: S608  # our names


@dataclass(frozen=True)
class StoredProgress:
    """How far a partition was stored at the moment of the query; `complete_to` in real milliseconds UTC."""

    name: str
    cluster: str
    next_offset: int
    received: int
    complete_to: int


def live_progress(reader: StoreReader) -> list[StoredProgress]:
    """Return the partitions of the live cluster, the one that was stored last; those of older ones never move again."""
    partitions = [StoredProgress(*row) for row in reader.query(_LIVE)]
    newest = max(partitions, key=lambda one: one.complete_to, default=None)
    return [one for one in partitions if newest is not None and one.cluster == newest.cluster]


@dataclass(frozen=True, slots=True)
class StoredPartition:
    """A partition of a topic as the brokers had it; `since` (ms): when this incarnation was first seen."""

    topic: str
    partition: int
    incarnation: str
    begin: int
    end: int
    present: bool
    since: int


@dataclass(frozen=True, slots=True)
class StoredProblem:
    """What stands in the way of a partition, or with partition -1 of a whole topic; `since` in ms."""

    topic: str
    partition: int
    problem: Problem
    log: str
    first: int
    after: int
    since: int

    @property
    def key(self) -> "ProblemKey":
        """Name the problem, as long as it lasts."""
        return self.topic, self.partition, self.problem


ProblemKey = tuple[str, int, Problem]


@dataclass(frozen=True, slots=True)
class Loss:
    """Records that will never be counted: offsets [first, after) of a log, arrived between two moments (ms)."""

    topic: str
    partition: int
    log: str
    problem: str
    first: int
    after: int
    records: int
    from_ts: int
    to_ts: int
    accepted_at: int
    actor: str
    reason: str

    @property
    def id(self) -> str:
        """Name the loss: accepted twice it is the same one."""
        return f"{self.log}:{self.first}-{self.after}"


@dataclass(frozen=True, slots=True)
class SiteTime:
    """What the site's clock shows at a real time, and which of its days that is."""

    days: SiteDays
    clock: SiteClock

    def concerned(self, loss: Loss) -> dict[str, Any]:
        """Return the columns that say which figures a loss concerns: those of a kind (of any: ""), of these days.

        An event is at most as late as its record. It may be earlier: a device may have buffered it for days.
        """
        begin, end = self.clock.now(loss.from_ts), self.clock.now(max(loss.from_ts, loss.to_ts))
        return {
            "kind": KIND_OF_TOPIC.get(loss.topic, ""),
            "site_from": _time(begin), "site_to": _time(end),
            "from_day": self.days.day(begin), "to_day": self.days.day(end),
        }  # fmt: skip


class SourceTables:
    """Reads and writes these facts for one cluster; any thread may call. All raise StoreError."""

    def __init__(self, address: StoreAddress, cluster: str, worker: str, site_time: SiteTime) -> None:
        """Connect on first use."""
        self.cluster, self.worker, self.site_time = cluster, worker, site_time
        self._reader = ClickHouseReader(address, seconds=_SECONDS)
        self._writer = connect(address, seconds=_SECONDS, async_insert=0)  # its reply means that the rows are stored
        self._one_at_a_time = threading.Lock()

    def progress(self) -> Mapping[PartitionKey, Sequence[Row]]:
        """Return the stored rows of progress of all logs, by topic and partition."""
        columns = ", ".join(f"toUnixTimestamp64Milli({name})" if name == "complete_to" else name for name in _PROGRESS)
        rows = self._reader.query(f"SELECT {columns} FROM gatepulse_store.log_progress FINAL")  # noqa: S608  # ours
        found: dict[PartitionKey, list[Row]] = defaultdict(list)
        for row in (dict(zip(_PROGRESS, values, strict=True)) for values in rows):
            found[row["topic"], row["partition"]].append(row)
        return found

    def accepted(self) -> Sequence[AcceptedLoss]:
        """Return every loss that was accepted."""
        rows = self._reader.query("SELECT log, first, after, problem FROM gatepulse.losses")
        return [AcceptedLoss(*row) for row in rows]

    def partitions(self) -> Sequence[StoredPartition]:
        """Return every partition of every incarnation that was ever seen."""
        rows = self._reader.query(
            "SELECT topic, partition, incarnation, log_begin, log_end, present, toUnixTimestamp64Milli(since)"
            " FROM gatepulse_store.source_partitions FINAL WHERE cluster = %(cluster)s",
            {"cluster": self.cluster},
        )
        return [
            StoredPartition(topic, partition, incarnation, begin, end, present=bool(present), since=since)
            for topic, partition, incarnation, begin, end, present, since in rows
        ]

    def problems(self) -> Sequence[StoredProblem]:
        """Return what stands in the way now."""
        rows = self._reader.query(
            "SELECT topic, partition, problem, log, first, after, toUnixTimestamp64Milli(since)"
            " FROM gatepulse.source_problems WHERE cluster = %(cluster)s",
            {"cluster": self.cluster},
        )
        # A worker of another version may know others.
        return [
            StoredProblem(row[0], row[1], Problem(row[2]), *row[3:]) for row in rows if row[2] in frozenset(Problem)
        ]

    def losses(self) -> Sequence[Row]:
        """Return every loss, the newest first."""
        names = (
            "topic", "partition", "log", "problem", "first", "after", "records", "actor", "reason", "accepted_at",
            "kind", "from_day", "to_day", "recovered",
        )  # fmt: skip
        sql = f"SELECT {', '.join(names)} FROM gatepulse.losses WHERE cluster = %(cluster)s"  # noqa: S608  # ours
        return self._rows(names, f"{sql} ORDER BY accepted_at DESC")

    def update_recovered(self) -> None:
        """Note of losses how many of their records were counted after all, by the largest of the logs that did."""
        self._reader.query(_RECOVER)

    def overview(self) -> Sequence[Row]:
        """Return the partitions that the brokers have, with what is read of each; age_seconds by the store's clock."""
        names = (
            "topic", "partition", "incarnation", "log", "worker", "log_begin", "next_offset", "log_end", "received",
            "lost", "age_seconds",
        )  # fmt: skip
        return self._rows(names, _OVERVIEW)

    def _rows(self, names: Sequence[str], sql: str) -> Sequence[Row]:
        rows = self._reader.query(sql, {"cluster": self.cluster})
        return [dict(zip(names, row, strict=True)) for row in rows]

    def write_partitions(self, notes: Sequence[StoredPartition]) -> None:
        """Note partitions as they are now."""
        self._insert(
            "source_partitions",
            [
                {
                    "topic": each.topic, "partition": each.partition, "incarnation": each.incarnation,
                    "log_begin": each.begin, "log_end": each.end, "present": int(each.present),
                    "since": _time(each.since),
                }
                for each in notes
            ],
        )  # fmt: skip

    def write_readers(self, logs: Mapping[PartitionKey, str]) -> None:
        """Note which log of each partition this worker reads from now on."""
        rows = [
            {"topic": topic, "partition": number, "log": log, "worker": self.worker}
            for (topic, number), log in logs.items()
        ]
        self._insert("source_readers", rows)

    def write_problems(self, notes: Sequence[StoredProblem], *, resolved: bool) -> None:
        """Note what stands in the way, or no longer does."""
        verdict = {"worker": self.worker, "resolved": int(resolved)}
        rows = [asdict(each) | verdict | {"problem": each.problem.value, "since": _time(each.since)} for each in notes]
        self._insert("source_problems", rows)

    def write_losses(self, losses: Sequence[Loss]) -> None:
        """Note losses; each once, however often it is noted."""
        times = ("from_ts", "to_ts", "accepted_at")
        rows = [
            asdict(each)
            | {"id": each.id, **{name: _time(getattr(each, name)) for name in times}}
            | self.site_time.concerned(each)
            for each in losses
        ]
        self._insert("losses", rows)

    def write_unread(self, notes: Mapping[str, StoredPartition]) -> None:
        """Note that nothing of these partitions is stored yet, by the names that their logs will have."""
        nothing = dict.fromkeys(_PROGRESS, 0) | {"worker": ""}
        rows = [
            {**nothing, "log": log, "topic": note.topic, "partition": note.partition, "complete_to": _time(note.since)}
            for log, note in notes.items()
        ]
        self._insert("log_progress", rows)

    def __enter__(self) -> Self:
        """Return itself; the connections are closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the connections."""
        self._reader.close()
        with self._one_at_a_time:
            self._writer.disconnect()

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        rows = [{**row, "cluster": self.cluster} for row in rows]
        names = ", ".join(rows[0])
        with self._one_at_a_time:
            try:
                self._writer.execute(f"INSERT INTO gatepulse_store.{table} ({names}) VALUES", rows)
            except Exception as error:
                self._writer.disconnect()
                raise failure(table, error) from error


def _time(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, tz=UTC)
