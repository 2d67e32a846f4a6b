"""Which parameters a replay accepts, and how it refuses others."""

import pytest

from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.replay.request import ReplayRequest, check_recorded, parse_replay_request
from tests.support.odd_sites import BERLIN_LONG, expo, ms
from tests.support.wall_site import ZONE, at

NOW = at("12:00:00")
MORNING = {"from": "2026-11-07T09:00", "to": "2026-11-07T10:00"}


@pytest.mark.parametrize(
    "start",
    ["2026-11-07T09:00", "2026-11-07T09:00:00", "2026-11-07 09:00", "2026-11-07T09:00+08:00", "2026-11-07T01:00Z",
     "2026-11-07T09:00 08:00", str(at("09:00:00"))],
)  # fmt: skip
def test_a_time_is_that_of_the_site_unless_it_says_otherwise(start: str) -> None:
    asked = parse_replay_request({**MORNING, "from": start}, ZONE, now=NOW)
    assert asked == ReplayRequest(at("09:00:00"), at("10:00:00"), at("09:00:00"), 1.0, "then")


def test_a_replay_of_an_hour_that_comes_twice_begins_in_the_first_and_ends_in_the_second() -> None:
    first, second = (ms(expo("Europe/Berlin"), BERLIN_LONG, "02:30", fold=fold) for fold in (0, 1))
    asked = {"from": "2026-10-25T02:30", "to": "2026-10-25T02:30"}
    found = parse_replay_request(asked, "Europe/Berlin", now=second + 60_000)
    assert (found.start, found.end, found.end - found.start) == (first, second, 3_600_000)
    earlier = parse_replay_request(asked | {"from": "2026-10-25T02:00"}, "Europe/Berlin", now=second - 60_000)
    assert earlier.end == first  # the second is still to come


def test_all_can_be_chosen() -> None:
    chosen = MORNING | {"at": "2026-11-07T09:30", "speed": "12.5", "known": "corrected"}
    assert parse_replay_request(chosen, ZONE, now=NOW) == ReplayRequest(
        at("09:00:00"), at("10:00:00"), at("09:30:00"), 12.5, "corrected"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from": "yesterday"}, "from is 'yesterday': expected the site's local time such as 2026-11-07T09:00,"),
        ({"from": ""}, "from is '': expected the site's local time"),
        ({"from": "2026-11-07"}, "from is '2026-11-07': expected the site's local time"),
        ({"from": "99999999999999"}, "from is '99999999999999': expected before to"),
        (
            {"to": "2026-11-07T12:00:01"},
            "to is '2026-11-07T12:00:01': expected no later than now (2026-11-07T12:00:00)",
        ),
        ({"to": "2026-11-07T09:00"}, "from is '2026-11-07T09:00': expected before to (2026-11-07T09:00)"),
        ({"from": "2026-11-05T09:59"}, "to is '2026-11-07T10:00': a replay of 48.0 h; expected at most 48 h"),
        ({"at": "2026-11-07T08:59"}, "at is '2026-11-07T08:59': expected a time between from and to"),
        ({"speed": "0.5"}, "speed is '0.5': expected a number from 1 to 60"),
        ({"speed": "61"}, "speed is '61': expected a number from 1 to 60"),
        ({"speed": "nan"}, "speed is 'nan': expected a number from 1 to 60"),
        ({"speed": "fast"}, "speed is 'fast': expected a number from 1 to 60"),
        ({"known": "now"}, "known is 'now': expected then (as known then) or corrected (as known today)"),
        ({"sped": "2"}, "sped is '2': expected from, to, at, speed, known"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name_its_value_and_what_was_expected(
    given: dict[str, str], said: str
) -> None:
    with pytest.raises(RequestRefused) as refused:
        parse_replay_request(MORNING | given, ZONE, now=NOW)
    assert refused.value.status == 400
    assert refused.value.reason.en.startswith(said)
    name, _, _ = said.partition(" ")
    assert refused.value.reason.zh.startswith(f"{name} 为 ")


def test_a_place_a_little_behind_the_end_is_the_end() -> None:
    asked = parse_replay_request(MORNING | {"at": str(at("10:00:00") + 40)}, ZONE, now=NOW)
    assert asked.at == at("10:00:00")


def test_what_was_known_then_cannot_be_shown_of_a_time_before_it_was_recorded() -> None:
    then = parse_replay_request(MORNING, ZONE, now=NOW)
    check_recorded(then, at("09:00:00"), ZONE)
    with pytest.raises(
        RequestRefused, match=r"from is '2026-11-07T09:00:00': .* from 2026-11-07T09:00:01 on; .*corrected"
    ):
        check_recorded(then, at("09:00:01"), ZONE)
    check_recorded(parse_replay_request(MORNING | {"known": "corrected"}, ZONE, now=NOW), at("09:00:01"), ZONE)
