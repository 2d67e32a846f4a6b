"""Computes the strip of alarms: their order and wording, and whether the absence of alarms is proven; pure.

The wording is that of the robots' messages (`dashboards/messages/alarm_words.py`). Read next: `snapshot.py`.
"""

import math
from collections.abc import Mapping
from typing import cast

import msgspec

from dashboards.messages.alarm_words import (
    KIND_NAMES,
    STATE_NAMES,
    UNACKNOWLEDGED,
    UNITS,
    duration,
    rule_name,
    titles_of,
)
from dashboards.wall.model.figures import AlarmNow, AlarmState, Strip, WatchStatus
from dashboards.wall.model.hours import local
from dashboards.wall.model.rows import EpisodeRow, WallRows, judged_to
from streams.site.model import Site
from streams.text import Text

SHELVED = "shelved"
CLEARED = "cleared-unacknowledged"
RANKS: Mapping[str, int] = {"yellow": 0, "orange": 1, "red": 2}
"""The order of the levels; an unknown level counts as the worst."""

_MINUTE_MS = 60_000


def strip_of(rows: WallRows, site: Site, *, site_ms: int, stale_after_ms: int) -> Strip:
    """Return the strip of one round of rows, at the site time `site_ms`."""
    episodes = rows.episodes
    if episodes is None:
        return Strip(watch="no-view")
    titles = titles_of(site)
    shown = sorted((row for row in episodes if row.state != SHELVED), key=_urgency)
    judged = judged_to(rows.logs)
    return Strip(
        watch=_watch(judged, rows.real_ms, stale_after_ms),
        judged_to_ms=judged,
        age_ms=None if judged is None else rows.real_ms - judged,
        alarms=[_alarm(row, site, titles, site_ms=site_ms) for row in shown],
        shelved=len(episodes) - len(shown),
    )


def aged_strip(strip: Strip, real_ms: int, *, site_ms: int, zone: str, stale_after_ms: int) -> Strip:
    """Return the same strip at a later time: alarms have lasted longer, and their judgement is older."""
    judged = strip.judged_to_ms
    return msgspec.structs.replace(
        strip,
        watch=strip.watch if strip.watch == "no-view" else _watch(judged, real_ms, stale_after_ms),
        age_ms=None if judged is None else real_ms - judged,
        alarms=[
            msgspec.structs.replace(each, lasting=_lasting(each.raised_ms, each.cleared_ms, site_ms=site_ms, zone=zone))
            for each in strip.alarms
        ],
    )


def worse(level: str, than: str) -> bool:
    """Whether a level is worse than another."""
    return _rank(level) > _rank(than)


def _watch(judged: int | None, real_ms: int, stale_after_ms: int) -> WatchStatus:
    if judged is None:
        return "unheard"
    return "ok" if abs(real_ms - judged) <= stale_after_ms else "behind"


def _rank(level: str) -> int:
    return RANKS.get(level, len(RANKS))


def _urgency(row: EpisodeRow) -> tuple[bool, int, bool, int, str]:
    """Sort open alarms before cleared ones, then by level, then unacknowledged ones first, then the newest first."""
    return (row.state == CLEARED, -_rank(row.level), row.state == "acknowledged", -row.raised_at, row.episode)


def _alarm(row: EpisodeRow, site: Site, titles: Mapping[str, Text], *, site_ms: int) -> AlarmNow:
    return AlarmNow(
        episode=row.episode,
        change=row.change,
        level=row.level,
        state=cast("AlarmState", row.state),
        what=rule_name(row.rule) or Text(row.rule, row.rule),
        where=_where(row, titles),
        zone=_zone(row.zone, site),
        value=_value(row),
        told=_acknowledgement(row),
        lasting=_lasting(row.raised_at, row.cleared_at, site_ms=site_ms, zone=site.time_zone),
        raised_ms=row.raised_at,
        cleared_ms=row.cleared_at,
    )


def _where(row: EpisodeRow, titles: Mapping[str, Text]) -> Text:
    """Name the place by its title; a lane by its entrance's and its own, a gateway by its own."""
    title, kind = titles.get(row.subject), KIND_NAMES.get(row.kind)
    own = f" {row.subject}" if row.rule == "silence-lane" else ""
    zh, en = (f"{title.zh}{own}", f"{title.en}{own}") if title else (row.subject, row.subject)
    return Text(f"{zh}（{kind.zh}）", f"{en} ({kind.en})") if kind else Text(zh, en)


def _zone(name: str, site: Site) -> Text:
    title = next((zone.title for zone in site.zones if zone.id == name), None)
    return Text(title.zh, title.en) if title else Text(name, name)


def _value(row: EpisodeRow) -> Text:
    unit = UNITS.get(row.unit, Text(row.unit, row.unit))
    value, limit = _figure(row.value), _figure(row.limit)
    return Text(f"{value} {unit.zh}，限值 {limit}", f"{value} {unit.en}, limit {limit}")


def _figure(value: float) -> str:
    """Format a value with at most one decimal, truncated and not rounded: 99.97 must not read as 100."""
    return f"{math.floor(value * 10 + 1e-6) / 10:,.1f}".removesuffix(".0")


def _acknowledgement(row: EpisodeRow) -> Text:
    if row.state == CLEARED:
        over = STATE_NAMES["cleared"]
        return Text(f"{over.zh}，{UNACKNOWLEDGED.zh}", f"{over.en}, {UNACKNOWLEDGED.en}")
    if row.state == "acknowledged":
        done, actor = STATE_NAMES["acknowledged"], _printable(row.actor)
        return Text(f"{actor} {done.zh}", f"{actor}, {done.en}")
    return UNACKNOWLEDGED


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _lasting(raised: int, cleared: int | None, *, site_ms: int, zone: str) -> Text:
    """Return since when and for how long, in minutes from one minute on; with the date if it was another day."""
    end = site_ms if cleared is None else cleared
    ms = max(0, end - raised)
    lasted = duration(ms if ms < _MINUTE_MS else ms - ms % _MINUTE_MS)
    began, now = local(raised, zone), local(site_ms, zone)
    at = began.strftime("%H:%M" if began.date() == now.date() else "%m-%d %H:%M")
    if cleared is None:
        return Text(f"{at} 起 {lasted.zh}", f"{at}, {lasted.en}")
    return Text(f"{at} 历时 {lasted.zh}", f"{at}, lasted {lasted.en}")
