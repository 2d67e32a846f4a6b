"""Decides for each passage sent whether it must be counted, late, or rejected for its time; next: `accounts.py`.

Worked out from the ledger alone, without the kernels, as `truth.py` is. A worker knows of a passage its content and
when it arrived, and what the device has sent before; so the time at which it really happened decides nothing here.
"""

from bisect import bisect
from dataclasses import dataclass
from typing import Self

import numpy as np

from simulators.ledger.ledger import Ledger
from simulators.ledger.tables import NONE, Flags, Integers, group
from simulators.verify.truth import Sent
from streams.contract.events import EARLIEST_MS, LATEST_MS
from streams.settings import TimeSettings

_LAST = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Limits:
    """How far a device's clock may be wrong, and how late a passage may come to be counted: site time, ms."""

    suspect_ms: int = 300_000
    horizon_ms: int = 172_800_000

    @classmethod
    def of(cls, settings: TimeSettings) -> Self:
        """Return those that are set."""
        return cls(round(settings.suspect_seconds * 1000), round(settings.horizon_seconds * 1000))


@dataclass(frozen=True, eq=False)
class Fates:
    """The passages that were sent, by what must become of them.

    `counted` stand in the view `passages` and in all counts. `late` came later than the horizon: they stand in the
    view `late_passages` only. The time of `suspect` ones cannot be right: each is rejected once, and what comes
    again is a duplicate. The time of `outside` ones is outside what the contract allows: rejected each time they
    come, as a malformed line is, and their numbers stay missing.
    """

    counted: Sent
    late: Sent
    suspect: Sent
    outside: Sent


@dataclass(frozen=True, eq=False)
class _Arrivals:
    """How each passage first came: the row of that attempt (-1: not known to have come), its time and partition.

    `site_ms` is NONE where it is not known.
    """

    attempt: Integers
    site_ms: Integers
    partition: Integers


def judge(ledger: Ledger, sent: Sent, limits: Limits) -> Fates:
    """Return what must become of `sent`; what is not known to have arrived is judged as if it had."""
    ts = ledger.passages["ts"][sent.rows]
    arrivals = _first_arrivals(ledger, sent)
    known = arrivals.site_ms != NONE
    outside = (ts < EARLIEST_MS) | (ts >= LATEST_MS)
    ahead = known & ~outside & (ts - limits.suspect_ms > arrivals.site_ms)
    suspect = _suspects(ledger, sent, arrivals, known & ~outside, ahead, limits.suspect_ms)
    late = known & ~outside & ~suspect & (ts < arrivals.site_ms - limits.horizon_ms)
    return Fates(
        counted=sent.only(~outside & ~suspect & ~late),
        late=sent.only(late),
        suspect=sent.only(suspect),
        outside=sent.only(outside),
    )


def suspect_corrections(ledger: Ledger, limits: Limits) -> Flags:
    """Return which corrections (rows of the ledger) arrived before their own time, by more than a clock errs."""
    found = ledger.corrections
    ahead: Flags = (found["site_ms"] != NONE) & (found["ts"] - limits.suspect_ms > found["site_ms"])
    return ahead


def _first_arrivals(ledger: Ledger, sent: Sent) -> _Arrivals:
    """Find the first delivery of every passage: of several in one partition, the one with the lowest offset."""
    attempts = ledger.attempts
    tried = np.flatnonzero(~attempts["result"].equal("fail"))
    passage = sent.of[attempts["index"][tried]]
    attempt = np.full(len(sent), -1)
    attempt[passage] = tried
    several = np.flatnonzero((np.bincount(passage, minlength=len(sent)) > 1)[passage])
    last_first = several[_in_order(ledger, tried[several])][::-1]
    attempt[passage[last_first]] = tried[last_first]  # of several the last one written stays
    # What has no answer was sent just before its writer was ended.
    site_ms = ledger.last_site_ms[ledger.part_of[sent.rows]]
    partition, came = np.full(len(sent), NONE, np.int64), attempt >= 0
    site_ms[came] = attempts["site_ms"][attempt[came]]
    partition[came] = attempts["partition"][attempt[came]]
    return _Arrivals(attempt, site_ms, partition)


def _in_order(ledger: Ledger, attempts: Integers) -> Integers:
    """Return the order of attempts (rows, -1: none) by ledger, offset and line; those without an offset are last."""
    offset, part = (ledger.attempts[name][attempts] for name in ("offset", "part"))
    offset[(offset == NONE) | (attempts < 0)] = _LAST
    part[attempts < 0] = _LAST
    order: Integers = np.lexsort([attempts, offset, part])
    return order


def _suspects(ledger: Ledger, sent: Sent, arrivals: _Arrivals, arrived: Flags, ahead: Flags, limit: int) -> Flags:
    """Return which passages came before their time (`ahead`) or contradict their device's own numbering.

    Times should ascend with the numbers. Where they do, to within `limit` ms, none contradicts another, whatever the
    order in which they came; so only the devices are looked at more closely in which they do not.
    """
    suspect = ahead.copy()
    rows = sent.rows[arrived]
    seq, ts = ledger.passages["seq"][rows], ledger.passages["ts"][rows]
    attempt, ahead = arrivals.attempt[arrived], ahead[arrived]
    names = {name: ledger.passages[name][rows] for name in ("device", "epoch")}
    counters = group(names | {"partition": arrivals.partition[arrived]})
    by_number = np.lexsort([seq, counters.of])
    believed = by_number[~ahead[by_number]]
    doubtful = np.unique(counters.of[believed][_falls(ts[believed], counters.of[believed]) > limit])
    starts = np.searchsorted(counters.of[by_number], doubtful)
    at = np.flatnonzero(arrived)
    for start, size in zip(starts.tolist(), counters.sizes[doubtful].tolist(), strict=True):
        members = by_number[start : start + size]
        came = members[_in_order(ledger, attempt[members])]
        suspect[at[came]] = _untrue(seq[came], ts[came], ahead[came], limit)
    return suspect


def _falls(ts: Integers, of: Integers) -> Integers:
    """Return by how much each time is below the highest one before it in its group; groups stand together."""
    if not len(ts):
        return ts
    span = int(ts.max() - ts.min()) + 1
    raised = ts - ts.min() + of * span
    fall: Integers = np.maximum.accumulate(raised) - raised
    return fall


def _untrue(seq: Integers, ts: Integers, ahead: Flags, limit: int) -> list[bool]:
    """Follow one device as its passages come: one is untrue if its time is not between those of its neighbours.

    Neighbours are the nearest numbers, below and above, that came before. One that was untrue itself is replaced by
    the neighbours that it had when it came. `limit` is allowed for.
    """
    numbers: list[int] = []
    seen_from_above: list[int | None] = []
    seen_from_below: list[int | None] = []
    answers = []
    for number, time, early in zip(seq.tolist(), ts.tolist(), ahead.tolist(), strict=True):
        at = bisect(numbers, number)
        below = seen_from_above[at - 1] if at else None
        above = seen_from_below[at] if at < len(numbers) else None
        untrue = early or bool(below and time < below - limit) or bool(above and time > above + limit)
        numbers.insert(at, number)
        seen_from_above.insert(at, below if untrue else time)
        seen_from_below.insert(at, above if untrue else time)
        answers.append(untrue)
    return answers
