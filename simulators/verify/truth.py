"""Computes what every public view must show if each passage in the ledger was counted exactly once.

Worked out with numpy from the ledger and the site profile alone. It shares no code with the workers or the
store, so that an error in them cannot hide in it; the site's days are worked out here, too. Next: `fates.py`, which
decides which passages must be counted, and `accounts.py` for the lines that must not; then `verify.py`, which compares.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from simulators.ledger.ledger import Ledger, LedgerError, Result
from simulators.ledger.tables import NONE, Columns, Flags, Integers, Labels, Table, count, differ, group, take
from simulators.verify.inside import Course, courses
from streams.contract.fields import CONTENT, FIELDS, IDENTITY
from streams.site.model import Site

_COUNTED = (*IDENTITY, "kind", "ts", "entrance", "direction", "outcome", "category", "reason", "credential")
_CELL = ("kind", "entrance", "direction", "category")
_MINUTE = 60_000
_DAY = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOON = 16 * 60
"""Minutes by which a clock may be ahead of UTC, or behind it, and more."""


@dataclass(frozen=True, eq=False)
class Sent:
    """Rows of the ledger that were delivered, or may have been (where not `certain`); each identity once.

    `of` is, for every passage of the ledger, its index in these (-1: none): one that is there twice is one.
    """

    rows: Integers
    certain: Flags
    of: Integers

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, chosen: Flags) -> "Sent":
        """Return those that are `chosen`."""
        if chosen.all():
            return self
        places = np.full(len(chosen) + 1, -1)  # the last one, which -1 finds, stays -1
        places[:-1][chosen] = np.arange(int(chosen.sum()))
        return Sent(self.rows[chosen], self.certain[chosen], places[self.of])

    def tries(self, ledger: Ledger, result: Result) -> Integers:
        """Return how often each was tried with that result."""
        of = self.of[ledger.attempts["index"][ledger.attempts["result"].equal(result)]]
        return np.bincount(of[of >= 0], minlength=len(self)).astype(np.int64)

    def settled(self, present: Flags) -> "Sent":
        """Return what was certainly delivered or turned out to be `present` in the store."""
        return self.only(self.certain | present)


def sent_passages(ledger: Ledger) -> Sent:
    """Return the passages that were sent: some attempt was ok, or it is unknown whether one was.

    A passage that only failed, or that a closed ledger never tried, was not sent. Raises LedgerError if two
    different passages have one identity.
    """
    delivered = ledger.tries("ok") > 0
    rows = np.flatnonzero(delivered | (ledger.tries("info") > 0) | ledger.unrecorded)
    return _each_once(ledger.passages, rows, delivered, IDENTITY, ("kind", *(each.name for each in FIELDS)))


def sent_corrections(ledger: Ledger, fit: Flags) -> Sent:
    """Return the corrections that were sent and are `fit`, each id once. Raises LedgerError if two of one id differ."""
    result = ledger.corrections["result"]
    rows = np.flatnonzero(~result.equal("fail") & fit)
    content = ("area", "kind", "ts", "delta", "absolute")
    return _each_once(ledger.corrections, rows, result.equal("ok"), ("id",), content)


def _each_once(
    columns: Columns, rows: Integers, delivered: Flags, identity: tuple[str, ...], content: tuple[str, ...]
) -> Sent:
    """Gather `rows` by their identity; those of one identity must have the same content."""
    same = group(take({name: columns[name] for name in identity}, rows))
    if len(same.first) < len(rows):
        _must_agree(take(columns, rows), same.first[same.of], content, identity)
    certain = np.bincount(same.of, delivered[rows], len(same.first)) > 0
    of = np.full(len(delivered), -1)
    of[rows] = same.of
    return Sent(rows[same.first], certain, of)


def _must_agree(found: Columns, first: Integers, content: tuple[str, ...], identity: tuple[str, ...]) -> None:
    """Refuse rows that differ in `content` from the `first` row of the same identity."""
    for name in content:
        values = found[name].codes if isinstance(found[name], Labels) else found[name]
        other = np.flatnonzero(differ(values, values[first]))
        if len(other):
            who = ":".join(str(_cell(found[key], other[0])) for key in identity)
            raise LedgerError(
                f"{who}: the ledger has it twice with different {name} "
                f"({_cell(found[name], first[other[0]])!s} and {_cell(found[name], other[0])!s}). "
                "An identity belongs to one event: let devices of a new run start a new epoch."
            )


def _cell(column: Labels | Integers, row: int) -> object:
    return column.texts()[row] if isinstance(column, Labels) else column[row]


def passages(ledger: Ledger, sent: Sent) -> Table:
    """Return the view `passages`: identity and content; where delivery is uncertain a row is optional."""
    keys = {name: ledger.passages[name][sent.rows] for name in IDENTITY}
    return Table(keys, {name: ledger.passages[name][sent.rows] for name in CONTENT}, ~sent.certain)


def corrections(ledger: Ledger, sent: Sent, site: Site) -> Table:
    """Return the view `corrections`, the kind filled in: where none was given, the first of the area."""
    found = take(ledger.corrections, sent.rows)
    values = {name: found[name] for name in ("area", "kind", "ts", "delta", "absolute", "actor", "reason")}
    kinds = zip(found["kind"].texts(), found["area"].texts(), strict=True)
    values["kind"] = Labels.of([kind or _first_kind(area, site) for kind, area in kinds])
    return Table({"id": found["id"]}, values, ~sent.certain)


def check_site(ledger: Ledger, site: Site) -> None:
    """Raise LedgerError if the ledger is marked as that of another site, or uses an entrance that `site` lacks."""
    for meta in ledger.meta:
        if meta.get("site", site.id) != site.id:
            raise _other_site("meta: site", meta["site"], site)
    known = {entrance.id for entrance in site.entrances}
    for name in ledger.passages["entrance"].words:
        if name not in known:
            raise _other_site("passages: entrance", name, site)


def gaps(ledger: Ledger) -> list[str]:
    """Return a note where the ledger itself lacks sequence numbers beyond those left out on purpose."""
    epochs = group({name: ledger.passages[name] for name in ("device", "epoch")})
    distinct = group({"epoch": epochs.of, "seq": ledger.passages["seq"]})
    lacking = epochs.newest(ledger.passages["seq"]) - np.bincount(distinct.keys["epoch"], minlength=len(epochs.first))
    lacks, skipped = int(lacking.sum()), int(ledger.skipped["count"].sum())
    if lacks <= skipped:
        return []
    return [f"the ledger lacks {lacks:,} sequence numbers, of which {skipped:,} were left out on purpose."]


def _first_kind(area: str, site: Site) -> str:
    try:
        return site.area(area).kinds[0]
    except KeyError as error:
        raise _other_site("corrections: area", area, site) from error


def _other_site(what: str, name: str, site: Site) -> LedgerError:
    advice = "Give the profile that the run was made with."
    return LedgerError(f"{what} {name!r}: not in the profile of site {site.id!r}. {advice}")


def published(ledger: Ledger, site: Site, counted: Sent, corrected: Table) -> dict[str, Table]:
    """Return every view that is worked out of counted passages and corrections, by name.

    `counted` and `corrected` (the view `corrections`) are those that the store must have: settle both first.
    Times are in ms since 1970 UTC, days are days since 1970-01-01.
    """
    rows = {name: ledger.passages[name][counted.rows] for name in _COUNTED}
    passed = take(rows, rows["outcome"].equal("passed"))
    denied = take(rows, rows["outcome"].equal("denied"))
    inside = courses(passed, {**corrected.keys, **corrected.values}, site)
    return {
        "entrance_counts_10s": _windowed(passed, 10_000, _CELL, "passages"),
        "entrance_counts_1m": _windowed(passed, _MINUTE, _CELL, "passages"),
        "entrance_outcomes_1m": _windowed(rows, _MINUTE, (*_CELL, "outcome"), "events"),
        "entrance_refusals_1m": _windowed(denied, _MINUTE, ("kind", "entrance", "category", "reason"), "refusals"),
        "entrance_totals": count(
            {"day": local_days(passed["ts"], site)} | {key: passed[key] for key in _CELL}, "passages"
        ),
        "site_today": _site_today(passed, site),
        "occupancy": _occupancy(inside, site),
        "occupancy_history": _history(inside),
    }


def _windowed(rows: Columns, width: int, cell: tuple[str, ...], name: str) -> Table:
    """Count rows per half-open window of event time, `width` ms long, and cell."""
    return count({"window_start": rows["ts"] // width * width} | {key: rows[key] for key in cell}, name)


def _site_today(passed: Columns, site: Site) -> Table:
    """Count who came in from and went to the outside; who had a credential counts once a day as distinct."""
    boundary = {entrance.id for entrance in site.entrances if entrance.boundary}
    rows = take(passed, passed["entrance"].each(boundary.__contains__, bool))
    day = local_days(rows["ts"], site)
    inward, unidentified = rows["direction"].equal("in"), rows["credential"].equal("")
    days = group({"day": day, "kind": rows["kind"]})
    named = np.flatnonzero(inward & ~unidentified)
    persons = group({"day": days.of[named], "credential": rows["credential"].codes[named]})
    values = {
        "entries": days.sum(inward),
        "exits": days.sum(~inward),
        "distinct_entered": np.bincount(persons.keys["day"], minlength=len(days.first)).astype(np.int64),
        "unidentified": days.sum(inward & unidentified),
    }
    return Table(days.keys, values)


def _occupancy(inside: Mapping[tuple[str, str], Course], site: Site) -> Table:
    """Return the newest number of every (area, kind), also of those nobody has touched."""
    capacity: dict[tuple[str, str], int] = {
        (area.id, kind): area.capacity.get(kind, NONE) for area in site.areas for kind in area.kinds
    }
    pairs = sorted({*capacity, *inside})
    untouched = Course(np.zeros(1, np.int64), np.zeros(1, np.int64), NONE)
    newest = [inside.get(pair, untouched) for pair in pairs]
    values = {
        "as_of": np.array([course.as_of for course in newest], np.int64),
        "inside": np.array([course.inside[-1] for course in newest], np.int64),
        "capacity": np.array([capacity.get(pair, NONE) for pair in pairs], np.int64),
    }
    return Table(_pairs(pairs), values)


def _history(inside: Mapping[tuple[str, str], Course]) -> Table:
    sizes = [len(course.windows) for course in inside.values()]
    keys = take(_pairs(list(inside)), np.repeat(np.arange(len(sizes)), sizes))
    nothing = np.zeros(0, np.int64)
    keys["window_start"] = np.concatenate([nothing, *(course.windows for course in inside.values())])
    return Table(keys, {"inside": np.concatenate([nothing, *(course.inside for course in inside.values())])})


def _pairs(pairs: list[tuple[str, str]]) -> dict[str, Labels]:
    return {"area": Labels.of([area for area, _ in pairs]), "kind": Labels.of([kind for _, kind in pairs])}


def local_days(ts: Integers, site: Site) -> Integers:
    """Return the site's day of each `ts` (milliseconds since 1970 UTC), in days since 1970-01-01.

    Slow and simple on purpose, minute by minute with the site's clock, and nothing of
    `streams.kernels.counts.calendar`, whose days are held against these.
    """
    if not len(ts):
        return ts
    near = np.unique(ts // _DAY)
    days = np.unique(np.concatenate([near + shift for shift in range(-2, 3)]))
    begins = np.array([_begin(int(day), site.time_zone, site.day_starts) for day in days], np.int64)
    return days[np.searchsorted(begins, ts, side="right") - 1]


@lru_cache(maxsize=10_000)
def _begin(day: int, time_zone: str, day_starts: int) -> int:
    """Return the first minute in which the clock shows the day's date and start, or something later (ms)."""
    zone = ZoneInfo(time_zone)
    start = datetime.combine(date(1970, 1, 1) + timedelta(day), datetime.min.time()) + timedelta(minutes=day_starts)
    minutes = range(day * 1440 + day_starts - _SOON, day * 1440 + day_starts + 3 * _SOON)
    return _MINUTE * next(
        minute
        for minute in minutes
        if (_EPOCH + timedelta(minutes=minute)).astimezone(zone).replace(tzinfo=None) >= start
    )
