"""Runs the forecasting process: forecasts each minute once all of it is stored; the last module to read."""

from __future__ import annotations

import asyncio
import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from sinks.sink import StoreError
from streams.forecasting.advice_state import follow
from streams.forecasting.areas import capacities
from streams.forecasting.days import PastDay, day_of, learnt, observe, profile_of, since_midnight
from streams.forecasting.rows import advice_block, forecast_blocks, queue_block
from streams.forecasting.today import DaySoFar
from streams.kernels.counts.calendar import MINUTE_MS
from streams.kernels.forecast.advice import advise

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sinks.sink import Sink
    from streams.forecasting.advice_state import Given
    from streams.forecasting.areas import AreaKind, Courses
    from streams.forecasting.queues import QueueNow
    from streams.forecasting.reading import ForecastReader
    from streams.kernels.counts.columns import Block
    from streams.kernels.counts.site_clock import SiteClock
    from streams.kernels.forecast.forecast import Forecast, Forecaster

log = structlog.get_logger()

_POLL_SECONDS: Final = 1.0
"""Real seconds between two looks whether a minute is complete."""
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
        past = [self._past(day) for day in self.stored.days(date, back=_BACK, most=_PAST_DAYS)]
        for area, capacity in capacities(site).items():
            days = [each[area] for each in past]
            if area not in self.forecasters:
                self.forecasters[area] = learnt(capacity, tuple(site.levels.values()), days)
            self.forecasters[area].begin_day(begin // MINUTE_MS, profile_of(days), clock=today.clock)
        log.info("a day begins", date=str(date), learnt_from=len(past))
        return today

    def _past(self, date: dt.date) -> dict[AreaKind, PastDay]:
        """Read a day that is over."""
        site, (begin, end) = self.stored.site, self.stored.site.days.bounds(date)
        clock = site.days.clock(date)
        areas = day_of(site, self.stored.passages(begin, end), minutes=len(clock))
        return {area: PastDay(begin, day, clock) for area, day in areas.items()}


def advice_of(queues: Sequence[QueueNow], current: Sequence[Given], end: int, zone: ZoneInfo) -> Block:
    """Give advice, and update what was given before: the store has it, where it is accepted or declined."""
    waits = {each.entrance.id: each.usual.wait for each in queues}
    local = dt.datetime.fromtimestamp(end / 1000, zone)
    minute = local.strftime("%Y%m%d%H%M") + "-2" * local.fold  # what the clock shows for the second time
    advised = advise(each.for_advice() for each in queues)
    return advice_block(follow(current, advised, waits, at=end, minute=minute), end)
