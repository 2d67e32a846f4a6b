"""A profile changes the figures of any rule, and each mistake in it is named with its line and key."""

import pytest

from streams.kernels.alarms.rules import RULES, AlarmLimit
from streams.site.model import Site
from streams.site.reader import SiteError, parse_site
from tests.streams.site.test_site import SMALL

A_NUMBER = "expected a number from 0 to 1,000,000,000, found"
FIRST_LINE = SMALL.count("\n") + 1


def site(alarms: str) -> Site:
    return parse_site(SMALL + alarms, source="small.toml")


def mistakes(alarms: str) -> list[str]:
    """Return what is wrong, with lines counted from the first one of `alarms`."""
    with pytest.raises(SiteError) as raised:
        site(alarms)
    found = [line.split(":", 2) for line in str(raised.value).splitlines()]
    return [f"{int(line) - FIRST_LINE + 1}:{rest}" for _, line, rest in found]


def test_a_profile_without_alarms_has_the_default_figures() -> None:
    assert site("").alarms == RULES


def test_the_figures_of_a_profile_stand_over_the_defaults_and_the_others_stay() -> None:
    rules = site("[alarms.entrance-overload]\non_delay = 90\nlimits = { yellow = 9, red = 15.5 }\n").alarms
    rule, default = rules["entrance-overload"], RULES["entrance-overload"]
    assert rule.limits == (AlarmLimit("yellow", 9), AlarmLimit("red", 15.5))
    assert rule.on_delay == 90_000
    assert (rule.dead_band, rule.off_delay, rule.repeat) == (default.dead_band, default.off_delay, default.repeat)
    assert {name: each for name, each in rules.items() if name != rule.name} == {
        name: each for name, each in RULES.items() if name != rule.name
    }


def test_every_figure_can_be_set_and_delays_are_seconds() -> None:
    text = "limits = { orange = 20 }\ndead_band = 0.5\non_delay = 0\noff_delay = 1.5\nrepeat = 3600\n"
    rule = site("[alarms.drift]\n" + text).alarms["drift"]
    assert (rule.limits, rule.dead_band) == ((AlarmLimit("orange", 20),), 0.5)
    assert (rule.on_delay, rule.off_delay, rule.repeat) == (0, 1500, 3_600_000)
    assert (rule.unit, rule.at_limit) == ("persons", False)


def test_levels_may_be_written_in_any_order() -> None:
    rule = site("[alarms.area-capacity]\nlimits = { red = 99, yellow = 70 }\n").alarms["area-capacity"]
    assert rule.limits == (AlarmLimit("yellow", 70), AlarmLimit("red", 99))


@pytest.mark.parametrize("name", sorted(RULES))
def test_every_rule_may_stand_in_a_profile(name: str) -> None:
    assert site(f"[alarms.{name}]\nrepeat = 60\n").alarms[name].repeat == 60_000


@pytest.mark.parametrize(
    ("alarms", "said"),
    [
        ("[alarms.no-such-rule]\n", "1: alarms.no-such-rule: is not a known key"),
        ("[alarms.drift]\non_dely = 3\n", "2: alarms.drift.on_dely: is not a known key"),
        (
            "[alarms.drift]\non_delay = '3'\n",
            f"2: alarms.drift.on_delay: {A_NUMBER} '3'",
        ),
        (
            "[alarms.drift]\non_delay = true\n",
            f"2: alarms.drift.on_delay: {A_NUMBER} bool",
        ),
        (
            "[alarms.drift]\n\noff_delay = -1\n",
            f"3: alarms.drift.off_delay: {A_NUMBER} -1",
        ),
        (
            "[alarms.drift]\nrepeat = nan\n",
            f"2: alarms.drift.repeat: {A_NUMBER} nan",
        ),
        (
            "[alarms.drift]\nrepeat = inf\n",
            f"2: alarms.drift.repeat: {A_NUMBER} inf",
        ),
        ("[alarms]\ndrift = 5\n", "2: alarms.drift: expected a table, found int 5"),
        ("[alarms.drift]\nlimits = 5\n", "2: alarms.drift.limits: expected a table, found int 5"),
        (
            "[alarms.drift]\nlimits = {}\n",
            "2: alarms.drift.limits: expected a limit for one of yellow, orange, red, found none",
        ),
        ("[alarms.drift]\nlimits = { purple = 5 }\n", "2: alarms.drift.limits.purple: is not a known key"),
        (
            "[alarms.drift]\nlimits = { orange = -5 }\n",
            f"2: alarms.drift.limits.orange: {A_NUMBER} -5",
        ),
        (
            "[alarms.area-capacity]\nlimits = { yellow = 95, orange = 90 }\n",
            "2: alarms.area-capacity.limits: expected limits that rise from yellow to red",
        ),
        (
            "[alarms.area-capacity]\ndead_band = 80\n",
            "2: alarms.area-capacity.dead_band: 80 leaves nothing of the lowest limit, 80 %",
        ),
        (
            "[alarms.drift]\nlimits = { orange = 3 }\n",
            "1: alarms.drift.dead_band: 4 leaves nothing of the lowest limit, 3 persons",
        ),
    ],
)
def test_each_mistake_says_where_it_is_and_what_was_expected(alarms: str, said: str) -> None:
    assert any(line.startswith(said) for line in mistakes(alarms)), mistakes(alarms)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "[alarms.drift]\non_delay = -1\n[alarms.health]\nlimits = {}\n[alarms.nothing]\n"
    assert [int(line.split(":")[0]) for line in mistakes(text)] == [2, 4, 5]


@pytest.mark.parametrize(
    ("alarms", "said"),
    [
        ("[alarms.overload]\n", "entrance-overload"),
        ("[alarms.drift]\non_dely = 3\n", "on_delay"),
        ("[alarms.drift]\nlimits = { orange = 9, purple = 10 }\n", "red"),
    ],
)
def test_an_unknown_key_is_told_with_those_that_are_known(alarms: str, said: str) -> None:
    assert said in mistakes(alarms)[0].rpartition("expected")[2]


@pytest.mark.parametrize("rule", ["entrance-overload", "refusals", "silence-lane"])
def test_a_limit_of_nothing_is_a_mistake_since_its_alarm_would_never_end(rule: str) -> None:
    assert mistakes(f"[alarms.{rule}]\nlimits = {{ yellow = 0 }}\n")


def test_two_levels_with_the_same_limit_are_a_mistake() -> None:
    assert mistakes("[alarms.area-capacity]\nlimits = { yellow = 80, orange = 80 }\n")


@pytest.mark.parametrize("seconds", ["1e306", "1" + "0" * 400])
def test_a_delay_beyond_all_numbers_is_a_mistake_and_no_crash(seconds: str) -> None:
    assert mistakes(f"[alarms.drift]\non_delay = {seconds}\n")
