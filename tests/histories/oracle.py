"""Compares what is stored and published with the truth, once nothing happens any more."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from faust.types import TP

from streams.contract.events import KIND_OF_TOPIC, Topic
from streams.kernels.alarms.episodes import COLUMNS, Episode
from streams.kernels.counts.partition_log import PartitionId
from streams.worker.batches import Values
from streams.worker.consumer import coalesce
from tests.histories.plant import Plant
from tests.histories.settled import content_of
from tests.histories.truth import Correction, Judged, Passage, Rows, Truth, day_of

Row = dict[str, Any]


class DifferenceError(AssertionError):
    """What is published is not what was sent."""


_IDENTITY: Final = ("device", "epoch", "seq")
_WRAPS: Final = 1 << 64
_KEY: Final = ("entrance", "direction", "outcome", "category")
_COUNTS: Final[Mapping[str, tuple[str, ...]]] = {
    "counts_10s": ("segment", "window_start", *_KEY),
    "counts_1m": ("segment", "window_start", *_KEY),
    "counts_day": ("segment", "day", *_KEY),
    "late_day": ("segment", "day", *_KEY),
    "refusals_1m": ("segment", "window_start", "entrance", "category", "reason"),
}


def compare(plant: Plant, current: Mapping[tuple[str, int], str]) -> None:
    """Raise DifferenceError, naming the first differences. `current`: the log that each partition is read into."""
    found, progress = _by_log(plant), {row["log"]: row for row in plant.store.table("log_progress")}
    differences: list[str] = []
    for name in current.values():
        truth = plant.truth(name)
        wanted = truth.tables()
        for table in sorted({*wanted, *found[name]}):
            differences += _differences(f"{name} {table}", wanted.get(table, {}), found[name].get(table, {}))
        differences += _differences(f"{name} tally", truth.tally(), _tally(progress[name]))
    ended = [name for name in progress if name not in current.values() and plant.is_whole(PartitionId.parse(name))]
    for name in ended:
        differences += _ended(plant, name, progress[name], found[name])
    differences += _identities(plant, current, ended, progress)
    differences += _rejected(plant, current)
    if not any(_is_torn(progress, row) for row in plant.store.table("deliveries")):
        differences += _over_all_logs(plant)
    if not (plant.alarms_lost and any(tape.former for tape in plant.tapes.values())):  # nobody knows of them any more
        differences += _announcements(plant, current)
    if Topic.ALARM_INPUTS in plant.broker.sources and not plant.alarms_lost:
        differences += _alarms(plant)
    if differences:
        raise DifferenceError("; ".join(differences[:8]))


def _ended(plant: Plant, name: str, row: Row, found: Mapping[str, Rows]) -> list[str]:
    """Compare a log in which nothing comes any more: its last flush may have been cut off between two tables."""
    tape = plant.tape_of(PartitionId.parse(name))
    reasons = [_ended_on(plant, name, row, found, records) for records in (tape.records, *tape.former)]
    return min(reasons, key=len)


def _ended_on(
    plant: Plant, name: str, row: Row, found: Mapping[str, Rows], records: Sequence[tuple[int, int, Any]]
) -> list[str]:
    log, passed = PartitionId.parse(name), plant.truth(name).passed_over
    kind = KIND_OF_TOPIC.get(log.topic, "")
    ends = [row["next_offset"], *(offset + 1 for offset, _, _ in records if offset >= row["next_offset"])]
    possible = [Truth(kind, log.first, passed).read(records, before=end) for end in ends]
    differences = _differences(f"{name} tally", possible[0].tally(), _tally(row))
    tables = [truth.tables() for truth in possible]
    for table in sorted({*tables[-1], *found}):
        if not any(found.get(table, {}) == each.get(table, {}) for each in tables):
            differences += _differences(f"{name} {table}", tables[0].get(table, {}), found.get(table, {}))
    return differences


def _differences(what: str, wanted: Mapping[Any, Any], found: Mapping[Any, Any]) -> list[str]:
    keys = sorted({*wanted, *found}, key=str)
    return [
        f"{what} {key}: {wanted.get(key)} was sent, {found.get(key)} is published"
        for key in keys
        if wanted.get(key) != found.get(key)
    ]


def _by_log(plant: Plant) -> dict[str, dict[str, Rows]]:
    """Return what is stored of each log, by table and key."""
    logs: dict[str, dict[str, Rows]] = defaultdict(lambda: defaultdict(dict))
    for table, key in _COUNTS.items():
        value = "refusals" if table == "refusals_1m" else "passages"
        for row in plant.store.table(table):
            logs[row["log"]][table][tuple(row[name] for name in key)] = row[value]
    for row in plant.store.table("counts_day"):
        if row["anonymous"]:
            logs[row["log"]]["anonymous"][row["segment"], row["day"], *(row[name] for name in _KEY)] = row["anonymous"]
    for table in ("area_flows_10s", "area_flows_1h"):
        for row in plant.store.table(table):
            for way in ("entered", "departed"):
                if row[way]:
                    logs[row["log"]][table][row["segment"], row["window_start"], row["area"], way] = row[way]
    for row in plant.store.table("rejections"):
        logs[row["log"]]["rejections"][row["offset"], row["line"]] = row["reason"]
    for row in plant.store.table("deliveries"):
        content = (*(row[name] for name in (*_IDENTITY, "ts", "entrance", "credential")), row["fate"])
        logs[row["log"]]["deliveries"][row["offset"], row["line"]] = content
    for row in plant.store.table("devices"):
        figures = (row["entrance"], row["ranges"], row["last_seq"], row["last_ts"], row["last_seen"])
        logs[row["log"]]["devices"][row["device"], row["epoch"]] = figures
    return logs


def _tally(row: Row) -> Row:
    return {name: row[name] for name in ("received", "counted", "duplicate", "late", "rejected")}


def _rows(plant: Plant, table: str, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in columns) for row in plant.store.table(table)]


def _is_torn(progress: Mapping[str, Row], row: Row) -> bool:
    """Tell whether a delivery is of a flush that was cut off and never came again: its log has ended."""
    return bool(row["offset"] >= progress[row["log"]]["next_offset"])


def _over_all_logs(plant: Plant) -> list[str]:
    """Compare sums over all logs with one delivery of each identity: what came through several logs is retracted."""
    deliveries: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in plant.store.table("deliveries"):
        deliveries[tuple(row[name] for name in _IDENTITY)].append(row)
    standing, differences = Truth(""), []
    for identity, rows in deliveries.items():
        counted = [row for row in rows if row["fate"] in {"counted", "late"}]
        stands = [row for row in counted if not row["settled"]]
        if len(stands) != bool(counted):
            differences.append(f"{identity}: {len(stands)} of {len(counted)} deliveries that were counted stand")
        for row in stands:
            says = Passage(*identity, *(row[name] for name in ("ts", *_KEY, "reason", "credential")))
            standing.judged.append(Judged(0, row["line"], row["arrived"], row["fate"], says))
            differences += [
                f"{identity} at {each['log']} {each['offset']}: settled as {each['settled']!r}, expected {right!r}"
                for each in rows
                if each is not row and each["fate"] != "suspect" and each["settled"] != (right := _verdict(each, row))
            ]
    found: dict[str, Counter[tuple[Any, ...]]] = defaultdict(Counter)
    for tables in _by_log(plant).values():
        for table, cells in tables.items():
            if table not in {"devices", "deliveries", "rejections"}:
                for key, n in cells.items():
                    found[table][key[1:]] += n
    for table, cells in standing.cells().items():
        found.setdefault(table, Counter())
        for key, n in cells.items():
            found[table][key[1:]] -= n
    return differences + [
        f"{table} {key} over all logs: {n % _WRAPS} too many"
        for table, cells in found.items()
        for key, n in cells.items()
        if n % _WRAPS
    ]


def _verdict(row: Row, standing: Row) -> str:
    """Say what a delivery must be settled as, beside the one that stands."""
    if content_of(row) != content_of(standing):
        return "conflict"
    return "" if row["fate"] == "duplicate" else "repeat"


def _identities(
    plant: Plant, current: Mapping[tuple[str, int], str], ended: Sequence[str], progress: Mapping[str, Row]
) -> list[str]:
    """Compare credentials and corrections: all that is counted must be there, and nothing else."""
    must = [plant.truth(name) for name in current.values()]
    may = []
    for name in ended:
        log, tape = PartitionId.parse(name), plant.tape_of(PartitionId.parse(name))
        begun = Truth(KIND_OF_TOPIC.get(log.topic, ""), log.first, plant.truth(name).passed_over)
        if not tape.former:
            must.append(begun.read(tape.records, before=progress[name]["next_offset"]))
        may.append(Truth(begun.kind, begun.first, begun.passed_over).read(tape.records))
    may += [
        Truth(KIND_OF_TOPIC.get(topic, "")).read(records)
        for (topic, _, _), tape in plant.tapes.items()
        for records in (tape.records, *tape.former)
    ]
    differences = []
    for what, wanted, stored in (
        ("entered", _entered, _rows(plant, "entered", ("day", "kind", "credential"))),
        ("corrections", _corrections, _rows(plant, "corrections", ("id", "area", "ts", "delta", "absolute"))),
    ):
        needed = {row for truth in must for row in wanted(truth)}
        allowed = needed | {row for truth in may for row in wanted(truth)}
        differences += [f"{what} {row}: was sent, and is not stored" for row in needed - set(stored)]
        differences += [f"{what} {row}: is stored, and was not sent" for row in set(stored) - allowed]
    return sorted(differences, key=str)


def _entered(truth: Truth) -> list[tuple[Any, ...]]:
    return [
        (day_of(says.ts), truth.kind, says.credential)
        for _, says in truth.counted()
        if says.outcome == "passed" and says.direction == "in" and says.credential and says.entrance != "H1"
    ]


def _corrections(truth: Truth) -> list[tuple[Any, ...]]:
    return [
        (says.id, says.area, says.ts, says.delta, says.absolute)
        for says in (each.says for each in truth.judged if each.fate == "counted")
        if isinstance(says, Correction)
    ]


def _rejected(plant: Plant, current: Mapping[tuple[str, int], str]) -> list[str]:
    """Compare the rejections that were published."""
    records = plant.broker.topics[Topic.REJECTED].partitions[0].records
    published = [msgspec.json.decode(each.value) for each in records if each.value]
    found = {(each["topic"], each["partition"], each["offset"], each["line"], each["reason"]) for each in published}
    wanted = {
        (*place, each.offset, each.line, each.fate)
        for place, name in current.items()
        for each in plant.truth(name).judged
        if each.fate not in {"counted", "duplicate", "late"}
    }
    return [f"rejected {each}: is not published" for each in sorted(wanted - found, key=str)]


def _alarms(plant: Plant) -> list[str]:
    """Judge all alarm inputs anew, at once and by nobody who was ever killed: the same episodes must come out."""
    topic = Topic.ALARM_INPUTS.value
    stored = [row["next_offset"] for row in plant.store.table("log_progress") if row["topic"] == topic]
    needed, allowed = _judged(plant, max(stored, default=0)), _judged(plant, None)
    found = {(row["episode"], row["change"]): row for row in plant.store.table("alarm_changes")}
    return [
        f"alarm {key}: {allowed.get(key)} is right, {found.get(key)} is stored"
        for key in sorted({*needed, *found})
        if key not in found or key not in allowed or any(getattr(allowed[key], n) != found[key][n] for n in COLUMNS)
    ]


def _judged(plant: Plant, before: int | None) -> dict[tuple[str, int], Episode]:
    """Return the changes of episodes that follow from the alarm inputs up to an offset, or from all."""
    topic, partition = Topic.ALARM_INPUTS.value, plant.broker.topics[Topic.ALARM_INPUTS].partitions[0]
    records = [each for each in partition.records if before is None or each.offset < before]
    log = plant.handlers[topic].begin(PartitionId("c", topic, 0), partition.begin)
    for joined in coalesce(TP(topic, 0), [Values.of(records)] if records else []):
        log.apply(plant.handlers[topic].read(joined.value.records))
    log.drain()
    return {(each.episode, each.change): each for each in log.drain_changes()}


def _announcements(plant: Plant, current: Mapping[tuple[str, int], str]) -> list[str]:
    """Compare the newest that was announced of each log and entrance."""
    newest: dict[tuple[str, str], Row] = {}
    for partition in plant.broker.topics[Topic.TOTALS].partitions:
        for each in partition.records:
            said = msgspec.json.decode(each.value) if each.value else {}
            key = (said["log"], said["entrance"])
            if key not in newest or said["version"] >= newest[key]["version"]:
                newest[key] = said
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for (log, entrance), said in newest.items():
        totals = {(each["direction"], each["category"]): each["passages"] for each in said["totals"]}
        found[log][entrance] = (totals, said["missing"], said["last_ts"])
    return [
        difference
        for (topic, _), name in current.items()
        if topic in KIND_OF_TOPIC
        for difference in _differences(f"{name} announced", plant.truth(name).announced(), found[name])
    ]
