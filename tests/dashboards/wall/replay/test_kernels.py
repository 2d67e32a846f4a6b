"""The pure part of a replay computes occupancies, missing events and logs from rows, without a store."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dashboards.wall.model.rows import DeviceRow
from dashboards.wall.replay.counts import WINDOW
from dashboards.wall.replay.inside import CorrectionRow, anchors, occupancy
from dashboards.wall.replay.request import Moment, moment_of
from dashboards.wall.replay.sources import ParkedInterval, ProgressRow, ReceivedRanges, SourcesThen, sequence_gaps
from dashboards.wall.replay.state import pop_due
from streams.kernels.counts.site_clock import SiteClock

START = 100 * WINDOW


def correction(ts: int, *, delta: int | None = None, absolute: int | None = None, axis: int = 0) -> CorrectionRow:
    return CorrectionRow(axis, "venue", "person", ts, f"c{ts}", delta, absolute)


@given(
    flow=st.lists(st.integers(-3, 3), min_size=1, max_size=8),
    early=st.integers(-9, 9),
    given_=st.lists(
        st.tuples(st.integers(97 * WINDOW, 107 * WINDOW), st.integers(-9, 9), st.booleans()),
        max_size=5, unique_by=lambda each: each[0],
    ),
)  # fmt: skip
def test_an_occupancy_is_what_a_walk_over_its_windows_finds(
    flow: list[int], early: int, given_: list[tuple[int, int, bool]]
) -> None:
    some = [correction(ts, **{"absolute" if fixed else "delta": amount}) for ts, amount, fixed in given_]
    # All of the early flow was in the window before the first of these: only later anchors do away with it.
    flows = {START - WINDOW: early} | {START + place * WINDOW: each for place, each in enumerate(flow)}
    inside, walked = 0, []
    for window in range(START - 5 * WINDOW, START + len(flow) * WINDOW, WINDOW):
        inside += flows.get(window, 0)
        for each in sorted(some, key=lambda each: each.ts):
            if each.window == window:
                inside = each.absolute if each.absolute is not None else inside + (each.delta or 0)
        walked.append(inside)

    def before(since: int) -> int:
        return early if since <= START - WINDOW else 0

    assert occupancy(np.array(flow), START, some, before).tolist() == walked[5:]


def test_flows_may_count_from_the_newest_anchor_or_from_one_that_will_be_known_later() -> None:
    some = [
        correction(10 * WINDOW, absolute=1),
        correction(20 * WINDOW + 5, absolute=2),
        correction(15 * WINDOW, absolute=3, axis=7),
        correction(30 * WINDOW, delta=3),
        correction(START, absolute=4),
    ]
    assert anchors(some, 5, START) == {21 * WINDOW, 16 * WINDOW}


@given(st.sets(st.integers(1, 30)))
def test_holes_are_the_numbers_below_the_highest_that_never_came(numbers: set[int]) -> None:
    found = list(sequence_gaps([(number, number) for number in numbers]))
    lacking = set(range(1, max(numbers, default=0))) - numbers
    assert {number for after, events in found for number in range(after - events, after)} == lacking


def now(real_ms: int) -> Moment:
    return Moment(0, real_ms)


def received(log: str, version: int, *ranges: tuple[int, int]) -> ReceivedRanges:
    return ReceivedRanges(0, "d", 0, log, version, f"gate-{log}", ranges, ranges[-1][1], version)


def test_a_device_in_two_logs_lacks_what_neither_has_and_an_older_version_says_nothing() -> None:
    sources = SourcesThen([])
    sources.add_devices([received("a", 5, (1, 3), (6, 7)), received("b", 1, (5, 5), (9, 9)), received("a", 4, (1, 1))])
    assert sources.devices(now(0)) == [DeviceRow("d", "gate-b", 2, 5)]


def test_a_log_that_was_taken_up_again_is_where_it_had_been_until_it_gets_further() -> None:
    sources = SourcesThen([])
    sources.add_progress([ProgressRow(10, "l", "c", 200, 9, 0), ProgressRow(20, "l", "c", 120, 19, 0)])
    assert [row.complete_to for row in sources.logs(now(20))] == [9]
    sources.add_progress([ProgressRow(30, "l", "c", 200, 29, 0)])
    assert [row.complete_to for row in sources.logs(now(30))] == [29]


def test_what_is_parked_holds_its_own_log_from_then_until_it_is_resolved() -> None:
    sources = SourcesThen([ParkedInterval("l", 10, 20, 5), ParkedInterval("other", 0, None, 1)])
    sources.add_progress([ProgressRow(1, "l", "c", 1, 8, 0)])
    assert [sources.logs(now(real))[0].complete_to for real in (9, 10, 19, 20)] == [8, 5, 5, 8]


def test_what_waits_is_handed_out_once_when_its_moment_has_come() -> None:
    waiting = [(1, "a"), (2, "b"), (2, "c"), (5, "d")]
    assert [pop_due(waiting, axis) for axis in (0, 2, 4, 9)] == [[], [(1, "a"), (2, "b"), (2, "c")], [], [(5, "d")]]


@given(st.integers(0, 10**9), st.sampled_from([0.5, 1.0, 7.0, 60.0, 62.5]))
def test_a_moment_is_never_before_what_the_sites_clock_should_show(elapsed: int, speed: float) -> None:
    clock = SiteClock(1_794_000_000_000, 1_795_000_000_000, speed)
    wanted = clock.site_ms + elapsed
    moment = moment_of(wanted, clock)
    assert moment == Moment(clock.now(moment.real), moment.real)
    assert wanted <= moment.site < wanted + 2 * speed + 2
