"""Runs the forecasting process: forecasts each minute once all of it is stored; the last module to read."""

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog

from sinks.rows import TABLES
from sinks.sink import Sink, StoreError
from streams.forecasting.advice_state import Given, follow
from streams.forecasting.areas import (
    AreaKind,
    Courses,
    capacities,
    learnt,
    observe,
    past_days,
    profile_of,
    since_midnight,
)
from streams.forecasting.queues import DaySoFar, QueueNow
from streams.forecasting.reading import ForecastReader
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.counts.columns import Block
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.forecast.advice import advise
from streams.kernels.forecast.calibration import LEADS
from streams.kernels.forecast.forecast import Forecast, Forecaster

log = structlog.get_logger()

_POLL_SECONDS: Final = 1.0
"""Real seconds between two checks whether a minute is complete."""
_PAST_DAYS: Final = 3
_BACK: Final = 14
"""Days that are looked back for past days with visitors."""
_ACTIVE_WITHIN: Final = 5 * MINUTE_MS
"""A lane through which somebody passed so lately is open."""


@dataclass
class Foresight:
    """Forecasts from what is stored; times are ms of site time. `seen`: all minutes before it are processed."""

    stored: ForecastReader
    sink: Sink
    clock: SiteClock
    seen: int = 0
    today: DaySoFar | None = None
    forecasters: dict[AreaKind, Forecaster] = field(default_factory=dict)

    async def run(self) -> None:
        """Run for ever; a store that does not answer is queried again."""
        while True:
            try:
                await self.once()
            except StoreError as error:
                log.warning("no forecast for now", reason=str(error))
            await asyncio.sleep(_POLL_SECONDS)

    async def once(self) -> bool:
        """Take in every minute that has become complete, and write what follows; say whether there was one."""
        end = await asyncio.to_thread(self._complete)
        if end <= self.seen:
            return False
        await self.sink.write(await asyncio.to_thread(self._take_in, end))
        return True

    def _complete(self) -> int:
        """Return the end of the newest full minute: all of it is stored, and an entrance has sent an event since.

        Without an event, a minute without people cannot be distinguished from one that has not come yet.
        """
        complete = self.stored.complete_to()
        end = 0 if complete is None else self.clock.now(complete) // MINUTE_MS * MINUTE_MS
        if end <= self.seen:
            return end
        return min(end, (self.stored.newest() or 0) // MINUTE_MS * MINUTE_MS)

    def _take_in(self, end: int) -> list[Block]:
        """Read all that is needed, then reckon with it: a store that fails in between leaves nothing half done."""
        days = self.stored.site.days
        date = days.day(end - 1)
        today = self.today
        if today is None or date != today.date:
            today = self._begin_day(date)
        start = max(self.seen, today.begin)
        passed, inside = self.stored.passages(start, end), self.stored.inside(end)
        active_devices, current = self.stored.active_devices(end - _ACTIVE_WITHIN), self.stored.advice()

        self.today, self.seen = today, end
        forecasts = self._observe(passed, inside, start, end)
        today.extend(passed, (end - start) // MINUTE_MS)
        queues = today.queues(active_devices)
        return [*forecast_blocks(forecasts, end), queue_block(queues, end), advice_of(queues, current, end, days.zone)]

    def _observe(
        self, passed: Courses, inside: Mapping[AreaKind, int], start: int, end: int
    ) -> dict[AreaKind, tuple[int, Forecast]]:
        """Let every area's forecaster go through the minutes from `start` to `end`."""
        days = since_midnight(self.stored.site, passed, minutes=(end - start) // MINUTE_MS, inside=inside)
        forecasts = {}
        for area, day in days.items():
            forecast = observe(self.forecasters[area], start, *day)
            if forecast is not None:
                forecasts[area] = self.forecasters[area].capacity, forecast
        return forecasts

    def _begin_day(self, date: dt.date) -> DaySoFar:
        """Go on with another day's profile; a process that has just begun learns from the days before first."""
        site, (begin, end) = self.stored.site, self.stored.site.days.bounds(date)
        today = DaySoFar.begun(site, date, begin, self.stored.lanes(begin, end))
        past = []
        for day in self.stored.days(date, back=_BACK, most=_PAST_DAYS):
            start, until = site.days.bounds(day)
            past.append(past_days(site, self.stored.passages(start, until), start, site.days.clock(day)))
        for area, capacity in capacities(site).items():
            days = [each[area] for each in past]
            if area not in self.forecasters:
                self.forecasters[area] = learnt(capacity, tuple(site.levels.values()), days)
            self.forecasters[area].begin_day(begin // MINUTE_MS, profile_of(days), clock=today.clock)
        log.info("a day begins", date=str(date), learnt_from=len(past))
        return today


def advice_of(queues: Sequence[QueueNow], current: Sequence[Given], end: int, zone: ZoneInfo) -> Block:
    """Give advice, and update what was given before: the store has it, where it is accepted or declined."""
    waits = {each.entrance.id: each.usual.wait for each in queues}
    local = dt.datetime.fromtimestamp(end / 1000, zone)
    minute = local.strftime("%Y%m%d%H%M") + "-2" * local.fold  # what the clock shows for the second time
    advised = advise(each.for_advice() for each in queues)
    return advice_block(follow(current, advised, waits, at=end, minute=minute), end)


def forecast_blocks(forecasts: Mapping[AreaKind, tuple[int, Forecast]], end: int) -> list[Block]:
    """Write (capacity, forecast) of each area, and the errors of its day so far, as of the moment `end` (ms)."""
    levels = [
        (
            area, kind, each.level, end, capacity, forecast.observed,
            each.minutes, each.earliest, each.latest, forecast.method,
        )
        for (area, kind), (capacity, forecast) in forecasts.items()
        for each in forecast.crossings
    ]  # fmt: skip
    errors = [
        (area, kind, lead, end, *measured)
        for (area, kind), (_, forecast) in forecasts.items()
        for lead, *measured in zip(
            LEADS, forecast.measured.checked, forecast.measured.error, forecast.measured.covered, strict=True
        )
    ]
    return [_block("forecasts", levels), _block("forecast_errors", errors)]


def queue_block(queues: Iterable[QueueNow], end: int) -> Block:
    """Write the queues as of the moment `end` (ms)."""
    return _block(
        "entrance_queues",
        [
            (
                each.entrance.id, end, each.lanes, each.usual.saturated_for, each.usual.waiting,
                each.usual.wait, each.fewer.wait, each.more.wait,
                each.usual.to_clear, each.fewer.to_clear, each.more.to_clear, each.plan_error.mean,
            )
            for each in queues
        ],
    )  # fmt: skip


def advice_block(given: Iterable[Given], end: int) -> Block:
    """Write the advice as of the moment `end` (ms)."""
    return _block(
        "advice",
        [
            (
                each.id, each.entrance, each.since, end, each.lanes_before, each.lanes_after, each.wait_before,
                each.wait_after, each.limit, each.zh, each.en, each.needed_at, each.wait_measured, each.over_at,
            )
            for each in given
        ],
    )  # fmt: skip


def _block(table: str, rows: Iterable[tuple[Any, ...]]) -> Block:
    """Turn rows, each in the order of the table's columns, into columns."""
    names = TABLES[table].columns
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return Block(table, dict(zip(names, columns, strict=True)))
