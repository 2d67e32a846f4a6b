"""The report of a load test as JSON, on the terminal, and as a page."""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from infra.loadtest import page, plots, report, terminal, words
from infra.loadtest.measure import Bottleneck
from infra.loadtest.report import LoadResult
from infra.loadtest.search import HighestRate
from tests.infra.loadtest.results import measured, ramp, result, verdict

LOST = result(verdict=verdict(ok=False, counted=4_999, difference=1, lost=1))


def printed(given: LoadResult) -> str:
    console = Console(file=io.StringIO(), width=150)
    terminal.show(given, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_object_has_the_keys_of_the_contract() -> None:
    found = json.loads(report.to_json(result()))
    assert {"sent", "counted", "difference", "rate", "stored_ms", "wall_ms", "limit"} <= found.keys()
    assert (found["ok"], found["sent"], found["counted"], found["difference"]) == (True, 5_000, 5_000, 0)
    assert found["stored_ms"] == {
        "p50": 400, "p90": 700, "p99": 950, "p999": 990, "max": 999, "count": 1_000, "unseen": 0,
    }  # fmt: skip
    assert found["wall_ms"]["p999"] == 1_900
    assert found["limit"] is None


def test_the_object_of_a_search_names_the_limit_and_its_cause() -> None:
    found = json.loads(report.to_json(ramp()))
    cause = {"kind": "process", "name": "worker-1", "users": []}
    assert found["limit"] == {"rate": 800.0, "failed_rate": 1_280.0, "cause": cause}
    assert [each["target"] for each in found["trials"]] == [500, 800, 1_280]


def test_without_a_wall_its_waits_are_null() -> None:
    assert json.loads(report.to_json(result(shown=measured(wall=None))))["wall_ms"] is None


def test_a_result_that_was_not_stored_in_time_is_not_all_right_though_counts_are_equal() -> None:
    assert not result(drained=False).ok
    assert "not everything was seen to be stored" in words.verdict(result(drained=False)).en


@pytest.mark.parametrize(
    ("given", "zh", "en"),
    [
        (result(), "计数完全一致", "Every count is right: 5,000 sent, 5,000 counted, difference 0"),
        (LOST, "计数不一致", "Counts differ: 5,000 sent, 4,999 counted, difference 1"),
        (result(verdict=verdict(ok=False, sent=0, counted=0)), "没有发送任何事件", "Nothing was sent"),
    ],
)
def test_the_verdict_is_said_in_both_languages_last_on_the_terminal_and_first_on_the_page(
    given: LoadResult, zh: str, en: str
) -> None:
    last = printed(given).splitlines()[-2:]
    assert en in last[0]
    assert zh in last[1]
    first = page.page(given).split("</h1>")[1].split("<h2>")[0]
    assert zh in first
    assert en in first


def test_the_terminal_shows_waits_processes_and_alarms() -> None:
    shown = printed(result())
    assert re.search(r"stored +400 +700 +950 +990 +999 +1,000", shown)
    assert re.search(r"worker-1 +0.61 +0.80 +140", shown)
    assert "the generators can send 11,000/s; at most 200 events waited in Kafka; alarms raised: overload 2" in shown


def test_the_limit_is_said_with_what_stood_in_the_way() -> None:
    said = words.limit(HighestRate(rate=800.0, failed_rate=1_280.0, cause=Bottleneck("process", "worker-1")))
    assert said.en == (
        "Highest rate: 800 events a second (99 of 100 stored within 1 s); "
        "1,280 did not hold: process worker-1 had its core full"
    )
    assert "每秒 800 条" in said.zh
    assert "worker-1" in said.zh


def test_a_limit_of_the_generators_is_not_said_to_be_the_systems() -> None:
    said = words.limit(HighestRate(rate=800.0, failed_rate=1_280.0, cause=Bottleneck("generator", "generator-1")))
    assert "the system may be faster" in said.en


def test_the_page_fetches_nothing_and_runs_nothing() -> None:
    text = page.page(ramp())
    assert not re.findall(r"<script|<link|<img|<iframe|@import|url\(|\bon\w+=|(?:src|href)=", text)


def test_every_drawing_on_the_page_is_well_formed_and_named() -> None:
    drawings = re.findall(r"<svg.*?</svg>", page.page(ramp()), re.DOTALL)
    assert len(drawings) == 5
    for drawing in drawings:
        assert ET.fromstring(drawing).find("title") is not None  # noqa: S314  # our own


def test_what_was_written_by_others_cannot_become_part_of_the_page() -> None:
    spoilt = result(options=replace(result().options, distortion="<script>alert(1)</script>"), notes=("<b>bold</b>",))
    text = page.page(spoilt)
    assert "<script>" not in text
    assert "<b>" not in text


def test_one_trial_is_not_drawn_as_a_search() -> None:
    assert "each rate that was tried" not in page.page(result())
    assert "each rate that was tried" in page.page(ramp())


@given(st.floats(0, 1e7))
def test_an_axis_begins_at_nought_and_reaches_what_it_must_show(highest: float) -> None:
    axis = plots.axis("events", highest)
    assert axis.ticks[0][0] == 0
    assert axis.ticks[-1][0] >= highest * (1 - 1e-9)
    assert 2 <= len(axis.ticks) <= 7


@given(st.lists(st.tuples(st.floats(-5, 50), st.floats(-5, 500)), min_size=1, max_size=30))
def test_no_point_is_drawn_outside_its_chart(points: list[tuple[float, float]]) -> None:
    drawn = plots.chart("t", plots.axis("x", 10), plots.axis("y", 100), [plots.Series("s", points, dots=True)])
    for circle in ET.fromstring(drawn).iter("circle"):  # noqa: S314  # our own
        assert 70 <= float(circle.attrib["cx"]) <= 744
        assert 30 <= float(circle.attrib["cy"]) <= 216


def test_each_nine_of_a_percentile_is_a_step_of_the_same_width() -> None:
    places = [plots.percentile_place(each) for each in (0, 90, 99, 99.9)]
    assert places == pytest.approx([0, 1, 2, 3])
