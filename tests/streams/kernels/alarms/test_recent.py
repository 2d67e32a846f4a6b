"""Counts of the last ten minutes by second: repetitions count once, and old seconds drop out."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.alarms.inputs import LogFlow
from streams.kernels.alarms.recent import REPUBLISHED_SECONDS, SPAN, RecentCounts
from streams.kernels.counts.live import LiveCells, Measure

NOON = 1_763_611_200
"""2025-11-20 12:00:00 in Shanghai, in seconds."""
IN, OUT = Measure.PASSED_IN, Measure.PASSED_OUT
GATES = ["N1", "N2"]
CellRow = tuple[int, str, Measure, int]


def flow(*cells: tuple[int, str, int, int], log: str = "log") -> LogFlow:
    return LogFlow(log, "person", 1, 0, list(cells), [])


def recent(second: int = NOON) -> RecentCounts:
    """Begin with nothing, at a second."""
    begun = RecentCounts(GATES)
    begun.enter(second)
    return begun


def sums(counts: RecentCounts, seconds: int = 60, *, before: int = 0, measure: Measure = IN) -> list[int]:
    answer: list[int] = counts.last(measure, seconds, before=before).tolist()
    return answer


def test_a_second_counts_once_it_is_entered_and_for_as_long_as_it_is_recent() -> None:
    counts = recent()
    counts.ingest(flow((NOON + 1, "N1", IN, 7)))
    assert sums(counts) == [0, 0]
    counts.enter(NOON + 1)
    assert sums(counts) == [7, 0]
    counts.enter(NOON + 60)
    assert sums(counts) == [7, 0]
    counts.enter(NOON + 61)
    assert sums(counts) == [0, 0]
    assert sums(counts, before=60) == [7, 0]


def test_the_measures_of_a_second_are_counted_apart() -> None:
    counts = recent()
    counts.ingest(flow((NOON + 1, "N2", IN, 3), (NOON + 1, "N2", OUT, 4), (NOON + 1, "N2", Measure.DENIED, 5)))
    counts.enter(NOON + 1)
    assert [sums(counts, measure=each)[1] for each in Measure] == [3, 4, 5, 0]


def test_what_a_restarted_worker_tells_again_counts_once() -> None:
    counts = recent()
    counts.ingest(flow((NOON + 1, "N1", IN, 5)))
    counts.enter(NOON + 2)
    for again in (3, 5):  # it takes up at an older state, and counts on
        counts.ingest(flow((NOON + 1, "N1", IN, again)))
    counts.enter(NOON + 3)
    assert sums(counts) == [5, 0]


def test_only_what_is_more_is_added() -> None:
    counts = recent()
    for n in (2, 5, 9):
        counts.ingest(flow((NOON + 1, "N1", IN, n)))
    counts.enter(NOON + 1)
    assert sums(counts) == [9, 0]


def test_two_logs_with_the_same_entrance_add_up() -> None:
    counts = recent()
    counts.ingest(flow((NOON + 1, "N1", IN, 2), log="a"))
    counts.ingest(flow((NOON + 1, "N1", IN, 3), log="b"))
    counts.enter(NOON + 1)
    assert sums(counts) == [5, 0]


def test_what_is_told_of_a_past_second_counts_in_the_next_one() -> None:
    counts = recent()
    counts.enter(NOON + 10)
    counts.ingest(flow((NOON + 3, "N1", IN, 4)))
    assert sums(counts) == [0, 0]
    counts.enter(NOON + 11)
    assert sums(counts, 1) == [4, 0]
    counts.ingest(flow((NOON + 3, "N1", IN, 6)))
    counts.enter(NOON + 12)
    assert sums(counts, 1) == [2, 0]


def test_what_is_told_two_minutes_late_does_not_count() -> None:
    counts = recent()
    counts.enter(NOON + REPUBLISHED_SECONDS)
    counts.ingest(flow((NOON, "N1", IN, 4), (NOON + 1, "N2", IN, 4)))
    counts.enter(NOON + REPUBLISHED_SECONDS + 1)
    assert sums(counts) == [0, 4]


def test_entrances_that_the_profile_does_not_have_are_left_out() -> None:
    counts = recent()
    counts.ingest(flow((NOON + 1, "gone", IN, 4)))
    counts.enter(NOON + 1)
    assert sums(counts) == [0, 0]


def test_after_a_long_gap_nothing_of_before_is_left() -> None:
    counts = recent()
    counts.ingest(flow(*((NOON + each, "N1", IN, 1) for each in range(1, SPAN + 1))))
    counts.enter(NOON + SPAN)
    assert sums(counts, SPAN) == [SPAN, 0]
    counts.ingest(flow((NOON + 9000, "N2", IN, 1)))
    counts.enter(NOON + 9000)
    assert sums(counts, SPAN) == [0, 1]


def test_what_was_known_is_forgotten_once_it_can_no_longer_be_told_again() -> None:
    counts = recent()
    counts.ingest(flow(*((NOON + each, "N1", IN, 1) for each in range(1, 500))))
    for each in range(1, 661):
        counts.enter(NOON + each)
    assert [len(each) for each in counts.known.values()] == [0]
    assert len(counts.coming) == 0


seconds = st.integers(1, 1500)
events = st.lists(st.tuples(seconds, st.sampled_from(GATES), st.sampled_from([IN, OUT])), max_size=120)


@given(events, st.lists(seconds, max_size=30), st.integers(1, 300), st.integers(0, 300))
def test_sums_are_those_of_the_events_wherever_the_ring_wraps(
    happened: list[tuple[int, str, Measure]], stops: list[int], span: int, before: int
) -> None:
    counts = recent()
    cells = Counter(happened)
    counts.ingest(flow(*((NOON + second, gate, measure, n) for (second, gate, measure), n in cells.items())))
    for stop in sorted({*stops, 1500}):
        counts.enter(NOON + stop)
        last = stop - before
        assert sums(counts, span, before=before, measure=OUT) == [
            sum(each == (second, gate, OUT) for each in happened for second in range(last - span + 1, last + 1))
            for gate in GATES
        ]


def test_cells_in_columns_and_one_by_one_are_the_same() -> None:
    cells = [(NOON + 1, "N2", IN, 3), (NOON + 1, "N1", OUT, 4), (NOON + 2, "N2", IN, 5)]
    one_by_one, in_columns = recent(), recent()
    one_by_one.ingest(flow(*cells))
    columns = LiveCells(NOON, ["N2", "gone", "N1"], [1, 1, 2, 2], [0, 2, 0, 1], [IN, OUT, IN, IN], [3, 4, 5, 9])
    in_columns.ingest(LogFlow("log", "person", 1, 0, columns, []))
    for counts in (one_by_one, in_columns):
        counts.enter(NOON + 2)
        assert [sums(counts, measure=each) for each in (IN, OUT)] == [[0, 8], [4, 0]]


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'second': 2, 'entrance': 1, .* expected the same length"):
        LiveCells(NOON, ["N1"], [1, 2], [0], [0], [1])


class OneByOne:
    """The same counts, a dictionary entry a cell."""

    def __init__(self) -> None:
        self.entered = NOON
        self.known: dict[tuple[str, int, str, Measure], int] = {}
        self.counted: Counter[tuple[int, str, Measure]] = Counter()

    def ingest(self, log: str, cells: list[CellRow]) -> None:
        """Take in what a log says."""
        for second, entrance, measure, n in cells:
            known = self.known.get((log, second, entrance, measure), 0)
            if second > self.entered - REPUBLISHED_SECONDS and n > known:
                self.known[log, second, entrance, measure] = n
                self.counted[max(second, self.entered + 1), entrance, measure] += n - known

    def last(self, measure: Measure, seconds: int, before: int) -> list[int]:
        """Sum so many seconds up to some seconds before the newest one."""
        end = self.entered - before
        return [
            sum(
                n
                for (second, name, what), n in self.counted.items()
                if end - seconds < second <= end and (name, what) == (each, measure)
            )
            for each in GATES
        ]


told_cells = st.lists(
    st.tuples(st.integers(-200, 400), st.sampled_from([*GATES, "gone"]), st.sampled_from([IN, OUT]), st.integers(1, 9)),
    max_size=12,
)
steps = st.lists(
    st.tuples(st.sampled_from("ab"), told_cells, st.sampled_from([0, 1, 2, 59, 60, 61, 300, 599, 700])), max_size=12
)


@given(steps, st.integers(1, 300), st.integers(0, 300), st.sampled_from([list, LiveCells.of]))
def test_whatever_is_told_in_any_order_and_however_often_counts_as_if_it_were_counted_one_by_one(
    inputs: list[tuple[str, list[CellRow], int]], span: int, before: int, form: Callable[[list[CellRow]], LiveCells]
) -> None:
    counts, one_by_one = recent(), OneByOne()
    for log, cells, ahead in inputs:
        now = counts.entered
        said = [(now + second, entrance, measure, n) for second, entrance, measure, n in cells]
        one_by_one.ingest(log, [each for each in said if each[1] != "gone"])
        counts.ingest(LogFlow(log, "person", 1, 0, form(said), []))
        counts.enter(now + ahead)
        one_by_one.entered = now + ahead
        for measure in (IN, OUT):
            assert sums(counts, span, before=before, measure=measure) == one_by_one.last(measure, span, before)


def test_of_what_was_told_only_so_many_cells_are_remembered_and_the_newest_stay() -> None:
    counts = recent()
    for second in range(1, 11):
        counts.ingest(flow((NOON + second, "N1", IN, second), log=f"log {second % 2}"))
    counts.forget_known(10)
    assert sum(map(len, counts.known.values())) == 10
    counts.forget_known(6)
    assert sorted(n for known in counts.known.values() for n in known.values()) == [8, 9, 10]
    counts.enter(NOON + 10)
    assert sums(counts) == [55, 0]
