"""How a replay asks the store: with its own columns of time, and numbers for names. Read next: `beginning.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dashboards.wall.model.reading import EpisodeRow, QueueRow
from dashboards.wall.model.scopes import site_kinds
from dashboards.wall.replay.timeline import Ints, Known
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site


class Store(Protocol):
    """Answers questions: rows, or by column. Both raise a StoreError when there is no answer."""

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows."""

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the columns, numbers as arrays."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What a replay is of: a site, up to `end` (site time, ms), in one knowledge."""

    store: Store
    site: Site
    clock: SiteClock
    end: int
    known: Known
    flow_minutes: int

    def rows(self, sql: str, **params: object) -> list[Any]:
        """Return the rows of an answer."""
        return self.store.query(self._told(sql), params)

    def columns(self, sql: str, **params: object) -> list[Ints]:
        """Return the columns of an answer, all of them integers."""
        entrances, categories = names_of(self.site)
        names = {
            "entrances": list(entrances),
            "numbers": list(range(len(entrances))),
            "categories": list(categories),
            "places": list(range(len(categories))),
            "unknown": len(categories),
        }
        found = self.store.columns(self._told(sql), names | params)
        return [np.asarray(column, np.int64) for column in found.values()]

    def _told(self, sql: str) -> str:
        """Fill in the columns by which something is known."""
        by, changed = ("known_at", "known_at") if self.known == "then" else ("ts", "changed_at")
        return sql.replace("{by}", by).replace("{changed}", changed)


def names_of(site: Site) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the entrances and the categories of a site, each of which is counted under its place here."""
    categories = dict.fromkeys(each.id for kind in site_kinds(site) for each in site.categories_of(kind))
    return tuple(entrance.id for entrance in site.entrances), tuple(categories)


def alarms(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, EpisodeRow]]:
    """Return changes of alarms, each with its place on the axis."""
    return [(row[0], EpisodeRow(*row[1:])) for row in rows]


def queues(rows: Sequence[tuple[Any, ...]]) -> list[tuple[int, QueueRow]]:
    """Return reckonings of queues, each with its time."""
    return [(row[0], QueueRow(*row[1:])) for row in rows]
