"""Alarm inputs are encoded and decoded in this version's form and the previous one's, whole or in parts."""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import streams.worker.alarm_inputs
from streams.contract.codec import Records
from streams.kernels.alarms.episodes import Episode
from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.alarms.log import AlarmBatch
from streams.kernels.alarms.snapshot import freeze
from streams.kernels.counts.batch import Rejection
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.site_clock import SiteClock
from streams.worker.alarm_inputs import AlarmInputPublisher, read_inputs
from streams.worker.counting import Counting
from tests.support.alarm_feed import DENIED, IN, OUT, TEN, Feed, gate
from tests.support.events import NINE, PLACE, Event, batch
from tests.support.size import examples

ENTRANCES = ["N1", "N2", "H1"]
GATES = [gate(name) for name in ENTRANCES]
OLD_LINE = (
    f'{{"flows":[{{"log":"log","kind":"person","version":7,"complete_to":{1000 * TEN},'
    f'"cells":[[{TEN - 9},"N1",0,3],[{TEN - 9},"N2",1,4],[{TEN - 8},"N1",2,5]],'
    '"lanes":[["N1-1","N1",1763603991500,3,1763603991500]],"missing":{"N2":2}}],"readings":[],"commands":[]}'
)
"""As the version before columns wrote it."""


class Counted(Counting[PassageLog]):
    """A topic with one log in hand, complete up to a moment."""

    def __init__(self, passages: PassageLog, complete_to: int) -> None:
        self.passages, self.complete_to = passages, complete_to

    def progress(self) -> list[tuple[PassageLog, int]]:
        """Return the log."""
        return [(self.passages, self.complete_to)]


def read(*lines: str) -> AlarmBatch:
    """Read lines, one a record."""
    n = len(lines)
    value = "\n".join(lines).encode()
    return read_inputs(Records(value, np.arange(n), np.full(n, 1000 * TEN), np.ones(n, dtype=np.int64)))


def line(change: AlarmInput) -> str:
    return streams.worker.alarm_inputs._encode(change).decode()


def counted(events: Sequence[Event], *, partition: int = 0) -> PassageLog:
    """Count events in the log of a partition."""
    passages = PassageLog(PartitionId("test", "turnstile.passages", partition), "person", PLACE, next_offset=0)
    passages.apply(batch(events, first=0, after=len(events)))
    return passages


def after(*lines: str) -> tuple[dict[str, Any], list[Episode]]:
    """Let alarms hear lines, one a record; return their state without what counts lines, and all changes."""
    feed, read_lines = Feed(GATES), read(*lines)
    assert read_lines.rejections == []
    feed.alarms.apply(read_lines)
    feed.alarms.drain()
    return {
        k: v for k, v in freeze(feed.alarms).items() if k not in {"next", "tally", "records"}
    }, feed.alarms.drain_changes()


def test_a_line_of_the_version_before_columns_is_read_as_it_was_meant() -> None:
    feed = Feed(GATES)
    feed.alarms.apply(read(OLD_LINE))
    assert feed.alarms.now == 1000 * (TEN - 1)
    assert [feed.alarms.recent.last(each, 60).tolist() for each in (IN, OUT, DENIED)] == [
        [3, 0, 0],
        [0, 4, 0],
        [5, 0, 0],
    ]
    assert feed.alarms.leaks.by_entrance.tolist() == [0, 2, 0]


def test_lines_of_both_versions_add_up_as_lines_of_one() -> None:
    old = json.loads(OLD_LINE)
    new = json.loads(OLD_LINE)
    new["flows"][0]["cells"] = {
        "first": TEN - 9, "entrances": ["N2", "N1"], "second": [0, 0, 1], "entrance": [1, 0, 1], "measure": [0, 1, 2],
        "count": [3, 4, 5],
    }  # fmt: skip
    later = json.dumps(
        {"flows": [{**old["flows"][0], "complete_to": 1000 * (TEN + 5), "cells": [[TEN + 1, "N1", 0, 9]]}]}
    )
    assert after(json.dumps(new), OLD_LINE, later) == after(OLD_LINE, later) == after(json.dumps(new), later)


def test_cells_with_columns_of_different_lengths_are_rejected_and_the_other_lines_count() -> None:
    wrong = json.loads(line(AlarmInput(flows=[streams.worker.alarm_inputs.flow_of(counted([Event(0, 1)]), NINE)])))
    wrong["flows"][0]["cells"]["count"] = []
    found = read(json.dumps(wrong), OLD_LINE)
    (rejection,) = found.rejections
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.position.offset) == ("wrong-shape", 0)
    assert "'count': 0} long; expected the same length of each" in rejection.detail
    assert [offset for offset, _, _ in found.inputs] == [1]


passing = st.tuples(
    st.integers(0, 900), st.sampled_from(ENTRANCES), st.sampled_from(["in", "out"]),
    st.sampled_from(["passed", "denied"]),
)  # fmt: skip


@settings(max_examples=examples(160), deadline=None)
@given(st.lists(passing, min_size=1, max_size=60), st.integers(1, 12))
def test_however_what_is_told_is_cut_into_lines_nothing_is_judged_before_all_of_it_is_known(
    facts: list[tuple[int, str, str, str]], most_cells: int
) -> None:
    arrivals = (np.cumsum([fact[0] for fact in facts]) + NINE).tolist()
    logs: tuple[list[Event], list[Event]] = ([], [])
    for ts, (_, name, direction, outcome) in zip(arrivals, facts, strict=True):
        mine = logs[name == "N2"]
        n = len(mine)
        mine.append(Event(
            n, n + 1, device=f"{name}-1", ts=ts, arrived=ts, entrance=name, direction=direction, outcome=outcome,
        ))  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        published = []
        for most in (most_cells, 10_000):
            patch.setattr(streams.worker.alarm_inputs, "MOST_CELLS", most)
            topics = [Counted(counted(mine, partition=n), arrivals[-1] + 60_000) for n, mine in enumerate(logs) if mine]
            publisher = AlarmInputPublisher(
                countings=topics,
                clock=SiteClock(),
                judges=lambda: True,
                stored=cast("Any", None),
                logs=list,
            )
            published.append(list(publisher.changes()))
            assert all(sum(len(flow.columns) for flow in change.flows) <= most for change in published[-1])
    parts, (whole,) = published
    assert {flow.complete_to for change in parts[:-1] for flow in change.flows} <= {0}
    cells = [sum(len(flow.columns) for change in lines for flow in change.flows) for lines in published]
    assert cells[0] == cells[1] > 0
    assert after(*map(line, parts)) == after(line(whole))
