"""The life of a piece of advice."""

from dataclasses import replace

from streams.forecasting.advice_state import Given, follow
from streams.kernels.forecast.advice import Advice

ADVICE = Advice("N3", 6, 9, (), wait_before=24.0, wait_after=11.0, limit=12.0)
MINUTE = 60_000


def after(minutes: int, standing: tuple[Given, ...], *advised: Advice, wait: float | None = 5.0) -> tuple[Given, ...]:
    """Return what stands so many minutes after the beginning."""
    return follow(standing, advised, {"N3": wait}, at=minutes * MINUTE, minute=f"{minutes:04}")


def test_advice_is_given_once_and_its_figures_follow_until_it_is_decided() -> None:
    first = after(0, (), ADVICE)
    assert [each.id for each in first] == ["N3-0000"]
    assert "wait 24 → 11 min" in first[0].en
    assert "等候 24 → 11 分钟" in first[0].zh
    worse = replace(ADVICE, lanes_after=10, wait_before=30.0)
    (again,) = after(1, first, worse)
    assert (again.id, again.since, again.wait_before) == ("N3-0000", 0, 30.0)
    accepted = (replace(again, decision="accepted", decided_at=2 * MINUTE),)
    (kept,) = after(3, accepted, ADVICE)
    assert (kept.wait_before, kept.en) == (30.0, again.en)


def test_what_was_declined_is_not_given_again_while_its_cause_lasts() -> None:
    (given,) = after(0, (), ADVICE)
    standing: tuple[Given, ...] = (replace(given, decision="declined", decided_at=0),)
    for minute in range(1, 60):
        standing = after(minute, standing, ADVICE)
    assert [each.id for each in standing] == ["N3-0000"]


def test_it_is_over_when_it_was_not_needed_for_ten_minutes_and_a_new_need_gets_new_advice() -> None:
    standing = after(0, (), ADVICE)
    for minute in range(1, 10):
        standing = after(minute, standing)
        assert standing[0].over_at is None
    (over,) = after(10, standing)
    assert over.over_at == 10 * MINUTE
    assert [each.id for each in after(20, (), ADVICE)] == ["N3-0020"]


def test_the_effect_is_the_longest_wait_once_it_can_have_one() -> None:
    (given,) = after(0, (), ADVICE)
    standing: tuple[Given, ...] = (replace(given, decision="accepted", decided_at=0),)
    waits = [24.0] * 5 + [18.0, 14.0, None, 12.0] + [6.0] * 30
    for minute, wait in enumerate(waits, start=0):
        standing = after(minute, standing, wait=wait)
        if minute < 5:
            assert standing[0].wait_measured is None
        if standing[0].over_at is not None:
            break
    assert standing[0].wait_measured == 18.0
    assert standing[0].over_at == 30 * MINUTE
