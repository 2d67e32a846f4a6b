"""The sentences about an alarm episode: what, where, whose, how much, since when; pure, in Chinese and English.

The wall, robots' messages and `gatepulse alarms list` all say these. Read next: `message_text`.
"""

import datetime as dt
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from zoneinfo import ZoneInfo

from dashboards.messages.alarm_words import (
    KIND_NAMES,
    RULE_NAMES,
    STATE_NAMES,
    UNACKNOWLEDGED,
    UNITS,
    duration,
    place_titles,
)
from streams.kernels.alarms.episodes import Episode
from streams.site.model import Site, Zone
from streams.text import Text

_MINUTE_MS: Final = 60_000
_LAST_MS: Final = 253_370_000_000_000  # late in the year 9998: no sentence fails because of a wrong time


@dataclass(frozen=True)
class Sentences:
    """Words for the episodes of one site."""

    site: Site

    @cached_property
    def _titles(self) -> dict[str, Text]:
        lanes = {lane: each.title for each in self.site.entrances for lane in each.lanes}
        return lanes | place_titles(self.site)

    def what(self, episode: Episode) -> Text:
        """Return what the alarm is about: its rule; of one that is not known, the name of its family, or its own."""
        rule = episode.rule
        return RULE_NAMES.get(rule) or RULE_NAMES.get(rule.split("-", maxsplit=1)[0]) or Text(rule, rule)

    def happened(self, episode: Episode) -> Text:
        """Return what has happened to the episode last: raised, escalated, ..., cleared."""
        return STATE_NAMES.get(episode.what, Text(episode.what, episode.what))

    def where(self, episode: Episode) -> Text:
        """Name the place by its title; a lane by its entrance's and its own, a gateway by its own."""
        title, kind = self._titles.get(episode.subject), KIND_NAMES.get(episode.kind)
        own = f" {episode.subject}" if episode.rule == "silence-lane" else ""
        zh, en = (f"{title.zh}{own}", f"{title.en}{own}") if title else (episode.subject, episode.subject)
        return Text(f"{zh}（{kind.zh}）", f"{en} ({kind.en})") if kind else Text(zh, en)

    def zone(self, episode: Episode) -> Text:
        """Name the zone."""
        zone = self._zone(episode)
        return zone.title if zone else Text(episode.zone, episode.zone)

    def team(self, episode: Episode) -> Text | None:
        """Name the team of the zone; None if the alarm belongs to none."""
        zone = self._zone(episode)
        return zone.team if zone else None

    def how_much(self, episode: Episode) -> Text:
        """Return the value, and the limit that it is about."""
        unit = UNITS.get(episode.unit, Text(episode.unit, episode.unit))
        value, limit = _figure(episode.value), _figure(episode.limit)
        return Text(f"{value} {unit.zh}，限值 {limit}", f"{value} {unit.en}, limit {limit}")

    def acknowledged(self, episode: Episode) -> Text:
        """Return who has acknowledged it, or that nobody has."""
        if episode.state == "cleared-unacknowledged":
            over = STATE_NAMES["cleared"]
            return Text(f"{over.zh}，{UNACKNOWLEDGED.zh}", f"{over.en}, {UNACKNOWLEDGED.en}")
        if episode.state == "acknowledged":
            done = STATE_NAMES["acknowledged"]
            actor = "".join(each if each.isprintable() else " " for each in episode.actor)
            return Text(f"{actor} {done.zh}", f"{actor}, {done.en}")
        return UNACKNOWLEDGED

    def since(self, episode: Episode, now_ms: int) -> Text:
        """Say since when and for how long, at a moment (ms of site time)."""
        return since(episode.raised_at, episode.cleared_at, now_ms=now_ms, zone=self.site.time_zone)

    def _zone(self, episode: Episode) -> Zone | None:
        return next((zone for zone in self.site.zones if zone.id == episode.zone), None)


def since(raised: int, cleared: int | None, *, now_ms: int, zone: str) -> Text:
    """Say since when and for how long, in minutes once there are some; the date, too, if it was another day."""
    end = now_ms if cleared is None else cleared
    ms = max(0, end - raised)
    lasted = duration(ms if ms < _MINUTE_MS else ms - ms % _MINUTE_MS)
    began, now = _local(raised, zone), _local(now_ms, zone)
    at = began.strftime("%H:%M" if began.date() == now.date() else "%m-%d %H:%M")
    if cleared is None:
        return Text(f"{at} 起 {lasted.zh}", f"{at}, {lasted.en}")
    return Text(f"{at} 历时 {lasted.zh}", f"{at}, lasted {lasted.en}")


def clock_time(ms: int, zone: str) -> str:
    """Write a moment as date and time of day."""
    return _local(ms, zone).strftime("%m-%d %H:%M:%S")


def _local(ms: int, zone: str) -> dt.datetime:
    return dt.datetime.fromtimestamp(min(ms, _LAST_MS) / 1000, ZoneInfo(zone))


def _figure(value: float) -> str:
    """Write a figure with a tenth at most, cut off and not rounded: 99.97 must not read as 100."""
    if not math.isfinite(value) or abs(value) > 1e15:
        return f"{value:g}"
    return f"{math.floor(value * 10 + 1e-6) / 10:,.1f}".removesuffix(".0")
