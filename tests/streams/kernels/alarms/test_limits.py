"""A limit is exceeded exactly after its on-delay, and cleared exactly after its off-delay."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.alarms.episodes import Latch, highest
from streams.kernels.alarms.rules import AlarmLimit, LimitRule

YELLOW, RED = AlarmLimit("yellow", 80), AlarmLimit("red", 100)
RULE = LimitRule(
    name="fill", unit="%", limits=(YELLOW, RED), dead_band=3, on_delay=30_000, off_delay=60_000, repeat=600_000
)
Samples = Sequence[tuple[int, float | None]]


def each_second(*stretches: tuple[int, float | None]) -> Samples:
    """Write stretches of (seconds, value) out: a sample a second."""
    values = [value for seconds, value in stretches for _ in range(seconds)]
    return [(1000 * second, value) for second, value in enumerate(values)]


def held(samples: Samples, rule: LimitRule = RULE, limit: AlarmLimit = YELLOW) -> list[bool]:
    """Tell after each sample whether the limit is exceeded."""
    latch, answer = Latch(), []
    for at, value in samples:
        latch.step(at, value, rule, limit)
        answer.append(latch.holds)
    return answer


def test_29_seconds_above_a_limit_are_not_enough_and_30_are() -> None:
    # second  0 ... 29 | 30
    # value   81 .. 81 | 81
    # holds   no .. no | yes
    answer = held(each_second((31, 81)))
    assert answer == [False] * 30 + [True]


def test_one_second_at_the_limit_starts_the_on_delay_anew() -> None:
    answer = held(each_second((29, 81), (1, 80), (31, 81)))
    assert answer.index(True) == 60


def test_a_value_that_equals_the_limit_exceeds_it_only_where_the_rule_says_so() -> None:
    assert not any(held(each_second((100, 80))))
    assert held(each_second((100, 80)), replace(RULE, at_limit=True)).index(True) == 30


def test_without_an_on_delay_the_first_value_above_is_enough() -> None:
    assert held(each_second((1, 80), (1, 81)), replace(RULE, on_delay=0)) == [False, True]


def test_within_the_dead_band_nothing_ends() -> None:
    assert held(each_second((31, 81), (3600, 77)))[-1]


def test_59_seconds_below_the_dead_band_are_not_enough_and_60_are() -> None:
    answer = held(each_second((31, 81), (61, 76)))
    assert answer[30:] == [True] * 61 + [False]


def test_one_second_in_the_dead_band_starts_the_off_delay_anew() -> None:
    answer = held(each_second((31, 81), (60, 76), (1, 77), (61, 76)))
    assert answer.index(False, 31) == 31 + 60 + 1 + 60


def test_where_there_is_no_dead_band_the_limit_itself_ends_the_alarm() -> None:
    rule = replace(RULE, dead_band=0)
    assert not held(each_second((31, 81), (61, 80)), rule)[-1]
    assert held(each_second((31, 81), (61, 80)), replace(rule, at_limit=True))[-1]
    assert not held(each_second((31, 81), (61, 79)), replace(rule, at_limit=True))[-1]


def test_an_unknown_value_neither_raises_nor_clears() -> None:
    assert not any(held(each_second((3600, None))))
    assert held(each_second((31, 81), (3600, None)))[-1]


def test_an_unknown_value_breaks_both_delays() -> None:
    assert held(each_second((29, 81), (1, None), (31, 81))).index(True) == 60
    assert held(each_second((31, 81), (59, 1), (1, None), (60, 1)))[-1]


def test_each_level_has_a_latch_of_its_own() -> None:
    # value   85 for 31 s | 105 for 31 s    | 90 for 61 s | 50 for 61 s
    # level   yellow      | red at the end  | yellow      | none
    samples = each_second((31, 85), (31, 105), (61, 90), (61, 50))
    yellow, red = held(samples, limit=YELLOW), held(samples, limit=RED)
    assert [(yellow[i], red[i]) for i in (29, 30, 60, 61, 121, 122, 182, 183)] == [
        (False, False), (True, False), (True, False), (True, True),
        (True, True), (True, False), (True, False), (False, False),
    ]  # fmt: skip


def test_the_highest_limit_that_holds_names_the_level() -> None:
    assert highest([Latch(), Latch(), Latch()]) is None
    assert highest([Latch(holds=True), Latch(holds=True), Latch()]) == 1
    assert highest([Latch(), Latch(holds=True)]) == 1


def test_a_latch_is_idle_when_it_neither_holds_nor_waits() -> None:
    latch = Latch()
    assert latch.idle
    latch.step(0, 81, RULE, YELLOW)
    assert not latch.idle
    latch.step(1000, 80, RULE, YELLOW)
    assert latch.idle
    assert not Latch(holds=True).idle


def by_force(samples: Samples, rule: LimitRule, limit: float) -> list[bool]:
    """Look back from every sample as far as the last change, for a stretch without a break that is long enough."""
    holds, changed, answer = False, 0, []
    for last, (now, _) in enumerate(samples):
        first = last
        while first >= changed and _asks(samples[first][1], rule, limit, holds=holds):
            first -= 1
        if first < last and now - samples[first + 1][0] >= (rule.off_delay if holds else rule.on_delay):
            holds, changed = not holds, last + 1
        answer.append(holds)
    return answer


def _asks(value: float | None, rule: LimitRule, limit: float, *, holds: bool) -> bool:
    if value is None:
        return False
    exceeded = value >= limit if rule.at_limit else value > limit
    if not holds:
        return exceeded
    return value < limit - rule.dead_band if rule.dead_band else not exceeded


gaps = st.integers(1, 4000)
values = st.none() | st.integers(74, 84)
rules = st.builds(
    lambda dead_band, on, off, at_limit: replace(
        RULE, dead_band=dead_band, on_delay=on, off_delay=off, at_limit=at_limit
    ),
    st.sampled_from([0, 3]), st.sampled_from([0, 1, 5000]), st.sampled_from([0, 1, 6000]), st.booleans(),
)  # fmt: skip


@given(st.lists(st.tuples(gaps, values), max_size=60), rules)
def test_a_latch_holds_from_on_delay_above_the_limit_to_off_delay_below_it(
    steps: list[tuple[int, int | None]], rule: LimitRule
) -> None:
    at, samples = 0, []
    for gap, value in steps:
        at += gap
        samples.append((at, value))
    assert held(samples, rule) == by_force(samples, rule, YELLOW.value)
