"""Passages and open lanes of each entrance today, minute by minute; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streams.forecasting.queues import QueueNow, planned_lanes, queue_now
from streams.kernels.counts.calendar import MINUTE_MS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from streams.forecasting.areas import Courses
    from streams.kernels.forecast.paths import Floats, Minutes
    from streams.site.model import Site


@dataclass
class DaySoFar:
    """One day of a site so far: `minutes` of it, from `begin` (ms) on; `clock`: what is shown in each minute of it."""

    site: Site
    date: dt.date
    begin: int
    clock: Minutes
    passed: dict[str, Floats]
    opened: dict[str, Floats]
    minutes: int = 0

    @classmethod
    def begun(cls, site: Site, date: dt.date, begin: int, lanes: Iterable[tuple[int, str, int]]) -> DaySoFar:
        """Begin a day; `lanes`: (end of a minute in ms, entrance, open lanes) where that was said already, in order."""
        opened = {entrance.id: [float(planned_lanes(entrance))] for entrance in site.entrances}
        for end, entrance, count in lanes:
            course, minutes = opened.get(entrance, []), (end - begin) // MINUTE_MS
            course += [course[-1]] * (minutes - len(course)) if course else []
            course[-1:] = [float(count)]
        clock, opened_at = site.days.clock(date), {name: np.array(course) for name, course in opened.items()}
        return cls(site, date, begin, clock, {}, opened_at)

    def extend(self, passed: Courses, minutes: int) -> None:
        """Take in what passed in the next minutes."""
        self.minutes += minutes
        for entrance in self.site.entrances:
            more = passed.get((entrance.id, "in"), np.zeros(minutes))
            self.passed[entrance.id] = np.concatenate([self.passed.get(entrance.id, np.zeros(0)), more])

    def queues(self, active_devices: Mapping[str, int]) -> list[QueueNow]:
        """Return the queue at every entrance, if the site opens today; `active_devices`: lanes in use lately."""
        hours = self.site.hours(self.date)
        if hours is None or not self.minutes:
            return []
        opens = (hours[0] - self.site.days.begin(self.date)) // MINUTE_MS
        found = []
        for entrance in self.site.entrances:
            opened = self.opened[entrance.id]
            opened = np.concatenate([opened, np.full(max(self.minutes - len(opened), 0), opened[-1])])[: self.minutes]
            queue = queue_now(
                entrance, self.passed[entrance.id], active_devices=active_devices.get(entrance.id, 0),
                opened=opened, opens=opens, clock=self.clock,
            )  # fmt: skip
            opened[-1] = queue.lanes
            self.opened[entrance.id] = opened
            found.append(queue)
        return found
