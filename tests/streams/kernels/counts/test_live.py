"""Live counts depend on each record alone, so alarms are the same however a log is cut into batches."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.batch import Batch
from streams.kernels.counts.columns import DictColumn, Interner
from streams.kernels.counts.live import GRACE_SECONDS, Live, LiveCells, LiveRules, Measure, PublishedCell, freeze, thaw
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.counts.snapshot import freeze as freeze_log
from streams.kernels.counts.snapshot import thaw as thaw_log
from tests.support.events import LOG, NINE, PLACE, SUSPECT, TIMES, Event, batch, log

RULES = LiveRules(TIMES)
GRACE = round(1000 * GRACE_SECONDS)
MOST_LATE = 15_000
SECOND = NINE // 1000
Cell = tuple[int, str, int]


def one_by_one(cells: LiveCells) -> list[PublishedCell]:
    columns = zip(cells.second, cells.entrance, cells.measure, cells.count, strict=True)
    return [(cells.first + second, cells.entrances[number], measure, n) for second, number, measure, n in columns]


class Seen:
    """The live part of a log, and everything that it has published."""

    def __init__(self, live: Live | None = None, names: Interner | None = None) -> None:
        self.live, self.names = live or Live(), Interner() if names is None else names
        self.cells: dict[Cell, int] = {}
        self.lanes: dict[str, tuple[str, int, int]] = {}

    def count(self, *events: Event) -> None:
        """Count events."""
        if events:
            self.count_batch(batch(events, first=0, after=max(each.offset for each in events) + 1))

    def count_batch(self, events: Batch) -> None:
        """Count a batch."""
        self.live.count(events, self.names.numbers(events.entrance), RULES)

    def drain(self) -> None:
        """Tell what has changed."""
        cells, lanes = self.live.drain(self.names, GRACE)
        self.cells |= {(second, entrance, measure): n for second, entrance, measure, n in one_by_one(cells)}
        self.lanes |= {device: (entrance, last, n) for device, entrance, last, n, _ in lanes}


def seen(*events: Event) -> Seen:
    answer = Seen()
    answer.count(*events)
    answer.drain()
    return answer


def test_an_event_that_arrives_at_once_happens_when_it_happened() -> None:
    assert seen(Event(ts=NINE, arrived=NINE + 800)).cells == {(SECOND, "N1", Measure.PASSED_IN): 1}


def test_what_arrives_late_happens_shortly_before_it_becomes_known() -> None:
    late = seen(Event(ts=NINE, arrived=NINE + 10_000))
    assert late.cells == {(SECOND + 9, "N1", Measure.PASSED_IN): 1}
    assert late.lanes == {"N1-L01": ("N1", NINE + 10_000 - GRACE, 1)}


def test_nothing_happens_after_it_has_arrived() -> None:
    assert seen(Event(ts=NINE + 120_000, arrived=NINE)).cells == {(SECOND, "N1", Measure.PASSED_IN): 1}


def test_the_upload_of_a_device_that_was_offline_says_only_that_it_is_heard_from_again() -> None:
    upload = seen(*(Event(n, n + 1, ts=NINE + 1000 * n, arrived=NINE + 3_600_000) for n in range(60)))
    assert upload.cells == {}
    assert upload.lanes == {"N1-L01": ("N1", NINE + 3_600_000 - GRACE, 0)}


def test_what_is_a_quarter_of_a_minute_late_is_still_news() -> None:
    assert seen(Event(ts=NINE, arrived=NINE + MOST_LATE)).cells
    assert not seen(Event(ts=NINE, arrived=NINE + MOST_LATE + 1)).cells


def behind(lag: int, count: int, *, every: int = 1000, first: int = 0) -> list[Event]:
    """Return the passages of a device whose clock is behind by `lag` ms, one in so many ms."""
    return [Event(n, n + 1, ts=NINE + every * n - lag, arrived=NINE + every * n) for n in range(first, first + count)]


def test_a_clock_that_is_behind_is_learnt_and_its_passages_are_news_again() -> None:
    answer = seen(*behind(120_000, 600))
    first = min(second for second, *_ in answer.cells) - SECOND
    assert first == pytest.approx(4 * (120 - 15), abs=8)
    assert sum(answer.cells.values()) == pytest.approx(600 - 4 * (120 - 15), abs=8)


def test_what_was_learnt_of_a_clock_survives_a_restart() -> None:
    answer = seen(*behind(120_000, 500))
    again = Seen(thaw(json.loads(json.dumps(freeze(answer.live)))), answer.names)
    again.count(*behind(120_000, 10, first=500))
    again.drain()
    assert sum(n for (second, *_), n in again.cells.items() if second >= SECOND + 499) == 10


def test_a_clock_that_was_put_right_has_no_lag_any_more() -> None:
    answer = seen(*behind(120_000, 600), *behind(0, 1, first=600))
    assert answer.live.lags == {}
    answer.count(*behind(60_000, 1, first=601))
    assert freeze(answer.live)["lags"] == [["N1-L01", 0, NINE + 601_000]]


def test_time_without_an_event_teaches_no_lag() -> None:
    late = [Event(0, 1, ts=NINE - 60_000, arrived=NINE), Event(1, 2, ts=NINE, arrived=NINE + 3_600_000)]
    assert seen(*late).live.lags["N1-L01"].lag == 1000


def test_an_upload_after_a_lag_was_learnt_is_no_news_but_its_end() -> None:
    learnt = behind(120_000, 600)
    upload = [Event(n, n + 1, ts=NINE + 1000 * n - 120_000, arrived=NINE + 1_200_000) for n in range(600, 1200)]
    answer = seen(*learnt)
    before = sum(answer.cells.values())
    answer.count(*upload)
    answer.drain()
    assert 10 <= sum(answer.cells.values()) - before <= 20


def test_without_a_time_of_arrival_the_events_own_counts() -> None:
    assert seen(Event(ts=NINE, arrived=0)).cells == {(SECOND, "N1", Measure.PASSED_IN): 1}


def test_at_sixty_times_the_speed_a_quarter_of_a_second_of_grace_is_a_quarter_of_a_minute() -> None:
    rules = LiveRules(TimeRules(SiteClock(NINE, NINE, 60), SUSPECT, 48 * 3_600_000))
    assert (rules.grace, rules.most_late) == (60 * GRACE, 60 * MOST_LATE)
    live, site = rules.live_time(np.array([NINE, NINE]), np.array([NINE + 2000, NINE + 16_000]))
    assert live.tolist() == [NINE + 120_000 - 60 * GRACE, NINE + 960_000 - 60 * GRACE]
    assert site.tolist() == [NINE + 120_000, NINE + 960_000]


def test_passed_and_denied_are_counted_and_granted_is_not() -> None:
    events = [
        Event(0, 1), Event(1, 2, direction="out"), Event(2, 3, outcome="granted"), Event(3, 4, outcome="denied"),
    ]  # fmt: skip
    cells = seen(*events).cells
    assert cells == {(SECOND, "N1", each): 1 for each in (Measure.PASSED_IN, Measure.PASSED_OUT, Measure.DENIED)}


@pytest.mark.parametrize(
    ("health", "temperature", "unwell"),
    [("abnormal", np.nan, 1), ("", 37.3, 1), ("abnormal", 39.0, 1), ("", 37.2, 0), ("normal", np.nan, 0)],
)
def test_abnormal_health_or_a_fever_is_counted_beside_the_outcome(health: str, temperature: float, unwell: int) -> None:
    events = batch([Event(outcome="denied")], first=0, after=1)
    answer = Seen()
    answer.count_batch(replace(events, health=DictColumn.of([health]), temperature=np.array([temperature])))
    answer.drain()
    assert answer.cells[SECOND, "N1", Measure.DENIED] == 1
    assert answer.cells.get((SECOND, "N1", Measure.UNWELL), 0) == unwell


def test_a_lane_knows_its_newest_event_and_how_many_there_were() -> None:
    answer = seen(Event(0, 1), Event(1, 2, ts=NINE + 5000), Event(2, 3, ts=NINE + 4000), Event(3, 1, device="N2-L01"))
    assert answer.lanes == {"N1-L01": ("N1", NINE + 5000, 3), "N2-L01": ("N1", NINE, 1)}


def test_a_lane_knows_when_somebody_came_in_through_it_last() -> None:
    live = Seen()
    live.count(Event(0, 1), Event(1, 2, ts=NINE + 5000, direction="out"), Event(2, 3, ts=NINE + 6000, outcome="denied"))
    live.count(Event(3, 1, device="N1-L02", direction="out"))
    _, lanes = live.live.drain(live.names, GRACE)
    assert [(device, entered) for device, *_, entered in lanes] == [("N1-L01", NINE), ("N1-L02", 0)]


def test_only_what_has_changed_is_told_and_always_as_a_whole() -> None:
    answer = seen(Event(0, 1), Event(1, 1, device="N2-L01", entrance="N2"))
    answer.count(Event(2, 2))
    cells, lanes = answer.live.drain(answer.names, GRACE)
    assert one_by_one(cells) == [(SECOND, "N1", Measure.PASSED_IN, 2)]
    assert lanes == [("N1-L01", "N1", NINE, 2, NINE)]
    cells, lanes = answer.live.drain(answer.names, GRACE)
    assert (len(cells), lanes) == (0, [])


def test_a_second_is_forgotten_only_when_no_event_can_come_to_it_any_more() -> None:
    answer = seen(Event(0, 1, ts=NINE, arrived=NINE))
    answer.count(Event(1, 2, ts=NINE + 1000 + GRACE - 1, arrived=NINE + 1000 + GRACE - 1))
    answer.drain()
    # the next record may have arrived in the same ms: by the grace before it is still the first second
    answer.count(Event(2, 3, ts=NINE, arrived=NINE + 1000 + GRACE - 1))
    answer.drain()
    assert answer.cells[SECOND, "N1", Measure.PASSED_IN] == 2


def test_what_is_over_is_forgotten() -> None:
    answer = seen(*(Event(n, n + 1, ts=NINE + 1000 * n, arrived=NINE + 1000 * n) for n in range(600)))
    answer.drain()
    assert len(answer.live.cells.counts) <= 4
    assert len(answer.cells) == 600


def test_what_was_taken_stays_in_the_state_until_the_next_time() -> None:
    counting = log()
    events = [Event(n, n + 1, ts=NINE + 1000 * n, arrived=NINE + 1000 * n) for n in range(60)]
    counting.apply(batch(events, first=0, after=60))
    counting.live.drain(counting.entrances, GRACE)
    # A snapshot is kept while the lines are on their way to the broker, and the worker is killed before they are there.
    again = thaw_log(freeze_log(counting), LOG, "person", PLACE)
    cells, _ = again.live.drain(again.entrances, GRACE)
    assert len(cells) == 60


def test_a_state_that_is_taken_up_tells_everything_that_it_knows_again() -> None:
    answer = seen(Event(0, 1), Event(1, 1, device="N2-L01", entrance="N2"))
    before = answer.cells, answer.lanes
    again = Seen(thaw(json.loads(json.dumps(freeze(answer.live)))), answer.names)
    assert freeze(again.live) == freeze(answer.live)
    again.drain()
    assert (again.cells, again.lanes) == before
    again.count(Event(2, 2))
    again.drain()
    assert again.cells[SECOND, "N1", Measure.PASSED_IN] == 2


def test_a_state_of_a_version_without_it_begins_with_nothing() -> None:
    assert freeze(thaw(None)) == freeze(Live())


delays = st.one_of(st.integers(-3000, 3000), st.integers(0, 2 * MOST_LATE))
passing = st.tuples(
    st.integers(0, 900), delays, st.sampled_from(["N1", "N2", "H1"]), st.sampled_from(["in", "out"]),
    st.sampled_from(["passed", "granted", "denied"]),
)  # fmt: skip


def written(facts: Sequence[tuple[int, int, str, str, str]]) -> list[Event]:
    """Make events of (ms since the arrival before it, delay in ms, entrance, direction, outcome)."""
    arrivals = np.cumsum([NINE, *(fact[0] for fact in facts)])[1:].tolist()
    return [
        Event(
            n, n + 1, device=f"{entrance}-L01", ts=arrived - delay, arrived=arrived, entrance=entrance,
            direction=direction, outcome=outcome,
        )
        for n, (arrived, (_, delay, entrance, direction, outcome)) in enumerate(zip(arrivals, facts, strict=True))
    ]  # fmt: skip


def by_hand(events: Sequence[Event]) -> tuple[dict[Cell, int], dict[str, tuple[str, int, int]]]:
    """Work cells and lanes out, one event after the other."""
    cells, lanes = Counter[Cell](), dict[str, tuple[str, int, int]]()
    lags = dict[str, tuple[int, int]]()
    for each in events:
        live = min(max(each.ts, each.arrival - GRACE), each.arrival)
        late = each.arrival - each.ts
        lag, last_seen = lags.get(each.device, (0, each.arrival))
        lag = min(lag + min(max(each.arrival - last_seen, 0), 4000) // 4, max(late, 0))
        if late > MOST_LATE or each.device in lags:
            lags[each.device] = lag, each.arrival
        if late <= MOST_LATE and not lag:
            lags.pop(each.device, None)
        news = late - lag <= MOST_LATE if each.device in lags else late <= MOST_LATE
        _, last, n = lanes.get(each.device, ("", 0, 0))
        lanes[each.device] = (each.entrance, max(last, live), n + news)
        if news and each.outcome != "granted":
            measure = Measure.DENIED if each.outcome == "denied" else Measure(int(each.direction == "out"))
            cells[live // 1000, each.entrance, measure] += 1
    return dict(cells), lanes


@given(st.lists(passing, min_size=1, max_size=40), st.sets(st.integers(1, 39)), st.sets(st.integers(0, 40)), st.data())
def test_however_a_log_is_cut_and_taken_up_the_cells_are_the_same(
    facts: list[tuple[int, int, str, str, str]], cuts: set[int], taken: set[int], data: st.DataObject
) -> None:
    events, answer = written(facts), Seen()
    crashes = data.draw(st.sets(st.sampled_from(sorted(cuts))) if cuts else st.just(set[int]()))
    edges = sorted({0, len(events), *(each for each in cuts if each < len(events))})
    for start, end in pairwise(edges):
        answer.count(*events[start:end])
        if end in taken:
            answer.drain()
        if end in crashes:
            answer.live = thaw(json.loads(json.dumps(freeze(answer.live))))
    answer.drain()
    assert (answer.cells, answer.lanes) == by_hand(events)


def test_a_repeated_passage_is_not_seen_twice() -> None:
    counting = log()
    counting.apply(batch([Event(0, 1), Event(1, 1), Event(2, 2)], first=0, after=3))
    cells, lanes = counting.live.drain(counting.entrances, GRACE)
    assert one_by_one(cells) == [(SECOND, "N1", Measure.PASSED_IN, 2)]
    assert lanes == [("N1-L01", "N1", NINE, 2, NINE)]
