"""Converts a site profile into what the codec, the counting kernels and the alarms need."""

from functools import lru_cache
from typing import Final

from streams.contract.events import KIND_OF_TOPIC
from streams.contract.vocabulary import Vocabulary
from streams.kernels.alarms.rules import AlarmEntrance, AlarmSite
from streams.kernels.counts.live import LiveRules
from streams.kernels.counts.place import CountingSite, EntranceSides, TimeRules, devices_of
from streams.kernels.counts.site_clock import SiteClock
from streams.settings import Settings
from streams.site.model import Site
from streams.text import KINDS

_LAST_MS: Final = 15 * 60_000
"""Before the gates close it grows quiet at one after the other."""


def vocabulary_of(site: Site) -> Vocabulary:
    """List the names that the codec accepts."""
    return Vocabulary(
        entrances={each.id: each.kind for each in site.entrances},
        categories={kind: frozenset(each.id for each in site.categories_of(kind)) for kind in KINDS},
        areas={area.id: area.kinds for area in site.areas},
    )


def clock_of(settings: Settings) -> SiteClock:
    """Return the site's clock as it is set."""
    return SiteClock(**settings.clock.model_dump())


def times_of(settings: Settings) -> TimeRules:
    """Return the site's clock, and the limits between which event times are believed."""
    limits = settings.time
    return TimeRules(clock_of(settings), round(limits.suspect_seconds * 1000), round(limits.horizon_seconds * 1000))


def place_of(site: Site, times: TimeRules) -> CountingSite:
    """Describe the site to the kernels."""
    sides = {each.id: EntranceSides(each.outer, each.inner) for each in site.entrances}
    return CountingSite(sides, site.days, times, devices_of(sum(len(each.lanes) for each in site.entrances)))


def alarm_place_of(site: Site, times: TimeRules, *, partitions: int) -> AlarmSite:
    """Describe the site to the alarms."""
    hours = lru_cache(maxsize=4)(site.hours)

    def is_open(ms: int) -> bool:
        today = hours(site.days.day(ms))
        return today is not None and today[0] <= ms < today[1] - _LAST_MS

    return AlarmSite(
        site=site.id,
        entrances=[
            AlarmEntrance(each.id, each.kind, each.zone, each.inner, each.lanes, each.gateway)
            for each in site.entrances
        ],
        capacity=dict(site.capacity.items()),
        rules=site.alarms,
        is_open=is_open,
        logs=partitions * len(KIND_OF_TOPIC),
        grace=LiveRules(times).grace,
        clock=times.clock,
    )
