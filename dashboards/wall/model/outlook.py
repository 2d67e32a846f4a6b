"""Selects from the forecasts the levels of its capacity that an area will reach next; pure. Next: `snapshot.py`."""

from collections.abc import Collection, Mapping, Sequence

from dashboards.wall.model.figures import ExpectedLevel
from dashboards.wall.model.rows import MINUTE, ForecastRow

OLDEST_MS = 3 * MINUTE
"""Site time after which a forecast is too old to be shown."""


def next_levels(
    rows: Sequence[ForecastRow], levels: Collection[int], as_of: int | None
) -> Mapping[tuple[str, str], Sequence[ExpectedLevel]]:
    """Return, by area (the site's id for the whole site) and kind, which of the `levels` are to come, the lowest first.

    `as_of` is the site time of the figures beside them. A level that is not expected within two hours ends the list:
    higher levels are not expected, either.
    """
    found: dict[tuple[str, str], list[ExpectedLevel]] = {}
    ended: set[tuple[str, str]] = set()
    for row in sorted((row for row in rows if row.level in levels), key=lambda row: row.level):
        area = (row.area, row.kind)
        if as_of is None or abs(as_of - row.at) > OLDEST_MS or area in ended or row.minutes == 0:
            continue
        if row.minutes is None:
            ended.add(area)
        else:
            found.setdefault(area, []).append(_as_of(row, row.minutes, as_of))
    return found


def _as_of(row: ForecastRow, minutes: int, as_of: int) -> ExpectedLevel:
    """Count from the figures' moment: what was 25 minutes ahead two minutes ago is 23 ahead now, and never below 1."""
    gone = max(0, as_of - row.at) // MINUTE
    earliest = None if row.earliest is None else max(0, row.earliest - gone)
    latest = None if row.latest is None else max(1, row.latest - gone)
    return ExpectedLevel(row.level, max(1, minutes - gone), earliest, latest)
