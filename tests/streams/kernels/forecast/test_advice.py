"""Advice is the smallest sufficient change, comes with its effect, and stays within the available lanes."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kernels.forecast.advice import Advice, Diversion, EntranceLoad, Link, advise
from tests.support.size import examples

BUSY = EntranceLoad("N3", "venue", open_lanes=8, spare_lanes=6, waiting=1_200.0, arrivals=(130.0,) * 40)
CALM = EntranceLoad("N4", "venue", open_lanes=8, spare_lanes=0, waiting=0.0, arrivals=(60.0,) * 40)


def test_the_fewest_lanes_that_keep_the_limit_are_opened() -> None:
    (advice,) = advise([BUSY])
    assert (advice.lanes_before, advice.lanes_after, advice.diversions) == (8, 13, ())
    assert advice.wait_after <= 10 < advice.wait_before
    (less,) = advise([replace(BUSY, spare_lanes=4)])
    assert less.wait_after > 10


def test_the_effect_is_told_in_both_languages() -> None:
    (advice,) = advise([BUSY])
    assert advice.text() == "open 5 lanes at N3: wait 33 → 10 min"
    assert advice.text_zh() == "N3 增开 5 条通道：等候 33 → 10 分钟"


def test_where_nobody_waits_too_long_nothing_is_advised() -> None:
    assert advise([CALM, replace(BUSY, waiting=0.0, arrivals=(88.0,) * 40)]) == ()


def test_lanes_that_do_not_exist_are_not_opened() -> None:
    (advice,) = advise([replace(BUSY, spare_lanes=2)])
    assert advice.lanes_after == 10
    assert not advice.enough
    assert advice.text().endswith("still above 10 min: hold people back")


def test_without_lanes_people_are_sent_to_a_neighbour_with_room() -> None:
    crowded = replace(BUSY, spare_lanes=0, waiting=300.0, arrivals=(110.0,) * 30, links=(Link("N4", 3),))
    (advice,) = advise([crowded, replace(CALM, arrivals=(60.0,) * 30)])
    (diversion,) = advice.diversions
    assert (diversion.to, diversion.walk) == ("N4", 3)
    assert diversion.wait_after <= 10
    assert advice.enough
    assert advice.text() == (
        f"send {diversion.share:.0%} of N3 ({diversion.people:.0f}/min) to N4, 3 min on foot "
        f"(wait there 0 → {diversion.wait_after:.0f} min): wait {advice.wait_before:.0f} → {advice.wait_after:.0f} min"
    )
    assert "引导至 N4，步行 3 分钟" in advice.text_zh()


def test_everybody_may_be_sent_away_bit_by_bit() -> None:
    links = tuple(Link(name, 1) for name in ("N5", "N6", "N7"))
    closed = replace(BUSY, open_lanes=1, spare_lanes=0, waiting=100.0, arrivals=(183.7,) * 40, links=links)
    near = [replace(CALM, id=link.to, open_lanes=8, arrivals=(36.9,) * 40) for link in links]
    (advice,) = advise([closed, *near])
    assert [each.share for each in advice.diversions] == [0.4, 0.4, 0.2]


def test_the_smallest_share_is_sent() -> None:
    crowded = replace(BUSY, spare_lanes=0, waiting=300.0, arrivals=(110.0,) * 30, links=(Link("N4", 3),))
    calm = replace(CALM, arrivals=(60.0,) * 30)
    (advice,) = advise([crowded, calm])
    (diversion,) = advice.diversions
    kept = 1 - diversion.share + 0.05  # one step less, as if they had never come
    arrivals = (110.0,) * 5 + (110.0 * kept,) * 25
    assert advise([replace(crowded, arrivals=arrivals, links=())])


@pytest.mark.parametrize(
    "neighbour",
    [
        replace(CALM, arrivals=(88.0,) * 40, waiting=850.0),  # almost at the limit itself
        replace(CALM, inner="hall1"),  # leads elsewhere
        replace(CALM, waiting=None),  # nobody knows how long its queue is
        replace(CALM, open_lanes=0, arrivals=(0.0,) * 40),  # closed
        replace(CALM, id="N9"),  # not linked
    ],
)
def test_nobody_is_sent_where_it_would_be_no_better(neighbour: EntranceLoad) -> None:
    (advice,) = advise([replace(BUSY, spare_lanes=0, links=(Link("N4", 3),)), neighbour])
    assert advice.diversions == ()
    assert advice.text().startswith("N3: no lane is spare and no entrance nearby has room: hold people back")
    assert "请在外围限流" in advice.text_zh()


def test_nobody_is_sent_on_a_walk_longer_than_the_wait() -> None:
    (advice,) = advise([replace(BUSY, spare_lanes=0, links=(Link("N4", 34),)), CALM])
    assert advice.diversions == ()


def test_two_entrances_together_do_not_fill_a_third() -> None:
    west, east = (replace(BUSY, id=name, spare_lanes=0, links=(Link("N4", 3),)) for name in ("W", "E"))
    advice = advise([west, east, CALM])
    assert all(diversion.wait_after <= 10 for each in advice for diversion in each.diversions)


def test_an_unknown_queue_gets_no_advice() -> None:
    assert advise([replace(BUSY, waiting=None)]) == ()


def entrances() -> st.SearchStrategy[list[EntranceLoad]]:
    """Three entrances that are all linked."""

    def entrance(number: int) -> st.SearchStrategy[EntranceLoad]:
        return st.builds(
            EntranceLoad,
            id=st.just(f"N{number}"),
            inner=st.just("venue"),
            open_lanes=st.integers(1, 10),
            spare_lanes=st.integers(0, 5),
            waiting=st.floats(0, 2_000),
            arrivals=st.floats(0, 200).map(lambda each: (each,) * 20),
            links=st.just(tuple(Link(f"N{other}", 4) for other in range(3) if other != number)),
        )

    return st.tuples(*map(entrance, range(3))).map(list)


@settings(max_examples=examples(240), deadline=None)
@given(entrances())
def test_advice_never_exceeds_what_is_there_and_never_makes_it_worse(places: list[EntranceLoad]) -> None:
    known = {each.id: each for each in places}
    for advice in advise(places):
        at = known[advice.entrance]
        assert at.open_lanes <= advice.lanes_after <= at.open_lanes + at.spare_lanes
        assert advice.wait_after <= advice.wait_before
        assert sum(each.share for each in advice.diversions) <= 1 + 1e-9
        assert all(
            each.wait_after <= 10 and each.walk + each.wait_after < advice.wait_before for each in advice.diversions
        )


def test_advice_that_is_one_lane_says_lane() -> None:
    diversion = Diversion("N4", 0.25, 30.0, 5.0, 1.0, 6.0)
    both = Advice("N3", 8, 9, (diversion,), wait_before=24.2, wait_after=9.6, limit=10.0)
    assert both.text() == (
        "open 1 lane at N3 and send 25% of N3 (30/min) to N4, 5 min on foot (wait there 1 → 6 min): wait 24 → 10 min"
    )
