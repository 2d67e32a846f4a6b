"""The last two hours, minute by minute: in and out over the site's boundary, and who was inside; pure.

Read `snapshot.py` for the figures of this moment.
"""

from collections.abc import Sequence

import msgspec

from dashboards.wall.reading import MINUTE, TrendReading


class Trend(msgspec.Struct, frozen=True):
    """Full minutes from `start_ms` (site time): passages in and out, and inside at the minute's end.

    The three lists are of one length. A minute before the first event ever is None.
    """

    start_ms: int
    entered: Sequence[int | None]
    departed: Sequence[int | None]
    inside: Sequence[int | None]


def draw(reading: TrendReading) -> Trend:
    """Lay the rows of a trend on a grid of minutes; an occupancy stays until the next one is known."""
    minutes = range(reading.span.trend_start, reading.span.end, MINUTE)
    inside = _inside(reading, minutes)
    counts = {(row.minute, row.direction): row.passages for row in reading.minutes}
    first = min((minute for minute, _ in counts), default=reading.span.end)

    def passages(direction: str) -> list[int | None]:
        return [
            None if people is None and minute < first else counts.get((minute, direction), 0)
            for minute, people in zip(minutes, inside, strict=True)
        ]

    return Trend(reading.span.trend_start, passages("in"), passages("out"), inside)


def _inside(reading: TrendReading, minutes: range) -> list[int | None]:
    changes: dict[int, dict[str, int]] = {}
    for row in reading.inside:
        changes.setdefault(row.minute, {})[row.area] = row.inside
    now = changes.get(0, {})
    course: list[int | None] = []
    for minute in minutes:
        now |= changes.get(minute, {})
        course.append(sum(now.values()) if now else None)
    return course
