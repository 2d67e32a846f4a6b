"""Fault scenarios at edges of windows, midnight, nights of daylight saving, and leap days.

What must be counted is worked out here once more, by other means than the oracle's and the kernels'.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.audit.compare import Auditor
from streams.audit.interval import Interval
from tests.faults.by_hand import Passage, by_hand
from tests.faults.catalogue import Layout, fault
from tests.faults.trial import Trial

_ANY_TIME: Final = {"TIME__HORIZON_SECONDS": str(100 * 366 * 86_400)}
"""These passages are years old: they are to be counted all the same, and not as late."""
_BERLIN_NIGHTS: Final = _ANY_TIME | {"SITE": str(Path(__file__).with_name("berlin-nights.toml"))}
_FOUR: Final = dt.timedelta(hours=4)
_STEP: Final = dt.timedelta(milliseconds=1)

_MOMENTS: Final = (
    (2024, 2, 28, 24), (2024, 2, 29, 24), (2025, 2, 28, 24),  # with a 29th, and without
    (2025, 10, 26, 2), (2025, 10, 26, 3), (2025, 10, 26, 24),  # Berlin: 25 hours
    (2025, 12, 31, 24),
    (2026, 3, 29, 2), (2026, 3, 29, 3), (2026, 3, 29, 24),  # Berlin: 23 hours
    (2026, 6, 30, 24),
)  # fmt: skip
"""Local hours, 24 being the midnight behind a day; around each some passages happen."""
_MIDNIGHT: Final = 24


@fault("T17", layout=Layout(scenario="hall", settings=_ANY_TIME))
def berlin_nights(trial: Trial) -> None:
    """Passages around midnight, both nights of daylight saving, 29 February and the year's end, in Berlin."""
    _around_nights(trial, (("main-L01", "main"), ("main-L02", "main")))


@fault("T17b", layout=Layout(scenario="expo", settings=_ANY_TIME))
def shanghai_nights(trial: Trial) -> None:
    """The same times in Shanghai, which has no daylight saving: midnight, 29 February, the year's end."""
    _around_nights(trial, (("N1-L01", "N1"), ("E1-L01", "E1")))


@fault("O11", layout=Layout(scenario="hall", settings=_BERLIN_NIGHTS))
def berlin_evenings(trial: Trial) -> None:
    """The same times and four o'clock after each night, where a day begins at four; counted, then audited."""
    fours = tuple((year, month, day, hour + 4) for year, month, day, hour in _MOMENTS if hour == _MIDNIGHT)
    _around_nights(trial, (("N1-L01", "N1"), ("N1-L02", "N1")), later=_FOUR, moments=(*_MOMENTS, *fours))
    reader, days = trial.plant.reader(), trial.plant.site.days
    try:
        long, short = (days.begin(dt.date(2025, 10, 25)), days.begin(dt.date(2026, 3, 30)))
        result = Auditor(reader, trial.plant.site).audit(Interval(long, short, days))
    finally:
        reader.close()
    trial.expect("counts equal the passages", result.ok and result.compared > 0, f"{result.different} rows differ")


def _around_nights(
    trial: Trial,
    devices: Sequence[tuple[str, str]],
    *,
    later: dt.timedelta = dt.timedelta(0),
    moments: Sequence[tuple[int, int, int, int]] = _MOMENTS,
) -> None:
    zone = ZoneInfo(trial.plant.site.time_zone)
    times = sorted({each for local in moments for each in _around(*local, zone)})
    passages = [Passage(_ms(each), device, entrance) for each in times for device, entrance in devices]
    with by_hand(trial) as hand:
        hand.give(passages)
    trial.counted_so_far()
    dates = [(each.astimezone(zone).replace(tzinfo=None) - later).date() for each in times]
    expected = Counter((date, entrance) for date in dates for _, entrance in devices)
    _expect_days(trial, expected)
    entries: Counter[dt.date] = Counter()
    for (day, _), passed in expected.items():
        entries[day] += passed
    found = dict(_asked(trial, "SELECT day, entries FROM gatepulse.site_today WHERE kind = 'person'"))
    trial.expect("entries of each day", found == entries, f"expected {dict(entries)}, stored {found}")
    trial.note(f"{len(passages)} passages on {len(entries)} days")


def _around(year: int, month: int, day: int, hour: int, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """Yield moments around a local hour: every half hour of the real hours around it, and a millisecond on each side.

    An hour that comes twice is distinguished by `fold`; one that never comes is the hour behind it.
    """
    midnight = dt.datetime(year, month, day) + dt.timedelta(hours=hour)  # noqa: DTZ001 - what a clock on the wall says
    for fold in (0, 1):
        at = midnight.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)
        for half in range(-4, 5):
            each = at + half * dt.timedelta(minutes=30)
            yield from (each - _STEP, each, each + _STEP)


@fault("T18", layout=Layout(scenario="expo", settings=_ANY_TIME))
def on_the_edge(trial: Trial) -> None:
    """Passages exactly at :00.000 and 1 ms before and after it, at the boundaries of 10 s, minutes, hours and days."""
    zone = ZoneInfo(trial.plant.site.time_zone)
    start = dt.datetime(2026, 6, 14, 22, 59, 50, tzinfo=zone).astimezone(dt.UTC)
    edges = [start + dt.timedelta(seconds=10 * number) for number in range(trial.size(full=720, quick=380))]
    # One at the first edge, two a millisecond behind it, three before the next: no two windows can be mixed up.
    moments = [each for edge in edges for each in (*[edge - _STEP] * 3, edge, *[edge + _STEP] * 2)]
    with by_hand(trial) as hand:
        hand.give(Passage(_ms(each), "N1-L01", "N1") for each in moments)
    trial.counted_so_far()
    for seconds, view in ((10, "entrance_counts_10s"), (60, "entrance_counts_1m")):
        expected = Counter(int(each.timestamp()) // seconds * seconds for each in moments)
        asked = f"SELECT toUnixTimestamp(window_start), passages FROM gatepulse.{view}"
        found = dict(_asked(trial, asked))
        wrong = {at: (expected[at], found.get(at)) for at in expected.keys() | found if expected[at] != found.get(at)}
        trial.expect(f"windows of {seconds} s are [start, end)", not wrong, f"expected, stored: {wrong}")
    _expect_days(trial, Counter((each.astimezone(zone).date(), "N1") for each in moments))
    trial.note(f"{len(moments)} passages at {len(edges)} edges")


def _expect_days(trial: Trial, expected: Counter[tuple[dt.date, str]]) -> None:
    rows = _asked(trial, "SELECT day, entrance, passages FROM gatepulse.entrance_totals")
    found = {(day, entrance): passed for day, entrance, passed in rows}
    trial.expect("totals of each day", found == expected, f"expected {dict(expected)}, stored {found}")


def _asked(trial: Trial, question: str) -> list[tuple[Any, ...]]:
    reader = trial.plant.reader()
    try:
        return reader.query(question)
    finally:
        reader.close()


def _ms(moment: dt.datetime) -> int:
    return round(moment.timestamp() * 1000)
