"""What the workers must say of the lines they were sent: which they rejected, and that they lost none.

Counts have bounds where the ledger does not know whether a line was delivered. Next: `verify.py`.
"""

from collections.abc import Mapping

import numpy as np

from simulators.ledger import Ledger, Result
from simulators.tables import Between, Integers, Labels, Table, Value, group, take
from streams.contract import KIND_OF_TOPIC, Topic

UNBOUNDED = int(np.iinfo(np.int64).max)
"""Above every count: the upper bound where a writer was not closed, whose last attempts may be unrecorded."""

_TOPICS = (Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS)


def rejections(ledger: Ledger) -> Table:
    """Return how often each malformed line must be rejected for which reason: each time it was sent."""
    rows = take(ledger.malformed, ~ledger.malformed["result"].equal("fail"))
    lines = group({name: rows[name] for name in ("topic", "sha256", "reason")})
    low = lines.sum(rows["result"].equal("ok"))
    high = low + lines.sum(rows["result"].equal("info"))
    return Table(lines.keys, {"times": _between(ledger, low, high)}, low == 0)


def progress(ledger: Ledger, counted: Mapping[str, int], certain: Mapping[str, int] | None = None) -> Table:
    """Return what the workers must say of each topic that was written to.

    `counted` is the number of passages of each kind, and of "corrections", that the store must have; of these
    `certain` (all, if left out) are known to have been delivered. A worker that was cut short with its broker need
    not have told of the others: it writes rows first, and how far they go a moment later.
    `unaccounted` is what was received but neither counted, nor a duplicate, nor rejected: nothing.
    """
    sure, unsure = _lines(ledger, "ok"), _lines(ledger, "info")
    bad, perhaps_bad = _malformed(ledger, "ok"), _malformed(ledger, "info")
    high = sure + unsure + bad + perhaps_bad
    names = [KIND_OF_TOPIC.get(topic, "corrections") for topic in _TOPICS]
    distinct = np.array([counted.get(name, 0) for name in names], np.int64)
    told = distinct
    if certain is not None and ledger.cut_short:
        told = np.array([certain.get(name, 0) for name in names], np.int64)
    # A correction sent twice may be counted twice: the store keeps one row per id all the same.
    repeated = np.array([topic == Topic.CORRECTIONS for topic in _TOPICS])
    values: dict[str, Value] = {
        "received": _between(ledger, sure + bad, high),
        "counted": Between(told, np.where(repeated, high, distinct)),
        "rejected": _between(ledger, bad, bad + perhaps_bad),
        "unaccounted": np.zeros(len(_TOPICS), np.int64),
    }
    table = Table({"topic": Labels.of([str(topic) for topic in _TOPICS])}, values, sure + bad == 0)
    return table[(high > 0) | (distinct > 0)]


def _lines(ledger: Ledger, result: Result) -> Integers:
    """Count the well-formed lines of each topic that were tried with this result."""
    tries = ledger.tries(result)
    sums = {kind: int(tries[ledger.passages["kind"].equal(kind)].sum()) for kind in KIND_OF_TOPIC.values()}
    corrections = int(ledger.corrections["result"].equal(result).sum())
    numbers = [sums[KIND_OF_TOPIC[topic]] if topic in KIND_OF_TOPIC else corrections for topic in _TOPICS]
    return np.array(numbers, np.int64)


def _malformed(ledger: Ledger, result: Result) -> Integers:
    """Count the malformed lines of each topic that were tried with this result."""
    rows = take(ledger.malformed, ledger.malformed["result"].equal(result))
    return np.array([int(rows["topic"].equal(topic).sum()) for topic in _TOPICS], np.int64)


def _between(ledger: Ledger, low: Integers, high: Integers) -> Between:
    return Between(low, high if ledger.closed else np.full(len(low), UNBOUNDED))
