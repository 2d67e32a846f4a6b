"""Parts of a query: titles of the site, and time ranges with the macros of Grafana's ClickHouse plugin.

The range chosen in Grafana ends where the data end, so that a delay never shows as a time without passages, and only
whole buckets are shown. "Today" is the site's day at the end of the range: choose an earlier range to see its day.
Read next: `panels.py`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from streams.kernels.counts.calendar import DAY_MS, SiteDays
from streams.site.model import Area, Category, Entrance, Site
from streams.text import Text

_YEARS: Final = (2020, 2050)

COMPLETE_TO: Final = (
    "(SELECT minOrNull(complete_to) FROM gatepulse.progress WHERE topic != 'alarm.inputs'"
    " AND cluster = (SELECT argMax(cluster, complete_to) FROM gatepulse.progress))"
)
"""The real time up to which everything is stored: of the oldest log of the live cluster; NULL if there is none."""

HAS_DATA: Final = f"{COMPLETE_TO} IS NOT NULL"
"""Whether anything is stored: until then a count is unknown, and not 0."""

JUDGED_TO: Final = COMPLETE_TO.replace("topic != 'alarm.inputs'", "topic = 'alarm.inputs'")
"""The real time up to which alarms are judged; NULL if none were judged."""

END: Final = f"least($__toTime, toDateTime(ifNull({COMPLETE_TO}, $__toTime)))"
"""Where the data of the range end, to the second."""

FLOW_MINUTES: Final = 5
"""Minutes over which the flow of now is averaged."""

FLOW: Final = (
    f"window_start >= toStartOfMinute({END}) - INTERVAL {FLOW_MINUTES} MINUTE AND window_start < toStartOfMinute({END})"
)
"""The last full minutes of the range."""

BUCKET: Final = "$__timeInterval(window_start)"
"""The bucket of a window; call it `time`: an alias that is the column's own name would hide the first bucket."""

STEP: Final = "INTERVAL $__interval_s SECOND"

BUCKETS: Final = (
    f"window_start >= toStartOfInterval($__fromTime, {STEP}) AND window_start < toStartOfInterval({END}, {STEP})"
)
"""The whole buckets of the range."""

AS_RATE: Final = "* 60 / $__interval_s"
"""Makes a bucket's sum a rate, per minute."""


def today(site: Site) -> str:
    """Return the site's day at the end of the data."""
    return day_of(END, site)


def day_of(moment: str, site: Site) -> str:
    """Return the site's day of a moment: the date that its clock shows, less what a day begins after midnight."""
    repeated = _repeated(site.time_zone, site.day_starts)
    if not site.day_starts and not repeated:
        return f"toDate({moment}, '{site.time_zone}')"
    seconds = f"toUnixTimestamp({moment})"
    shown = f"{seconds} + timezoneOffset(toTimeZone({moment}, '{site.time_zone}')) - {60 * site.day_starts}"
    begun = f" + arrayExists(each -> {seconds} >= each.1 AND {seconds} < each.2, {list(repeated)})" if repeated else ""
    return f"(toDate(toDateTime({shown}, 'UTC')){begun})"


@lru_cache(maxsize=16)
def _repeated(zone: str, day_starts: int) -> tuple[tuple[int, int], ...]:
    """Return the seconds in which the clock shows a time before the day's start again, after the day has begun."""
    days, found = SiteDays(ZoneInfo(zone), day_starts), []
    for number in range((_YEARS[1] - _YEARS[0]) * 366):
        day = dt.date(_YEARS[0], 1, 1) + dt.timedelta(number)
        begin, end = days.bounds(day)
        if end - begin > DAY_MS:
            start = dt.datetime.combine(day, dt.time()) + dt.timedelta(minutes=day_starts)
            again = [ms // 1000 for ms in range(begin, begin + 4 * 3_600_000, 60_000) if days.shows(ms) < start]
            found += [(again[0], again[-1] + 60)] if again else []
    return tuple(found)


def both(title: Text) -> str:
    """Return a title on one line, "北1口 / North gate 1"; if both are the same, only once."""
    return title.zh if title.zh == title.en else f"{title.zh} / {title.en}"


def literal(text: str) -> str:
    """Return a string of ClickHouse's SQL on one line; `$` is escaped, so that Grafana finds no variable in a title."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\x24").replace("\n", "\\n")
    return f"'{escaped}'"


def literals(texts: Iterable[str]) -> str:
    """Return strings of ClickHouse's SQL, separated by commas."""
    return ", ".join(map(literal, texts))


def titled(column: str, titles: Mapping[str, Text] | Iterable[Area | Entrance | Category]) -> str:
    """Return the SQL that shows the ids of a column by their titles; an id without a title as it is."""
    if not isinstance(titles, Mapping):
        titles = {each.id: each.title for each in titles}
    text = f"toString({column})"
    if not titles:
        return text
    return f"transform({text}, [{literals(titles)}], [{literals(map(both, titles.values()))}], {text})"


def among(variable: str) -> str:
    """Return the condition that a column has one of the values of the variable of its name; Grafana quotes them."""
    return f"{variable} IN (${{{variable}:sqlstring}})"
