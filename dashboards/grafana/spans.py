"""Which moments a question asks for, as SQL with the macros of Grafana's ClickHouse plugin. Read next: `clickhouse.py`.

The range that is chosen in Grafana is cut off where the data end, so that a lag never shows as nobody coming, and only
whole buckets are shown. "Today" is the site's day at the range's end: choose a past range and its day is shown.
"""

from typing import Final

COMPLETE_TO: Final = (
    "(SELECT minOrNull(complete_to) FROM gatepulse.progress WHERE topic != 'alarm.inputs'"
    " AND cluster = (SELECT argMax(cluster, complete_to) FROM gatepulse.progress))"
)
"""The real time up to which every figure is stored: of the oldest log of the live cluster; NULL if there is none."""

HEARD: Final = f"{COMPLETE_TO} IS NOT NULL"
"""Whether anything was ever stored: until then a count is not 0 but unknown."""

JUDGED_TO: Final = COMPLETE_TO.replace("topic != 'alarm.inputs'", "topic = 'alarm.inputs'")
"""The real time up to which alarms are judged; NULL if nobody has judged any."""

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

_STEP: Final = "INTERVAL $__interval_s SECOND"

BUCKETS: Final = (
    f"window_start >= toStartOfInterval($__fromTime, {_STEP}) AND window_start < toStartOfInterval({END}, {_STEP})"
)
"""The whole buckets of the range."""

PER_MINUTE: Final = "* 60 / $__interval_s"
"""Makes a bucket's sum a rate, per minute."""


def today(zone: str) -> str:
    """Return the site's calendar day at the end of the data."""
    return f"toDate({END}, '{zone}')"
