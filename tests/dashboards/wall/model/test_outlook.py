"""Which level an area is expected to reach next, and when."""

import pytest

from dashboards.wall.model.figures import ExpectedLevel
from dashboards.wall.model.rows import MINUTE, AreaRow, ForecastRow
from dashboards.wall.model.snapshot import OLDEST_FORECAST_MS
from tests.support.wall_site import NOON, alarm_log, forecast, log, reading, snapshot

LOGS = [log(NOON), alarm_log(NOON)]


def hall(*rows: ForecastRow, inside: int = 120) -> ExpectedLevel | None:
    areas = [AreaRow("hall", "person", NOON, inside, 200)]
    return snapshot(reading(logs=LOGS, areas=areas, forecasts=rows)).areas[0].ahead


def test_the_lowest_level_to_come_is_shown_with_its_interval() -> None:
    rows = [forecast("hall", 100, 60), forecast("hall", 80, 20), forecast("hall", 90, 40)]
    assert hall(*rows) == ExpectedLevel(80, 20, 15, 30)


def test_a_level_that_is_reached_is_not_ahead() -> None:
    assert hall(forecast("hall", 80, 0), forecast("hall", 90, 24), inside=165) == ExpectedLevel(90, 24, 18, 36)


def test_a_level_that_was_reached_since_the_forecast_is_not_ahead_either() -> None:
    assert hall(forecast("hall", 80, 1), forecast("hall", 90, 24), inside=160) == ExpectedLevel(90, 24, 18, 36)


def test_nothing_is_shown_when_the_next_level_is_not_expected_within_two_hours() -> None:
    assert hall(forecast("hall", 80, None), forecast("hall", 90, 24)) is None


def test_without_a_forecast_nothing_is_shown() -> None:
    assert hall() is None


def test_never_is_kept_as_the_end_of_the_interval() -> None:
    assert hall(forecast("hall", 90, 25, earliest=18, latest=None)) == ExpectedLevel(90, 25, 18, None)


@pytest.mark.parametrize(
    ("age", "shown"), [(OLDEST_FORECAST_MS, True), (OLDEST_FORECAST_MS + 1, False), (-OLDEST_FORECAST_MS - 1, False)]
)
def test_a_forecast_of_another_time_is_not_shown(age: int, shown: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert (hall(forecast("hall", 80, 20, at=NOON - age)) is not None) is shown


def test_minutes_count_from_now_and_not_from_when_it_was_foreseen() -> None:
    assert hall(forecast("hall", 80, 20, at=NOON - 2 * MINUTE)) == ExpectedLevel(80, 18, 13, 28)
    assert hall(forecast("hall", 80, 2, at=NOON - 3 * MINUTE, latest=None)) == ExpectedLevel(80, 1, 0, None)


def test_the_whole_site_goes_by_its_own_name_and_kinds_are_told_apart() -> None:
    rows = [
        forecast("small", 80, 30),
        forecast("park", 90, 8, kind="vehicle"),
        forecast("small", 80, 9, kind="vehicle"),
    ]
    picture = snapshot(reading(logs=LOGS, forecasts=rows))
    assert picture.inside["person"].ahead == ExpectedLevel(80, 30, 22, 45)
    assert picture.inside["vehicle"].ahead == ExpectedLevel(80, 9, 6, 13)
    assert {area.id: area.ahead for area in picture.areas} == {
        "venue": None,
        "hall": None,
        "park": ExpectedLevel(90, 8, 6, 12),
    }


def test_before_any_figure_is_there_nothing_is_foreseen() -> None:
    assert snapshot(reading(logs=[], forecasts=[forecast("hall", 80, 20)])).areas[0].ahead is None
