"""Computes the strip of alarms: their order and wording, and whether the absence of alarms is proven; pure.

The wording is that of the robots' messages (`dashboards/messages/sentences.py`). Read next: `snapshot.py`.
"""

from functools import partial
from typing import Any, cast

import msgspec

from dashboards.messages.alarm_words import rank
from dashboards.messages.sentences import Sentences, since
from dashboards.wall.model.figures import AlarmNow, AlarmState, Strip, WatchStatus
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import WallRows, judged_to
from streams.kernels.alarms.episodes import Episode
from streams.site.model import Site

CLEARED = "cleared-unacknowledged"


def strip_of(rows: WallRows, site: Site, options: WallOptions) -> Strip:
    """Return the strip of one round of rows."""
    episodes = rows.episodes
    if episodes is None:
        return Strip(watch="no-view")
    say = Sentences(site)
    shown = sorted((row for row in episodes if row.state != "shelved"), key=_urgency)
    return Strip(
        **_judgement(judged_to(rows.logs), rows.real_ms, options),
        alarms=[_alarm(row, say, options.clock.now(rows.real_ms)) for row in shown],
        shelved=len(episodes) - len(shown),
    )


def aged_strip(strip: Strip, real_ms: int, site: Site, options: WallOptions) -> Strip:
    """Return the same strip at a later time: alarms have lasted longer, and their judgement is older."""
    if strip.watch == "no-view":
        return strip
    lasting = partial(since, now_ms=options.clock.now(real_ms), zone=site.time_zone)
    alarms = [msgspec.structs.replace(each, lasting=lasting(each.raised_ms, each.cleared_ms)) for each in strip.alarms]
    return msgspec.structs.replace(strip, **_judgement(strip.judged_to_ms, real_ms, options), alarms=alarms)


def _judgement(judged: int | None, real_ms: int, options: WallOptions) -> dict[str, Any]:
    age = None if judged is None else real_ms - judged
    watch: WatchStatus = "unheard" if age is None else "ok" if abs(age) <= options.stale_after_ms else "behind"
    return {"watch": watch, "judged_to_ms": judged, "age_ms": age}


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
