"""Missing traffic raises one alarm, at the largest part of the site that is silent."""

from collections.abc import Callable, Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.silence import SilenceDetector, parts_of
from tests.streams.kernels.alarms.slowly import Slowly
from tests.support.alarm_feed import OUT, TEN, Events, Feed, gate, steady, steps
from tests.support.size import examples

GATES = [
    gate("P1", 4, gateway="GW"), gate("P2", 4, gateway="GW"), gate("P3", 4), gate("P4", 4, zone="Z-E"),
]  # fmt: skip
PAIRS = [*zip(GATES[0].lanes, GATES[1].lanes, strict=True), *zip(GATES[2].lanes, GATES[3].lanes, strict=True)]
TURNS = [lane for pair in PAIRS for lane in pair]
USUAL = steady(dict.fromkeys(TURNS, 8), measure=OUT)
"""Every lane has an event every 8 s, in turn: every entrance has one every other second."""
WARM = TEN + 900
"""By now it is known what is usual."""


def lanes_of(*names: str) -> set[str]:
    return {lane for each in GATES if each.id in names for lane in each.lanes}


def without(silent: Iterable[str], *, start: int = WARM, end: int = 2 * TEN) -> Callable[[int], Events]:
    """Let lanes be silent for a while."""
    gone = set(silent)
    return lambda second: [each for each in USUAL(second) if not (each[0] in gone and start <= second < end)]


def silences(changes: Iterable[Episode]) -> list[tuple[str, str, str]]:
    return [each for each in steps(changes) if each[0].startswith("silence")]


def last_heard(feed: Feed, *names: str) -> int:
    """Return when (ms) any of these entrances was last seen."""
    silence = feed.alarms.silence
    return max(int(silence.last[silence.numbers[lane]]) for lane in lanes_of(*names))


def test_nothing_is_silent_while_all_is_as_usual() -> None:
    assert silences(Feed(GATES).play(USUAL, start=TEN, end=TEN + 1800)) == []


def test_an_entrance_that_is_not_heard_from_for_60_seconds_is_silent() -> None:
    feed = Feed(GATES)
    changes = feed.play(without(lanes_of("P3")), start=TEN, end=WARM + 120)
    assert silences(changes) == [("silence-entrance", "P3", "raised")]
    assert 60_000 <= changes[0].raised_at - last_heard(feed, "P3") < 61_000
    assert changes[0].zone == "Z"


def test_59_seconds_are_no_silence() -> None:
    feed = Feed(GATES)
    silent = without(lanes_of("P3"), end=WARM + 57)
    assert silences(feed.play(silent, start=TEN, end=WARM + 600)) == []


def test_a_lane_is_silent_once_16_events_of_it_are_missing() -> None:
    feed = Feed(GATES)
    changes = feed.play(without(["P4-2"]), start=TEN, end=WARM + 300)
    assert silences(changes) == [("silence-lane", "P4-2", "raised")]
    last = int(feed.alarms.silence.last[feed.alarms.silence.numbers["P4-2"]])
    assert abs(changes[0].raised_at - last - 16 * 8 * 1000) < 6000
    assert changes[0].zone == "Z-E"


def test_all_entrances_behind_a_gateway_are_one_silence() -> None:
    changes = Feed(GATES).play(without(lanes_of("P1", "P2")), start=TEN, end=WARM + 500)
    assert silences(changes) == [("silence-gateway", "GW", "raised")]


def test_one_entrance_behind_a_gateway_is_its_own_silence() -> None:
    changes = Feed(GATES).play(without(lanes_of("P1")), start=TEN, end=WARM + 500)
    assert [each for each in silences(changes) if each[2] == "raised"] == [("silence-entrance", "P1", "raised")]


def test_silence_everywhere_is_one_alarm_of_the_site_and_of_no_zone() -> None:
    changes = Feed(GATES).play(without(lanes_of("P1", "P2", "P3", "P4")), start=TEN, end=WARM + 500)
    assert silences(changes) == [("silence-everything", "everything", "raised")]
    assert (changes[0].level, changes[0].zone) == ("red", "")


def test_entrances_without_a_common_cause_are_a_silence_each() -> None:
    changes = Feed(GATES).play(without(lanes_of("P1", "P4")), start=TEN, end=WARM + 200)
    assert sorted(silences(changes)) == [("silence-entrance", "P1", "raised"), ("silence-entrance", "P4", "raised")]


def test_a_silence_ends_half_a_minute_after_it_is_broken() -> None:
    changes = Feed(GATES).play(without(lanes_of("P3"), end=WARM + 300), start=TEN, end=WARM + 600)
    assert silences(changes) == [("silence-entrance", "P3", "raised"), ("silence-entrance", "P3", "cleared")]
    assert 30 <= (changes[1].cleared_at or 0) // 1000 - (WARM + 300) <= 33


def test_when_an_entrance_is_heard_from_again_its_lanes_have_time_to_be() -> None:
    # P3 is silent for 5 min; then lane by lane comes back within a minute, though each was silent for six
    def events(second: int) -> Events:
        back = {f"P3-{lane}": WARM + 300 + 15 * lane for lane in range(1, 5)}
        return [each for each in USUAL(second) if not WARM <= second < back.get(each[0], 0)]

    changes = Feed(GATES).play(events, start=TEN, end=WARM + 900)
    assert silences(changes) == [("silence-entrance", "P3", "raised"), ("silence-entrance", "P3", "cleared")]


def test_a_lane_that_stays_away_when_its_entrance_is_back_has_an_alarm_then() -> None:
    def events(second: int) -> Events:
        back = {"P3-1": WARM + 300, "P3-2": WARM + 300, "P3-3": WARM + 300, "P3-4": 2 * TEN}
        return [each for each in USUAL(second) if not WARM <= second < back.get(each[0], 0)]

    changes = Feed(GATES).play(events, start=TEN, end=WARM + 900)
    assert silences(changes)[-1] == ("silence-lane", "P3-4", "raised")
    assert changes[-1].raised_at >= 1000 * (WARM + 300 + 16 * 8)


def test_a_lane_that_is_rarely_used_is_never_silent() -> None:
    rng = np.random.default_rng(7)
    few = set((rng.random(3600) < 1 / 60).nonzero()[0].tolist())  # once a minute, at random

    def events(second: int) -> Events:
        rare: Events = [("P3-4", OUT)] if second - TEN in few else []
        return [*(each for each in USUAL(second) if each[0] != "P3-4"), *rare]

    assert silences(Feed(GATES).play(events, start=TEN, end=TEN + 2400)) == []


def test_what_was_never_heard_from_is_not_silent() -> None:
    unused = without(["P2-4"], start=0)
    assert silences(Feed(GATES).play(unused, start=TEN, end=TEN + 1800)) == []


def test_when_fewer_come_everywhere_an_entrance_without_anybody_is_not_silent() -> None:
    def events(second: int) -> Events:
        return USUAL(second) if second < WARM else [("P1-1", OUT)] if second % 100 == 0 else []

    changes = Feed(GATES).play(events, start=TEN, end=WARM + 90)
    assert not [each for each in silences(changes) if each[0] != "silence-everything"]


def test_closed_gates_are_not_silent() -> None:
    feed = Feed(GATES, is_open=lambda ms: ms < 1000 * WARM)
    assert silences(feed.play(without(lanes_of("P1", "P2", "P3", "P4")), start=TEN, end=WARM + 1200)) == []


def test_at_closing_time_a_silence_ends() -> None:
    feed = Feed(GATES, is_open=lambda ms: ms < 1000 * (WARM + 300))
    changes = feed.play(without(lanes_of("P3")), start=TEN, end=WARM + 600)
    assert silences(changes) == [("silence-entrance", "P3", "raised"), ("silence-entrance", "P3", "cleared")]
    assert changes[1].cleared_at == 1000 * (WARM + 330)


def test_every_opening_begins_anew_with_what_is_usual() -> None:
    opens = WARM + 1200
    feed = Feed(GATES, is_open=lambda ms: not 1000 * WARM <= ms < 1000 * opens)
    feed.play(without(lanes_of("P1", "P2", "P3", "P4")), start=TEN, end=opens)
    # the first come a quarter of an hour after the opening: that it was busy yesterday says nothing
    assert (
        silences(feed.play(without(lanes_of("P1", "P2", "P3", "P4"), end=opens + 900), start=opens, end=opens + 1800))
        == []
    )


def test_what_is_told_twice_is_heard_once() -> None:
    silence = SilenceDetector(GATES)
    for _ in range(2):
        silence.ingest("log", "P1-1", 5000, 3)
    silence.ingest("log", "P1-1", 4000, 2)  # by a worker that takes up at an older state
    silence.ingest("another log", "P1-1", 2000, 4)
    silence.ingest("log", "no-such-lane", 9000, 1)
    number = silence.numbers["P1-1"]
    assert (int(silence.last[number]), int(silence.events[number])) == (5000, 7)
    assert int(silence.events.sum()) == 7


def test_open_lanes_are_those_through_which_somebody_has_come_in() -> None:
    silence = SilenceDetector(GATES)
    for lane, last in (("P1-1", 5000), ("P1-2", 6000), ("P2-1", 5001)):
        silence.ingest("log", lane, 9000, 1, entered=last)
    assert silence.open_lanes(5000).tolist() == [1, 1, 0, 0]


def test_the_parts_of_a_site_are_listed_with_the_larger_ones_first() -> None:
    parts = parts_of(GATES)
    assert [each.subject for each in parts][:4] == ["everything", "GW", "P1", "P1-1"]
    assert all(part.parent < number for number, part in enumerate(parts))
    by_name = {each.subject: each for each in parts}
    assert parts[by_name["P3"].parent].subject == "everything"
    assert parts[by_name["P2-3"].parent].subject == "P2"


def test_a_part_of_one_piece_is_left_out() -> None:
    parts = parts_of([gate("P1", 1, gateway="GW"), gate("P2", 2)])
    assert [each.subject for each in parts] == ["everything", "P1", "P2", "P2-1", "P2-2"]


SLOW = "a part is taken for silent at its own usual rate, most of which is the silent child's: see `revived`"


def test_a_busy_lane_is_missed_although_its_only_sister_is_used_less() -> None:
    gates = [gate("P1", 2), *GATES[1:]]

    def events(second: int) -> Events:
        others = [each for each in USUAL(second) if not each[0].startswith("P1-")]
        busy: Events = [("P1-1", OUT)] if second % 2 == 0 and second < WARM else []
        return [*others, *busy, *([("P1-2", OUT)] if second % 11 == 0 else [])]

    changes = Feed(gates).play(events, start=TEN, end=WARM + 180)
    assert silences(changes) == [("silence-lane", "P1-1", "raised")]


def test_a_busy_entrance_is_missed_although_the_other_one_behind_its_gateway_is_used_less() -> None:
    def events(second: int) -> Events:
        others = [each for each in USUAL(second) if not each[0].startswith(("P1-", "P2-"))]
        busy: Events = [(f"P1-{second % 4 + 1}", OUT)] if second < WARM else []
        return [*others, *busy, *([("P2-1", OUT)] if second % 45 == 0 else [])]

    changes = Feed(GATES).play(events, start=TEN, end=WARM + 180)
    assert silences(changes) == [("silence-entrance", "P1", "raised")]


def test_a_gateway_is_not_blamed_for_one_entrance_when_the_other_is_quiet_as_usual() -> None:
    def events(second: int) -> Events:
        others = [each for each in USUAL(second) if not each[0].startswith(("P1-", "P2-"))]
        busy: Events = [(f"P1-{second % 4 + 1}", OUT)] if second < WARM else []
        return [*others, *busy, *([("P2-1", OUT)] if second % 300 == 200 else [])]

    changes = Feed(GATES).play(events, start=TEN, end=WARM + 180)
    assert ("silence-gateway", "GW", "raised") not in silences(changes)


def test_entrances_whose_worker_is_away_are_unknown_and_not_silent() -> None:
    feed = Feed(GATES, logs={"P3": "another"})
    feed.play(USUAL, start=TEN, end=WARM)
    changes = feed.play(USUAL, start=WARM, end=WARM + 120, away=["another"])
    assert silences(changes) == []


quiet = st.tuples(
    st.sampled_from([*({number} for number in range(8)), {0, 1}, {2, 3, 4}, {0, 1, 2, 3, 4}, set(range(8))]),
    st.integers(200, 1000),
    st.integers(1, 400),
)
"""Which lanes are silent together, from which second on, and for how long."""


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(1, 40), min_size=8, max_size=8), st.lists(quiet, max_size=12), st.integers(1, 30))
def test_silences_are_those_that_are_worked_out_part_by_part(
    every: list[int], silent: list[tuple[set[int], int, int]], told_every: int
) -> None:
    silence = SilenceDetector([gate("P1", 2, gateway="GW"), gate("P2", 3, gateway="GW"), gate("P3", 1), gate("P4", 2)])
    slowly, lanes = Slowly(silence), list(silence.numbers)
    last, events = dict.fromkeys(lanes, 0), dict.fromkeys(lanes, 0)
    spans = [[(start, start + n) for among, start, n in silent if number in among] for number in range(len(lanes))]
    for second in range(1, 1400):
        moment = 1000 * (TEN + second)
        for number, lane in enumerate(lanes):
            if (second + number) % every[number] == 0 and not any(a <= second < b for a, b in spans[number]):
                last[lane], events[lane] = moment - 500, events[lane] + 1
        if second % told_every == 0:
            for lane in lanes:
                silence.ingest("log", lane, last[lane], events[lane])
        if second % 60 == 0:
            silence.minute()
        assert silence.at(moment).tolist() == slowly.at(moment)
        if second == 1200:
            silence.forget_usual()
            slowly.blamed, slowly.revived = [False] * len(slowly.parts), [0] * len(slowly.parts)


def test_what_goes_on_elsewhere_is_what_the_other_gates_have() -> None:
    silence = SilenceDetector(GATES)
    now, before = np.array([9, 0, 1, 0]), np.array([9, 9, 9, 0])
    alive = dict(zip([part.subject for part in silence.parts], silence.alive_elsewhere(now, before), strict=True))
    # without P1 there is 1 where 18 were, a twentieth; without P3 half of it
    assert {name: bool(alive[name]) for name in ("everything", "GW", "P1", "P1-1", "P3", "P4-2")} == {
        "everything": True, "GW": False, "P1": False, "P1-1": False, "P3": True, "P4-2": True,
    }  # fmt: skip
