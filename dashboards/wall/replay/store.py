"""Runs the queries of one replay, on its own time axis and with numbers for names. Next: `initial_state.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dashboards.wall.live.queries import StoreConnection
from dashboards.wall.model.rows import QueueRow
from dashboards.wall.model.scopes import site_kinds
from dashboards.wall.replay.timeline import Known
from streams.kernels.alarms.episodes import Episode
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site


@dataclass(frozen=True, slots=True)
class ReplayStore:
    """The store as one replay reads it: a site up to `end` (site time, ms), by one knowledge."""

    connection: StoreConnection
    site: Site
    clock: SiteClock
    end: int
    known: Known
    flow_minutes: int

    def rows(self, sql: str, **params: object) -> list[Any]:
        """Return the rows of a query."""
        return self.connection.query(self._on_axis(sql), params)

    def columns(self, sql: str, **params: object) -> list[Ints]:
        """Return the columns of a query, all of them integers."""
        entrances, categories = numbered_names(self.site)
        names = {
            "entrances": list(entrances),
            "entrance_numbers": list(range(len(entrances))),
            "categories": list(categories),
            "category_numbers": list(range(len(categories))),
            "unknown": len(categories),
        }
        found = self.connection.columns(self._on_axis(sql), names | params)
        return [np.asarray(column, np.int64) for column in found.values()]

    def _on_axis(self, sql: str) -> str:
        """Fill in the columns of the replay's axis."""
        by, changed = ("known_at", "known_at") if self.known == "then" else ("ts", "changed_at")
        return sql.replace("{by}", by).replace("{changed}", changed)


def numbered_names(site: Site) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the entrances and the categories of a site; the number of each is its index."""
    categories = dict.fromkeys(each.id for kind in site_kinds(site) for each in site.categories_of(kind))
    return tuple(entrance.id for entrance in site.entrances), tuple(categories)


def alarms(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, Episode]]:
    """Return changes of alarms, each with its time on the axis."""
    return [(row[0], Episode(*row[1:])) for row in rows]


def queues(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, QueueRow]]:
    """Return estimates of queues, each with its time."""
    return [(row[0], QueueRow(*row[1:])) for row in rows]
