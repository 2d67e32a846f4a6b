"""The levels of a capacity are set in the profile alone: alarms, wall, forecasts and Grafana use them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dashboards.grafana.files import dashboards_of
from dashboards.grafana.theme import COLOURS
from dashboards.wall.model.card import site_card
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import AreaRow, WallRows
from dashboards.wall.model.snapshot import snapshot_of
from streams.forecasting.areas import learnt
from streams.forecasting.watch import forecast_blocks
from streams.kernels.alarms.areas import Areas
from streams.kernels.alarms.episodes import Alarm
from streams.kernels.alarms.inputs import Inside, OccupancyReading
from streams.kernels.alarms.rules import CAPACITY
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.site.kernel_views import alarm_place_of
from streams.site.model import Site
from streams.site.reader import SiteError, parse_site
from tests.support.wall_site import NOON, OPTIONS, PROFILE, alarm_log, forecast, log, reading

LEVELS = {"yellow": 70, "orange": 85, "red": 95}
USUAL = {"yellow": 80, "orange": 90, "red": 100}


def site_at(levels: dict[str, int]) -> Site:
    limits = ", ".join(f"{name} = {percent}" for name, percent in levels.items())
    return parse_site(f"{PROFILE}\n[alarms.area-capacity]\nlimits = {{ {limits} }}\n", source="levels.toml")


SITE = site_at(LEVELS)


def episode(site: Site, inside: int) -> tuple[str, float] | None:
    """Return level and limit of the alarm's episode while so many of 1000 are in the venue."""
    place = alarm_place_of(site, TimeRules(SiteClock(), 300_000, 172_800_000), partitions=1)
    areas = Areas(place)
    areas.restore(OccupancyReading(NOON, [Inside("venue", "person", inside, 1000)]))
    figure = areas.figures[CAPACITY, "venue", "person"]
    alarm = Alarm(place.rules[CAPACITY], "venue", "person", figure.zone)
    for second in range(12):
        alarm.step(NOON + 1000 * second, figure.value)
    return (alarm.episode.level, alarm.episode.limit) if alarm.episode else None


def picture(site: Site, inside: int, *forecasts: Any) -> Any:
    """Return the venue on the wall while so many of 1000 are in it."""
    now: WallRows = replace(reading(), areas=[AreaRow("venue", "person", NOON, inside, 1000)], forecasts=forecasts)
    now = replace(now, logs=[log(NOON), alarm_log(NOON)])
    return snapshot_of(now, site, OPTIONS).areas[0]


def test_without_a_word_in_the_profile_the_levels_are_80_90_and_100_percent() -> None:
    assert parse_site(PROFILE, source="small.toml").levels == USUAL


@pytest.mark.parametrize("levels", [LEVELS, USUAL])
def test_alarm_and_wall_reach_each_level_with_the_same_person(levels: dict[str, int]) -> None:
    site = site_at(levels)
    for name, percent in levels.items():
        assert episode(site, 10 * percent) == (name, percent)
        assert picture(site, 10 * percent).level == name
    assert episode(site, 10 * levels["yellow"] - 1) is None
    assert picture(site, 10 * levels["yellow"] - 1).level == "calm"


@pytest.mark.parametrize("percent", [29, 57, 58, 99])
def test_a_level_is_reached_exactly_where_a_share_has_no_exact_float(percent: int) -> None:
    site = site_at({"yellow": percent})
    assert episode(site, 10 * percent) == ("yellow", percent)
    assert picture(site, 10 * percent).level == "yellow"


def test_the_walls_ring_and_chart_get_the_levels_of_the_profile() -> None:
    assert site_card(SITE, WallOptions(), page="")["capacity_levels"] == LEVELS


def test_forecasts_are_of_the_levels_of_the_profile() -> None:
    forecaster = learnt(1000, tuple(SITE.levels.values()), [])
    for minute in range(60):
        foreseen = forecaster.observe(minute, entered=10, departed=0, inside=10 * minute)
    levels, _ = forecast_blocks({("venue", "person"): (1000, foreseen)}, NOON)
    assert list(levels.columns["level"]) == list(LEVELS.values())
    assert [each.persons for each in foreseen.crossings] == [700, 850, 950]


def test_the_wall_shows_no_forecast_of_levels_that_the_profile_had_before() -> None:
    rows = [forecast("venue", 80, 20), forecast("venue", 85, 25)]
    assert picture(SITE, 100, *rows).ahead.level == 85


def grafana(site: Site) -> tuple[set[tuple[tuple[str, float], ...]], str, str]:
    """Return the limits (colour, per cent) of all panels about capacities, their words, and the query for forecasts."""
    panels = [panel for board in dashboards_of(site) for panel in board["panels"]]
    of_capacity = [
        panel for panel in panels if "变色" in panel["description"] or panel["title"] == "各区域现在 / Areas now"
    ]
    limits = {
        tuple((step["color"], step["value"]) for step in steps[1:])
        for panel in of_capacity
        for steps in _steps(panel["fieldConfig"])
        if len(steps) > 1
    }
    queries = [target.get("rawSql", "") for panel in panels for target in panel["targets"]]
    (query,) = [sql for sql in queries if "gatepulse.forecasts" in sql]
    return limits, " ".join(panel["description"] for panel in of_capacity), query


def _steps(field: Any) -> Iterator[Any]:
    yield field["defaults"]["thresholds"]["steps"]
    for override in field["overrides"]:
        yield from (each["value"]["steps"] for each in override["properties"] if each["id"] == "thresholds")


@pytest.mark.parametrize("levels", [LEVELS, USUAL])
def test_grafana_colours_at_the_levels_says_so_and_asks_for_their_forecasts(levels: dict[str, int]) -> None:
    limits, words, query = grafana(site_at(levels))
    assert limits == {tuple((COLOURS[name], percent) for name, percent in levels.items())}
    yellow, orange, red = levels.values()
    assert f"{yellow} / {orange} / {red} % 变色" in words
    assert f"colours at {yellow}, {orange} and {red} %" in words
    assert f"level IN ({yellow}, {orange}, {red})" in query


@pytest.mark.parametrize("wrong", ["87.5", "256"])
def test_a_level_that_a_forecast_cannot_have_is_refused(wrong: str) -> None:
    with pytest.raises(SiteError, match=rf"{wrong} %: expected whole numbers from 1 to 255"):
        parse_site(f"{PROFILE}\n[alarms.area-capacity]\nlimits = {{ red = {wrong} }}\n", source="levels.toml")
