"""Occupancy is what entered minus what departed, with corrections at the end of their window, and is never clamped."""

import datetime as dt
import itertools
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.clickhouse import ClickHouseReader
from streams.kernels.counts.columns import Block
from tests.sinks.test_views import A, B, at
from tests.support.rows import NOON, block, flows
from tests.support.size import examples
from tests.support.stores import Server

WINDOW = 10_000


def flow(window: int, entered: int, departed: int = 0, **more: Any) -> dict[str, Any]:
    """Return a row of flows in the n-th window after noon."""
    start = NOON + window * WINDOW
    return {"window_start": start, "entered": entered, "departed": departed, "last_ts": start + 999, **more}


def correction(seconds: float, name: str, **change: Any) -> dict[str, Any]:
    """Return a correction so many seconds after noon: delta=... or absolute=..."""
    return {"ts": NOON + int(seconds * 1000), "id": name, **change}


def history(reader: ClickHouseReader) -> list[tuple[int, int]]:
    """Return (window, inside) for the hall."""
    rows = reader.query(
        "SELECT (toUnixTimestamp(window_start) - %(noon)s) / 10, inside FROM gatepulse.occupancy_history"
        " WHERE area = 'hall' AND kind = 'person' ORDER BY window_start",
        {"noon": NOON // 1000},
    )
    return [(int(window), inside) for window, inside in rows]


def now(reader: ClickHouseReader) -> list[int]:
    """Return how many are in the hall."""
    return [inside for (inside,) in reader.query("SELECT inside FROM gatepulse.occupancy WHERE area = 'hall'")]


def test_flows_add_up_over_windows_logs_and_segments(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        *flows(
            flow(0, 5, 1, log=A, segment=0, version=9),
            flow(0, 2, 0, log=B),
            flow(0, 1, 1, log=A, segment=1),
            flow(3, 0, 4, log=A),
        )
    )
    server.write(*flows(flow(0, 4, 0, log=A, segment=0, version=8)))  # older
    # window   +5-1 +2 +1-1   -4
    assert history(reader) == [(0, 6), (3, 2)]
    assert now(reader) == [2]


def test_a_late_flow_changes_every_later_window(server: Server, reader: ClickHouseReader) -> None:
    server.write(*flows(flow(5, 3), flow(9, 1)))
    server.write(*flows(flow(2, 10, segment=1)))
    assert history(reader) == [(2, 10), (5, 13), (9, 14)]
    assert now(reader) == [14]


def test_fewer_than_nobody_is_shown_as_it_is(server: Server, reader: ClickHouseReader) -> None:
    server.write(*flows(flow(0, 1), flow(1, 0, 4), flow(2, 1)))
    assert history(reader) == [(0, 1), (1, -3), (2, -2)]
    assert now(reader) == [-2]


def test_a_delta_acts_from_the_end_of_its_window(server: Server, reader: ClickHouseReader) -> None:
    server.write(*flows(flow(0, 5), flow(1, 1), flow(2, 1)))
    server.write(block("corrections", correction(10.0, "a", delta=-4)))  # the first instant of window 1
    assert history(reader) == [(0, 5), (1, 2), (2, 3)]
    assert now(reader) == [3]


def test_an_absolute_replaces_the_flows_of_its_own_window_too(server: Server, reader: ClickHouseReader) -> None:
    server.write(*flows(flow(0, 5), flow(1, 7), flow(2, 1)))
    server.write(block("corrections", correction(19.999, "a", absolute=100)))  # the last instant of window 1
    assert history(reader) == [(0, 5), (1, 100), (2, 101)]
    assert now(reader) == [101]


def test_a_late_flow_before_an_anchor_no_longer_matters(server: Server, reader: ClickHouseReader) -> None:
    server.write(*flows(flow(0, 5), flow(4, 1)))
    server.write(block("corrections", correction(25, "a", absolute=50)))
    server.write(*flows(flow(1, 30, segment=1), flow(2, 40, segment=1)))
    assert history(reader) == [(0, 5), (1, 35), (2, 50), (4, 51)]
    assert now(reader) == [51]


def test_an_absolute_divides_its_hour(server: Server, reader: ClickHouseReader) -> None:
    #  12:00        12:30        13:00        14:00
    #  ─┼── +5 ──────┼── +7 ─ +1 ──┼── +2 ──────┼── +4
    #               = 100 from the end of its window on
    server.write(*flows(flow(0, 5), flow(180, 7), flow(181, 1), flow(360, 2), flow(720, 4)))
    server.write(block("corrections", correction(1800, "a", absolute=100)))
    assert history(reader) == [(0, 5), (180, 100), (181, 101), (360, 103), (720, 107)]
    assert now(reader) == [107]


def test_an_absolute_in_the_last_window_of_an_hour_leaves_the_next_hours(
    server: Server, reader: ClickHouseReader
) -> None:
    server.write(*flows(flow(358, 5), flow(359, 7), flow(360, 1), flow(361, 2), flow(720, 4)))
    server.write(block("corrections", correction(3599.999, "a", absolute=100)))
    assert history(reader) == [(358, 5), (359, 100), (360, 101), (361, 103), (720, 107)]
    assert now(reader) == [107]


def test_an_absolute_in_the_first_window_of_an_hour_divides_it(server: Server, reader: ClickHouseReader) -> None:
    server.write(*flows(flow(359, 7), flow(360, 1), flow(361, 2), flow(720, 4)))
    server.write(block("corrections", correction(3600, "a", absolute=100)))
    assert history(reader) == [(359, 7), (360, 100), (361, 102), (720, 106)]
    assert now(reader) == [106]


def test_corrections_in_one_window_act_in_the_order_of_time_and_id(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block(
            "corrections",
            correction(3, "delta before", delta=1000),
            correction(4, "b", delta=7),
            correction(4, "a", absolute=20),
            correction(2, "first", absolute=900),
            correction(9, "last", delta=-1),
        )
    )
    # 2 s: 900   3 s: +1000   4 s: a = 20   4 s: b +7   9 s: -1
    assert history(reader) == [(0, 26)]
    assert now(reader) == [26]


def test_a_correction_sent_twice_acts_once(server: Server, reader: ClickHouseReader) -> None:
    for _ in range(2):
        server.write(block("corrections", correction(1, "a", delta=5)), *flows(flow(0, 1)))
    assert now(reader) == [6]


def test_areas_and_kinds_are_counted_apart(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        *flows(flow(0, 1), flow(0, 2, kind="vehicle"), flow(0, 4, area="yard")),
        block(
            "corrections", correction(15, "a", absolute=9, area="yard"), correction(15, "b", delta=1, kind="vehicle")
        ),
    )
    found = reader.query("SELECT area, kind, inside FROM gatepulse.occupancy ORDER BY ALL")
    assert found == [("hall", "person", 1), ("hall", "vehicle", 3), ("yard", "person", 9)]


def test_an_area_without_flows_is_empty_and_unheard_of(server: Server, reader: ClickHouseReader) -> None:
    server.write(
        block(
            "site_areas",
            {"area": "hall", "capacity": 500},
            {"area": "yard", "capacity": None},
            {"area": "yard", "kind": "vehicle", "capacity": 80},
        ),
        *flows(flow(0, 3), flow(7, 0, 1), flow(0, 2, area="unplanned")),
    )
    # as_of is the newest event, in window 7; an area that the profile lacks has no capacity
    assert reader.query("SELECT area, kind, as_of, inside, capacity FROM gatepulse.occupancy ORDER BY area, kind") == [
        ("hall", "person", at(70.999), 2, 500),
        ("unplanned", "person", at(0.999), 2, None),
        ("yard", "person", None, 0, None),
        ("yard", "vehicle", None, 0, 80),
    ]


def test_an_area_that_only_was_corrected_has_that_many(server: Server, reader: ClickHouseReader) -> None:
    server.write(block("corrections", correction(0, "a", absolute=12)))
    assert reader.query("SELECT area, as_of, inside, capacity FROM gatepulse.occupancy") == [("hall", None, 12, None)]
    assert history(reader) == [(0, 12)]


def test_the_newest_capacity_holds(server: Server, reader: ClickHouseReader) -> None:
    server.write(block("site_areas", {"capacity": 700, "loaded_at": NOON + 5}))
    server.write(block("site_areas", {"capacity": 500, "loaded_at": NOON}))
    assert reader.query("SELECT capacity FROM gatepulse.occupancy") == [(700,)]


@dataclass(frozen=True)
class Step:
    """Something that happened in an area, in seconds after noon: a flow, or a correction of one of two forms."""

    second: int
    form: str
    amount: int


def expected(steps: list[Step]) -> list[tuple[int, int]]:
    """Walk through the windows and return (window, inside) for each in which something happened."""
    inside, walked = 0, []
    for window, group in itertools.groupby(sorted(steps, key=lambda s: s.second // 10), key=lambda s: s.second // 10):
        happened = list(group)
        inside += sum(step.amount for step in happened if step.form == "flow")
        for step in sorted((s for s in happened if s.form != "flow"), key=lambda s: s.second):
            inside = step.amount if step.form == "absolute" else inside + step.amount
        walked.append((window, inside))
    return walked


_SECONDS = st.one_of(
    st.integers(0, 99),
    st.builds(lambda hour, beside: hour * 3600 + beside, st.integers(1, 3), st.integers(-21, 21)),  # edges of hours
    st.integers(0, 4 * 3600),
    st.integers(0, 3 * 86_400),
)
_STEPS = st.lists(
    st.builds(Step, _SECONDS, st.sampled_from(["flow", "flow", "delta", "absolute"]), st.integers(-9, 9)).filter(
        lambda step: step.form != "flow" or step.amount != 0  # a flow of nobody has no row
    ),
    max_size=12,
    unique_by=lambda step: (step.second, step.form == "flow"),
)
_names = itertools.count()


def written(area: str, steps: list[Step]) -> tuple[list[Block], list[Block]]:
    """Return the rows of one area, the flows in three segments of two logs; and older versions, to be written last."""
    newest, corrections = [], []
    for n, step in enumerate(steps):
        if step.form == "flow":
            counts: dict[str, Any] = {"entered": max(step.amount, 0), "departed": max(-step.amount, 0)}
            place = {"area": area, "log": (A, B)[n % 2], "segment": n % 3}
            last = {"last_ts": NOON + step.second * 1000}
            newest.append(flow(step.second // 10, **counts) | place | last | {"version": 2})
        else:
            corrections.append(correction(step.second, f"{area}-{n}", area=area, **{step.form: step.amount}))
    older = [row | {"entered": 77, "version": 1} for row in newest]
    return [*flows(*newest), block("corrections", *corrections)], [*flows(*older)]


def newest_flow(steps: list[Step]) -> dt.datetime | None:
    """Return when the last flow was."""
    return max((at(step.second) for step in steps if step.form == "flow"), default=None)


@settings(max_examples=examples(48), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_STEPS, min_size=1, max_size=40))
@pytest.mark.timeout(120)
def test_any_history_is_what_walking_through_it_gives(
    server: Server, reader: ClickHouseReader, histories: list[list[Step]]
) -> None:
    batch = next(_names)
    areas = {f"area-{batch}-{n}": steps for n, steps in enumerate(histories) if steps}
    for write in zip(*(written(area, steps) for area, steps in areas.items()), strict=True):
        server.write(*itertools.chain.from_iterable(write))
    where = {"batch": f"area-{batch}-%", "noon": NOON // 1000}
    found = reader.query(
        "SELECT area, intDiv(toInt64(toUnixTimestamp(window_start)) - %(noon)s, 10), inside"
        " FROM gatepulse.occupancy_history WHERE area LIKE %(batch)s",
        where,
    )
    last = reader.query("SELECT area, inside, as_of FROM gatepulse.occupancy WHERE area LIKE %(batch)s", where)
    assert sorted(found) == sorted((a, *window) for a, steps in areas.items() for window in expected(steps))
    assert sorted(last) == sorted((a, expected(steps)[-1][1], newest_flow(steps)) for a, steps in areas.items())
