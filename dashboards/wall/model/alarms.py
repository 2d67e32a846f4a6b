"""Computes the strip of alarms: their order and wording, and whether the absence of alarms is proven; pure.

The wording is that of the robots' messages (`dashboards/messages/sentences.py`). Read next: `snapshot.py`.
"""

from typing import cast

import msgspec

from dashboards.messages.alarm_words import rank
from dashboards.messages.sentences import Sentences, since
from dashboards.wall.model.figures import AlarmNow, AlarmState, Strip, WatchStatus
from dashboards.wall.model.rows import WallRows, judged_to
from streams.kernels.alarms.episodes import Episode
from streams.site.model import Site

SHELVED = "shelved"
CLEARED = "cleared-unacknowledged"


def strip_of(rows: WallRows, site: Site, *, site_ms: int, stale_after_ms: int) -> Strip:
    """Return the strip of one round of rows, at the site time `site_ms`."""
    episodes = rows.episodes
    if episodes is None:
        return Strip(watch="no-view")
    say = Sentences(site)
    shown = sorted((row for row in episodes if row.state != SHELVED), key=_urgency)
    judged = judged_to(rows.logs)
    return Strip(
        watch=_watch(judged, rows.real_ms, stale_after_ms),
        judged_to_ms=judged,
        age_ms=None if judged is None else rows.real_ms - judged,
        alarms=[_alarm(row, say, site_ms) for row in shown],
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
            msgspec.structs.replace(each, lasting=since(each.raised_ms, each.cleared_ms, now_ms=site_ms, zone=zone))
            for each in strip.alarms
        ],
    )


def _watch(judged: int | None, real_ms: int, stale_after_ms: int) -> WatchStatus:
    if judged is None:
        return "unheard"
    return "ok" if abs(real_ms - judged) <= stale_after_ms else "behind"


def _urgency(row: Episode) -> tuple[bool, int, bool, int, str]:
    """Sort open alarms before cleared ones, then by level, then unacknowledged ones first, then the newest first."""
    return (row.state == CLEARED, -rank(row.level), row.state == "acknowledged", -row.raised_at, row.episode)


def _alarm(row: Episode, say: Sentences, site_ms: int) -> AlarmNow:
    return AlarmNow(
        episode=row.episode,
        change=row.change,
        level=row.level,
        state=cast("AlarmState", row.state),
        what=say.what(row),
        where=say.where(row),
        zone=say.zone(row),
        value=say.how_much(row),
        told=say.acknowledged(row),
        lasting=say.since(row, site_ms),
        raised_ms=row.raised_at,
        cleared_ms=row.cleared_at,
    )
