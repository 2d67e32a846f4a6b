"""Simulates a busy day at the expo, beat by beat: every figure on the wall changes every second.

Entrances change places, halls fill and empty, some 50 alarms come and go, the trend moves on. `apart.py` serves it.
"""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Final

from dashboards.messages.alarm_words import RULE_NAMES
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import (
    HOUR,
    MINUTE,
    STEP,
    AreaRow,
    ChangeRow,
    DeviceRow,
    EntranceTotalRow,
    FlowRow,
    ForecastRow,
    InsideRow,
    QueueRow,
    Span,
    StepRow,
    Stretch,
    TodayRow,
    TrendRows,
    WallRows,
    span_of,
)
from dashboards.wall.model.scopes import Scope, areas_of, scopes_of
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site
from streams.site.reader import load_site
from tests.support.wall_site import alarm, alarm_log, at, log

EXPO: Final = load_site("expo")
ALARMS: Final = 60
"""Of these a sixth is over and forgotten at any time: 50 are open, acknowledged, or over and not acknowledged."""
_ALARM_STEPS: Final = 10
"""So many steps an alarm stays in one state."""
_TURN, _CALM_FROM = 240, 180
"""In every so many steps there is no alarm from that one on: a page may have another face then."""
_STATES: Final = ("raised", "raised", "acknowledged", "acknowledged", "cleared-unacknowledged", None)
_LEVELS: Final = ("yellow", "orange", "red")
_RULES: Final = tuple(RULE_NAMES)
_ROUNDS_A_STEP: Final = 60
_LOGS: Final = 12


def morning_clock(speed: float = 1.0) -> SiteClock:
    """Return a site clock that shows half past ten of a day of the fair at this moment."""
    return SiteClock(at("10:30:00"), time.time_ns() // 1_000_000, speed)


class BusyDay:
    """A source for a wall: each round is a step further into the day.

    `resting` makes every round show the same picture, one without alarms, so that what a page holds can be compared
    before and after.
    """

    def __init__(self, options: WallOptions, site: Site = EXPO) -> None:
        self.resting = False
        self._options, self._site = options, site
        self._rounds = 0

    def read(self, real_ms: int) -> WallRows:
        """Answer with the next step of the day."""
        self._rounds += 1
        step = self._step
        logs = [*(log(real_ms - 300, partition=number) for number in range(_LOGS)), alarm_log(real_ms - 400)]
        span = span_of(logs, self._options.clock, real_ms, self._site)
        site_ms = self._options.clock.now(real_ms)
        entered = 100_000 + 37 * step
        return WallRows(
            real_ms,
            span,
            logs,
            today=[
                TodayRow("person", entered, entered // 3, entered - 4000, 12),
                TodayRow("vehicle", 5000 + step, 4000 + step, 4800 + step, 3),
            ],
            areas=list(self._areas(real_ms, step)),
            totals=list(self._totals(step)),
            flows=list(self._flows(span, step)),
            devices=list(self._devices(site_ms, step)),
            episodes=list(self._episodes(site_ms, step)),
            queues=list(self._queues(span, step)),
            forecasts=list(self._forecasts(site_ms, step)),
        )

    def read_trend(self, span: Span) -> Sequence[TrendRows]:
        """Answer with the day so far and the day before; both move on by a step in `_ROUNDS_A_STEP`."""
        course = self._step // _ROUNDS_A_STEP
        today = Stretch(span.trend.start, span.end)
        return [
            TrendRows(
                span, scope, self._steps(scope, today, course), self._inside(scope, today, course),
                self._steps(scope, span.before, course + 7), self._inside(scope, span.before, course + 7),
            )
            for scope in scopes_of(self._site, "trend")
        ]  # fmt: skip

    def read_changes(self, episode: str) -> Sequence[ChangeRow]:  # noqa: ARG002 - no alarm has any here
        """Answer that nothing is known of the alarm's past."""
        return ()

    def close(self) -> None:
        """Nothing is to be let go."""

    @property
    def _step(self) -> int:
        return _CALM_FROM if self.resting else self._rounds

    def _areas(self, real_ms: int, step: int) -> Iterator[AreaRow]:
        for place, area in enumerate(self._site.areas):
            for kind, capacity in area.capacity.items():
                yield AreaRow(area.id, kind, real_ms, _wave(step + 40 * place, 240, 0, round(1.1 * capacity)), capacity)

    def _totals(self, step: int) -> Iterator[EntranceTotalRow]:
        for place, gate in enumerate(self._site.entrances):
            yield EntranceTotalRow(gate.id, "in", 900 + 90 * place + step)
            yield EntranceTotalRow(gate.id, "out", 300 + 30 * place + step // 2)

    def _flows(self, span: Span, step: int) -> Iterator[FlowRow]:
        for place, gate in enumerate(self._site.entrances):
            for direction, period in (("in", 90), ("out", 120)):
                minute, before = _wave(step + 7 * place, period, 0, 80), _wave(step + 9 * place, 2 * period, 0, 320)
                hour = 12 * (minute + before)
                yield FlowRow(gate.id, direction, minute, before, minute + before, hour, span.end - HOUR)

    def _queues(self, span: Span, step: int) -> Iterator[QueueRow]:
        """Some entrances have no queue that could be reckoned."""
        for place, gate in enumerate(self._site.entrances):
            wait = None if place % 5 == 0 else _wave(step + 13 * place, 150, 0, 25) / 2
            low, high = (None, None) if wait is None else (wait / 2, wait * 2)
            yield QueueRow(gate.id, span.end - MINUTE, len(gate.lanes) // 2, wait, low, high)

    def _devices(self, site_ms: int, step: int) -> Iterator[DeviceRow]:
        """A lane in eight says nothing for a while, one in thirty lacks some events."""
        for place, gate in enumerate(self._site.entrances):
            for number, lane in enumerate(gate.lanes):
                quiet = (step // 20 + place + number) % 8 == 0
                missing = 3 if (step // 30 + place + number) % 30 == 0 else 0
                yield DeviceRow(lane, gate.id, missing, site_ms - (20 * MINUTE if quiet else 2000))

    def _episodes(self, site_ms: int, step: int) -> Iterator[Episode]:
        """Alarms change their states one after the other; what is over and acknowledged leaves the list."""
        if step % _TURN >= _CALM_FROM:
            return
        for number in range(ALARMS):
            turns, state = divmod(step // _ALARM_STEPS + number, len(_STATES))
            if (now := _STATES[state]) is not None:
                yield alarm(
                    self._site.entrances[number % len(self._site.entrances)].id,
                    rule=_RULES[number % len(_RULES)],
                    kind="person" if number % 3 else "",
                    zone=self._site.zones[number % len(self._site.zones)].id,
                    level=_LEVELS[(number + turns) % len(_LEVELS)],
                    state=now,
                    change=state + 1,
                    value=11 + _wave(step + number, 50, 0, 80) / 10,
                    raised_at=site_ms - (number + 1) * MINUTE,
                    cleared_at=site_ms - 1000 if now.startswith("cleared") else None,
                    actor="王芳" if now == "acknowledged" else "",
                )

    def _forecasts(self, site_ms: int, step: int) -> Iterator[ForecastRow]:
        for place, area in enumerate(self._site.areas):
            for level in (80, 90, 100):
                minutes = 1 + _wave(step + 9 * place, 70, 0, level)
                yield ForecastRow(area.id, "person", level, site_ms - 1000, minutes, minutes * 3 // 4, minutes * 3 // 2)

    def _steps(self, scope: Scope, stretch: Stretch, course: int) -> list[StepRow]:
        categories = [each.id for each in self._site.categories_of(scope.kind)]
        rows = []
        for place, start in enumerate(range(stretch.start, stretch.end, STEP), start=course):
            rows.append(StepRow(start, "out", categories[0], _wave(place, 29, 50, 1000)))
            rows += [StepRow(start, "in", each, _wave(place + n, 13, 20, 400)) for n, each in enumerate(categories)]
        return rows

    def _inside(self, scope: Scope, stretch: Stretch, course: int) -> list[InsideRow]:
        return [
            InsideRow(area, start, _wave(place, 97, 2000, 6000))
            for place, start in enumerate(range(stretch.start, stretch.end, STEP), start=course)
            for area in areas_of(scope, self._site)
        ]


def _wave(step: int, period: int, least: int, most: int) -> int:
    """Go up and down between two values, once in `period` steps."""
    return round(least + (most - least) * (1 + math.sin(math.tau * step / period)) / 2)
