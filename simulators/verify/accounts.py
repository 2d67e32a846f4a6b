"""Computes what workers must report besides counts: late and rejected lines, how far each log and device has come.

Counts have bounds where the ledger does not know whether a line was delivered. Next: `verify.py`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from simulators.ledger.ledger import Ledger, Result
from simulators.ledger.tables import NONE, Between, Columns, Flags, Integers, Labels, Table, Value, group, take
from simulators.scenario.lines import make_line
from simulators.verify.fates import Fates
from simulators.verify.truth import Sent, local_days
from streams.contract.events import KIND_OF_TOPIC, Reason, Topic
from streams.site.model import Site

UNBOUNDED = int(np.iinfo(np.int64).max)
"""Above every count: the upper bound where a writer was not closed, whose last attempts may be unrecorded."""

_TOPICS = (Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS)
_TOPIC_OF = {kind: str(topic) for topic, kind in KIND_OF_TOPIC.items()}
_LATE = ("kind", "entrance", "direction", "outcome", "category")
_REJECTED = ("topic", "sha256", "reason")
_MOST_MISSING = 10**12
"""Of one device and epoch, as the platform promises."""
_READ = ("device", "epoch", "seq", "ts", "entrance")


def late_passages(ledger: Ledger, late: Sent, site: Site) -> Table:
    """Return the view `late_passages`: what came later than the horizon, by the site's day on which it happened."""
    found = take(ledger.passages, late.rows)
    cells = {"day": local_days(found["ts"], site)} | {name: found[name] for name in _LATE}
    groups = group(cells)
    sure = groups.sum(late.certain)
    return Table(groups.keys, {"events": Between(sure, groups.sizes.astype(np.int64))}, sure == 0)


@dataclass(frozen=True, eq=False)
class Refusals:
    """The view `rejections`: a line, a reason, how often; and the row in it of every suspect passage."""

    view: Table
    row_of_suspect: Integers


@dataclass(frozen=True, eq=False)
class _Lines:
    """Lines that must be rejected, and how often at least and at most."""

    topic: Sequence[str]
    sha256: Sequence[str]
    reason: Sequence[str]
    low: Integers
    high: Integers


def rejections(ledger: Ledger, fates: Fates, ahead: Flags) -> Refusals:
    """Return how often each line must be rejected for which reason.

    Malformed lines, passages whose time is outside the contract's, and corrections that are `ahead` of their time: as
    often as they were sent. Suspect passages: once, for what comes again is a duplicate.
    """
    sure, unsure = (fates.outside.tries(ledger, result) for result in ("ok", "info"))
    outside = _refused(ledger, fates.outside, Reason.TIME_OUT_OF_RANGE, sure, sure + unsure)
    certain, most = fates.suspect.certain.astype(np.int64), np.ones(len(fates.suspect), np.int64)
    once = _refused(ledger, fates.suspect, Reason.SUSPECT_TIME, certain, most)
    lines = (_malformed(ledger), outside, _corrections(ledger, ahead), once)
    keys = {name: Labels.of([text for part in lines for text in getattr(part, name)]) for name in _REJECTED}
    same = group(keys)
    of_once = same.of[len(same.of) - len(once.low) :]
    low, high = (same.sum(np.concatenate([getattr(part, name) for part in lines])) for name in ("low", "high"))
    if not ledger.closed:
        high[np.setdiff1d(np.arange(len(high)), of_once)] = UNBOUNDED
    return Refusals(Table(same.keys, {"times": Between(low, high)}, low == 0), of_once)


def _malformed(ledger: Ledger) -> _Lines:
    rows = take(ledger.malformed, ~ledger.malformed["result"].equal("fail"))
    sure = rows["result"].equal("ok").astype(np.int64)
    topic, sha256, reason = (rows[name].texts() for name in _REJECTED)
    return _Lines(topic, sha256, reason, sure, np.ones(len(sure), np.int64))


def _refused(ledger: Ledger, sent: Sent, reason: Reason, low: Integers, high: Integers) -> _Lines:
    """Name passages by the lines in which they were sent."""
    found = take(ledger.passages, sent.rows)
    plain = {
        name: (column.texts() if isinstance(column, Labels) else column).tolist() for name, column in found.items()
    }
    rows = [
        {name: value for name, value in zip(plain, row, strict=True) if value != NONE}
        for row in zip(*plain.values(), strict=True)
    ]
    return _Lines(
        [_TOPIC_OF[row["kind"]] for row in rows],
        [hashlib.sha256(make_line(row)).hexdigest() for row in rows],
        [reason.value] * len(rows),
        low,
        high,
    )


def _corrections(ledger: Ledger, ahead: Flags) -> _Lines:
    rows = take(ledger.corrections, ahead & ~ledger.corrections["result"].equal("fail"))
    sure, size = rows["result"].equal("ok").astype(np.int64), len(rows["ts"])
    topic, reason = [Topic.CORRECTIONS.value] * size, [Reason.SUSPECT_TIME.value] * size
    return _Lines(topic, rows["sha256"].texts(), reason, sure, np.ones(size, np.int64))


def progress(ledger: Ledger, settled: Fates, refusals: Refusals, *, corrected: Sent) -> Table:
    """Return what the workers must report of each topic that was written to.

    `settled` and `corrected` are the passages and corrections that the store must have; of these the certain ones are
    known to have been delivered. A worker that was cut short with its broker need not have reported the others: it
    writes rows first, and how far they go a moment later. `unaccounted` is what was received but neither counted, nor
    a duplicate, nor late, nor rejected: nothing.
    """
    sure, unsure = _sent_lines(ledger, "ok"), _sent_lines(ledger, "info")
    bad, most_bad = _rejected_lines(refusals)
    counted, certain = _numbers(ledger, settled.counted, corrected)
    late, certain_late = _numbers(ledger, settled.late)
    # A correction sent twice may be counted twice: the store has one row per id all the same.
    repeated = np.array([topic == Topic.CORRECTIONS for topic in _TOPICS])
    values: dict[str, Value] = {
        "received": _between(ledger, sure, sure + unsure),
        "counted": Between(certain if ledger.cut_short else counted, np.where(repeated, sure + unsure - bad, counted)),
        "late": Between(certain_late, late),
        "rejected": _between(ledger, bad, most_bad),
        "unaccounted": np.zeros(len(_TOPICS), np.int64),
    }
    table = Table({"topic": Labels.of([str(topic) for topic in _TOPICS])}, values, sure == 0)
    return table[(sure + unsure > 0) | (counted > 0)]


def _numbers(ledger: Ledger, sent: Sent, corrected: Sent | None = None) -> tuple[Integers, Integers]:
    """Count passages, and corrections, by topic: all of them, and those that are certain."""
    kinds = ledger.passages["kind"][sent.rows]
    own = [kinds.equal(KIND_OF_TOPIC[topic]) if topic in KIND_OF_TOPIC else None for topic in _TOPICS]
    corrections = np.zeros(0, bool) if corrected is None else corrected.certain
    flags = [corrections if mine is None else sent.certain[mine] for mine in own]
    return np.array([len(each) for each in flags], np.int64), np.array([int(each.sum()) for each in flags], np.int64)


def _sent_lines(ledger: Ledger, result: Result) -> Integers:
    """Count the lines of each topic, malformed ones too, that were tried with this result."""
    tries = ledger.tries(result)
    numbers = {
        topic: int(tries[ledger.passages["kind"].equal(kind)].sum()) for topic, kind in KIND_OF_TOPIC.items()
    } | {Topic.CORRECTIONS: int(ledger.corrections["result"].equal(result).sum())}
    topics = ledger.malformed["topic"][ledger.malformed["result"].equal(result)]
    return np.array([numbers[topic] + int(topics.equal(topic).sum()) for topic in _TOPICS], np.int64)


def _rejected_lines(refusals: Refusals) -> tuple[Integers, Integers]:
    """Count the lines of each topic that must be rejected, at least and at most."""
    topics, times = refusals.view.keys["topic"], refusals.view.values["times"]
    rows = [topics.equal(topic) for topic in _TOPICS]  # type: ignore[union-attr]  # topics are text
    low = [int(times.low[mine].sum()) for mine in rows]  # type: ignore[union-attr]  # times have bounds
    high = [min(sum(times.high[mine].tolist()), UNBOUNDED) for mine in rows]  # type: ignore[union-attr]  # as above
    return np.array(low, np.int64), np.array(high, np.int64)


def _between(ledger: Ledger, low: Integers, high: Integers) -> Between:
    return Between(low, high if ledger.closed else np.full(len(low), UNBOUNDED))


def completeness(ledger: Ledger, settled: Fates) -> Table:
    """Return the view `completeness`: counted, late and suspect passages have come, of whatever time they are.

    The newest time is that of the passages that are believed, 1970 where there is none. `settled` are those that
    came; only for the late ones this is unknown, and for a device with uncertain late ones there are bounds.
    """
    came = (settled.counted, settled.late, settled.suspect)
    rows = np.concatenate([sent.rows for sent in came])
    believed = np.arange(len(rows)) < len(rows) - len(settled.suspect)
    certain = np.ones(len(rows), bool)
    certain[len(settled.counted) :][: len(settled.late)] = settled.late.certain
    columns = {name: ledger.passages[name][rows] for name in _READ}
    table, _ = _devices(columns, believed)
    return table if certain.all() else _bounded(columns, believed, certain)


def _devices(rows: Columns, believed: Flags) -> tuple[Table, Integers]:
    """Count, per device, the sequence numbers from 1 to the newest of each epoch that never came; and how many came."""
    order = np.lexsort([rows["seq"], rows["epoch"], rows["device"].codes])
    ordered = take(rows, order)
    epochs = group({"device": ordered["device"], "epoch": ordered["epoch"]})
    missing = np.minimum(epochs.newest(ordered["seq"]) - epochs.sizes, _MOST_MISSING)
    devices = group({"device": ordered["device"]})
    newest_row = devices.newest(np.arange(len(order)))
    values: dict[str, Value] = {
        "entrance": ordered["entrance"][newest_row],
        "last_seq": ordered["seq"][newest_row],
        "missing": np.bincount(devices.of[epochs.first], missing, len(devices.first)).astype(np.int64),
        "last_ts": devices.newest(np.where(believed[order], ordered["ts"], 0)),
    }
    return Table(devices.keys, values), devices.sizes


def _bounded(rows: Columns, believed: Flags, certain: Flags) -> Table:
    """Return what may be known of each device if any of the rows that are not `certain` never came."""
    most, all_of = _devices(rows, believed)
    least, sure_of = _devices(take(rows, certain), believed[certain])
    place = {device: row for row, device in enumerate(least.keys["device"].texts())}  # type: ignore[union-attr]  # text
    rows_of_least = np.array([place.get(each, -1) for each in most.keys["device"].texts()], np.int64)  # type: ignore[union-attr]  # text

    def sure(column: Value) -> Integers:
        """Return a column of the least for every device of the most, 0 where it has none."""
        return np.append(column, 0)[rows_of_least]  # type: ignore[arg-type]  # numbers

    numbers = {name: np.asarray(most.values[name]) for name in ("last_seq", "missing", "last_ts")}
    fewest = np.maximum(sure(least.values["missing"]) + sure(sure_of) - all_of, 0)
    values: dict[str, Value] = {
        "entrance": most.values["entrance"],
        "last_seq": Between(sure(least.values["last_seq"]), numbers["last_seq"]),
        "missing": Between(fewest, numbers["missing"] + all_of - sure(sure_of)),
        "last_ts": Between(sure(least.values["last_ts"]), numbers["last_ts"]),
    }
    return Table(most.keys, values, rows_of_least < 0)
