"""The forecasting process on a real store: its input, its output, and that a restart loses nothing."""

import asyncio
import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sinks.clickhouse import ClickHouseReader, ClickHouseSink, StoreAddress
from streams.forecasting.advice_state import DecisionError, decide, find
from streams.forecasting.reading import ForecastReader
from streams.forecasting.watch import Foresight
from streams.kernels.counts.site_clock import SiteClock
from streams.site.model import Site
from tests.support.odd_sites import BERLIN_LONG, BERLIN_SHORT
from tests.support.planned_site import AN_HOUR_AND_A_HALF, site
from tests.support.rows import block, flows
from tests.support.stores import Server

MINUTE = 60_000
MIDNIGHT = 1_636_041_600_000
"""2021-11-05 00:00 in Shanghai."""
DAY_MS = 24 * 60 * MINUTE


@dataclass
class Entry:
    """Lets people through N3 and writes what a worker would."""

    server: Server
    version: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)

    def minutes(
        self, start: int, passages: list[int], *, direction: str = "in", lanes: int = 6, day: dt.date | None = None
    ) -> None:
        """Let as many through in each minute from `start` (ms) on, and claim that all of it is stored."""
        self.version += 1
        end = start + len(passages) * MINUTE
        rows = [
            {"window_start": start + n * MINUTE, "entrance": "N3", "direction": direction, "passages": count,
             "version": self.version, "segment": self.version}
            for n, count in enumerate(passages)
        ]  # fmt: skip
        moved = "entered" if direction == "in" else "departed"
        moves = [{"window_start": row["window_start"], "area": "venue", moved: row["passages"], "last_ts": end,
                  "version": self.version, "segment": self.version} for row in rows]  # fmt: skip
        number = (start + 8 * 60 * MINUTE) // DAY_MS if day is None else (day - dt.date(1970, 1, 1)).days
        days = [
            {"day": number, "entrance": "N3", "direction": direction,
             "passages": sum(passages), "version": self.version, "segment": self.version}
        ]  # fmt: skip
        self.server.write(
            block("counts_1m", *rows),
            block("counts_10s", *rows),
            block("counts_day", *days),
            *flows(*moves),
            block("devices", *({"device": f"N3-L{n:02}", "entrance": "N3", "last_ts": end - 1} for n in range(lanes))),
            block("log_progress", {"complete_to": end, "next_offset": end}),
        )


@pytest.fixture
def entry(server: Server) -> Entry:
    """A gate whose venue may hold 100."""
    server.write(block("site_areas", {"area": "venue", "capacity": 100}))
    return Entry(server)


def foresee(address: StoreAddress, reader: ClickHouseReader, place: Site, *, rounds: int = 1) -> Foresight:
    """Let a new process take in everything that is stored."""

    async def taken_in() -> Foresight:
        sink = ClickHouseSink(address)
        process = Foresight(ForecastReader(reader, place), sink, SiteClock())
        try:
            for _ in range(rounds):
                await process.once()
        finally:
            await sink.close()
        return process

    return asyncio.run(taken_in())


def asked(reader: ClickHouseReader, what: str) -> list[tuple[Any, ...]]:
    return reader.query(f"SELECT {what}")


OPENS = MIDNIGHT + 8 * 60 * MINUTE


def test_minutes_to_each_level_are_written_with_their_error_so_far(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    entry.minutes(OPENS, [2] * 30)
    foresee(address, reader, site())
    rows = asked(
        reader,
        "level, inside, minutes, earliest, method, at FROM gatepulse.forecasts WHERE area = 'venue' ORDER BY level",
    )
    assert [(level, inside, method) for level, inside, _, _, method, _ in rows] == [
        (80, 60, "flows"), (90, 60, "flows"), (100, 60, "flows"),
    ]  # fmt: skip
    assert [minutes for _, _, minutes, *_ in rows] == [11, 16, 22]  # 2 · 0.995ⁿ in the n-th minute
    assert all(earliest <= minutes for _, _, minutes, earliest, _, _ in rows)
    assert {round(at.timestamp() * 1000) for *_, at in rows} == {OPENS + 30 * MINUTE}
    ((checked, error),) = asked(
        reader, "checked, error FROM gatepulse.forecast_errors WHERE area = 'venue' AND lead = 15"
    )
    assert checked > 0
    assert error < 10


def test_a_process_that_begins_anew_says_the_same(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    what = "* FROM gatepulse.forecasts ORDER BY area, level"
    entry.minutes(OPENS, [2, 3, 1] * 10)
    running = foresee(address, reader, site())
    entry.minutes(OPENS + 30 * MINUTE, [4, 0, 2])
    foresee(address, reader, site())
    afresh = asked(reader, what)

    async def go_on() -> None:
        running.sink = ClickHouseSink(address)
        await running.once()
        await running.sink.close()

    asyncio.run(go_on())
    assert asked(reader, what) == afresh


def test_past_days_become_the_profile(entry: Entry, address: StoreAddress, reader: ClickHouseReader) -> None:
    for back in (1, 2):
        entry.minutes(OPENS - back * DAY_MS, [2] * 60)
        entry.minutes(OPENS - back * DAY_MS + 60 * MINUTE, [2] * 60, direction="out")
    entry.minutes(OPENS, [2] * 30)
    process = foresee(address, reader, site())
    forecaster = process.forecasters["venue", "person"]
    assert forecaster.profile is not None
    assert forecaster.profile.entered[500] == pytest.approx(2)
    assert forecaster.profile.inside.max() == pytest.approx(120, abs=5)
    assert {row for (row,) in asked(reader, "DISTINCT method FROM gatepulse.forecasts WHERE area = 'venue'")} == {
        "profile"
    }


@pytest.mark.parametrize(("day", "minutes"), [(BERLIN_LONG, 1500), (BERLIN_SHORT, 1380)])
def test_the_day_before_a_clock_change_and_the_day_after_are_whole_days(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader, day: dt.date, minutes: int
) -> None:
    """Two a minute come and go in the last hour of each day: no other day has them."""
    place = replace(site(), time_zone="Europe/Berlin")
    for date in (day - dt.timedelta(1), day):
        end = place.days.bounds(date)[1]
        for number, direction in enumerate(("in", "out")):
            start = end - (60 - 30 * number) * MINUTE
            entry.minutes(start, [2] * 30, direction=direction, day=date)
    after = day + dt.timedelta(1)
    begin = place.days.begin(after)
    entry.minutes(begin + 10 * MINUTE, [1] * 5, day=after)

    process = foresee(address, reader, place)

    profile = process.forecasters["venue", "person"].profile
    assert profile is not None
    assert profile.entered[1400] == pytest.approx(2)  # 23:20
    assert (profile.entered[:1370].max(), profile.departed[1430]) == (0, pytest.approx(2))
    assert process.today is not None
    assert process.today.begin == begin
    assert len(place.days.clock(day)) == minutes


def test_the_last_minutes_of_a_long_day_are_reckoned_with(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    place = replace(site(AN_HOUR_AND_A_HALF), time_zone="Europe/Berlin")
    end = place.days.bounds(BERLIN_LONG)[1]
    entry.minutes(end - 60 * MINUTE, [2] * 55, day=BERLIN_LONG)
    foresee(address, reader, place)
    entry.minutes(end - 5 * MINUTE, [2] * 5, day=BERLIN_LONG)
    foresee(address, reader, place)
    assert asked(reader, "toUnixTimestamp64Milli(max(at)) FROM gatepulse.forecasts") == [(end,)]
    assert asked(reader, "toUnixTimestamp64Milli(max(at)) FROM gatepulse.entrance_queues") == [(end,)]


def test_a_minute_is_not_believed_to_be_empty_while_nothing_is_heard(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    entry.minutes(OPENS, [2] * 30)
    entry.server.write(block("log_progress", {"complete_to": OPENS + 90 * MINUTE, "next_offset": OPENS + 90 * MINUTE}))
    assert foresee(address, reader, site()).seen == OPENS + 30 * MINUTE


def test_what_came_after_the_minutes_end_is_not_inside_yet(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    entry.minutes(OPENS, [2] * 30)
    entry.server.write(
        block("counts_10s", {"window_start": OPENS + 30 * MINUTE, "entrance": "N3", "passages": 7, "segment": 2}),
        *flows({"window_start": OPENS + 30 * MINUTE, "area": "venue", "entered": 7, "segment": 2}),
    )
    assert ForecastReader(reader, site()).inside(OPENS + 30 * MINUTE)["venue", "person"] == 60
    assert ForecastReader(reader, site()).inside(OPENS + 31 * MINUTE)["venue", "person"] == 67
    assert address.port


def test_nothing_is_foreseen_until_the_minute_is_stored(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    foresee(address, reader, site())
    assert asked(reader, "count() FROM gatepulse.forecasts") == [(0,)]
    entry.minutes(OPENS, [2] * 3)
    entry.server.write(block("log_progress", {"log": "other", "complete_to": OPENS + 2 * MINUTE + 5_000}))
    foresee(address, reader, site())
    assert {round(at.timestamp() * 1000) for (at,) in asked(reader, "at FROM gatepulse.forecasts")} == {
        OPENS + 2 * MINUTE
    }


def test_advice_is_given_accepted_and_held_against_what_came_of_it(
    entry: Entry, address: StoreAddress, reader: ClickHouseReader
) -> None:
    place = site(AN_HOUR_AND_A_HALF)
    entry.minutes(OPENS, [60] * 20)
    foresee(address, reader, place)
    (given,) = ForecastReader(reader, place).advice()
    assert given.entrance == "N3"
    assert "N3" in given.en
    assert (given.lanes_before, given.decision) == (6, "")
    ((waiting, lanes),) = asked(
        reader, "waiting, lanes FROM gatepulse.entrance_queues WHERE entrance = 'N3' ORDER BY at DESC LIMIT 1"
    )
    assert (waiting, lanes) == (600, 6)

    decided_at = OPENS + 20 * MINUTE
    asyncio.run(_decide(address, reader, place, given.id, at=decided_at))
    with pytest.raises(DecisionError, match="was accepted by duty already"):
        find(ForecastReader(reader, place).advice(), given.id)
    entry.minutes(OPENS + 20 * MINUTE, [60] * 2, lanes=6)
    foresee(address, reader, place)
    entry.minutes(OPENS + 22 * MINUTE, [100] * 8, lanes=10)
    foresee(address, reader, place)
    (kept,) = ForecastReader(reader, place).advice()
    assert (kept.id, kept.decision, kept.actor, kept.en) == (given.id, "accepted", "duty", given.en)
    assert kept.wait_measured is not None


async def _decide(address: StoreAddress, reader: ClickHouseReader, place: Site, name: str, *, at: int) -> None:
    sink = ClickHouseSink(address)
    try:
        await decide(
            sink, find(ForecastReader(reader, place).advice(), name), "accepted", actor="duty", reason="", at=at
        )
    finally:
        await sink.close()


def test_an_unknown_advice_is_named_with_those_that_are_there() -> None:
    with pytest.raises(DecisionError, match="'N9-1' is not known; to be decided: none"):
        find((), "N9-1")
