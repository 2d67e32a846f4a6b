"""The calculation of what a city needs is right, and the page shows it."""

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.benchmarks.growth import kept, page
from tests.benchmarks.growth.cases import PARTS, Case, Measured
from tests.benchmarks.growth.chain import Pass, Passed
from tests.benchmarks.growth.plot import growth
from tests.benchmarks.growth.reckoned import NothingMeasuredError, reckoned
from tests.benchmarks.growth.reckoning import Demand, catching_up, needs
from tests.benchmarks.growth.tables import chain_tables, kernel_tables

CORES = {"workers": 0.5, "ClickHouse": 0.2, "Kafka": 0.1}
BACKLOG = Passed(Pass("backlog", 4, 1, 200, 2_000, 1_000_000), 20_000.0, CORES, 300, 50_000)
KILLED = Passed(Pass("killed", 8, 2, 200, 2_000, 400_000), 9_000.0, CORES, 300, 50_000, again=4.5, gone=12.25)
LIVE = Passed(
    Pass("live", 8, 1, 2_000, 20_000, 15_000, 1_000), 1_000.0, CORES, 200, 900_000,
    behind=0.7, disk={"passages": 600_000, "entered": 150_000, "parked": 0}, wall=0.15,
)  # fmt: skip


def test_a_metro_has_278_passages_a_second_and_1000_in_its_busiest_hour() -> None:
    assert round(Demand(1).mean) == 278
    assert round(Demand(1).peak) == 1_000
    assert round(Demand(10).mean) == 2_778
    assert round(Demand(10).peak) == 10_000


def test_needs_follow_from_what_was_measured() -> None:
    found = needs(Demand(1), backlog_a_core=20_000, busy_a_second=0.6 / 1_000, disk_a_passage=50)
    assert found.cores == pytest.approx(0.6)
    assert found.planned == 2  # 0.6 of which at most half is to be in use: 1.2, rounded up
    assert found.disk == 24_000_000 * 50
    assert found.catching_up == pytest.approx(1_000 * 3_600 / (40_000 - 1_000))


def test_a_worker_that_reads_no_faster_than_it_comes_never_catches_up() -> None:
    assert catching_up(1_000, 1_000, 60) == math.inf
    assert catching_up(1_000, 2_000, 60) == 60


@given(st.floats(1, 1e5), st.floats(1.01, 100), st.floats(1, 1e5))
def test_in_the_time_of_catching_up_exactly_what_has_come_in_is_read(rate: float, faster: float, stood: float) -> None:
    seconds = catching_up(rate, rate * faster, stood)
    assert rate * faster * seconds == pytest.approx(rate * (stood + seconds), rel=1e-6)


def test_the_arithmetic_is_spelled_out_with_the_figures_that_were_measured() -> None:
    said = reckoned([BACKLOG, KILLED, LIVE])
    assert "processes a backlog at 40,000 passages a second" in said
    assert "24,000,000 a day ÷ 86,400 s = 278 a second" in said
    assert "24,000,000 × 0.15 ÷ 3,600 s = 1,000 a second" in said
    assert "1,000 a second × 0.50 ÷ 1,000 = 0.50 cores busy" in said
    assert "24,000,000 × 50 bytes = 1.2 GB a day" in said
    assert "| 10 | 240,000,000 | 2,778 | 10,000 | 5.0 | 10 | 12.0 GB | 360 GB |" in said
    assert "it kept up" in said


def test_a_chain_that_fell_behind_is_said_not_to_have_kept_up() -> None:
    slow = Passed(LIVE.asked, LIVE.rate, CORES, 200, 0, behind=9.0, disk=LIVE.disk)
    assert "**it did not keep up here**" in reckoned([BACKLOG, slow])


def test_nothing_is_reckoned_without_a_measurement() -> None:
    with pytest.raises(NothingMeasuredError, match="no live pass was measured"):
        reckoned([BACKLOG])
    with pytest.raises(NothingMeasuredError, match="no backlog of one worker was measured"):
        reckoned([LIVE])


def test_tables_show_a_pass_in_the_row_of_its_kind() -> None:
    backlog, live = chain_tables([BACKLOG, KILLED, LIVE]).split("Live:")
    assert "| 4 | 1 | 1,000,000 | 20,000 | 0.50 | 40,000 | 0.20 | 0.10 | 300 | 50 |  |  |" in backlog
    assert "| 8 | 2 | 400,000 | 9,000 | 0.50 | 18,000 | 0.20 | 0.10 | 300 | 50 | 4.5 s | 12.2 s |" in backlog
    assert "| 2,000 | 20,000 | 1,000 | 0.50 | 0.20 | 0.10 | 200 | 900 | 0.7 s | 150 ms | 50 |" in live
    assert "`passages` 40, `entered` 10." in live


def test_the_costs_of_a_case_are_shown_by_passage_and_add_up() -> None:
    measured = _measured(Case("backlog", 20, 60, 1_000_000), seconds=2.0)
    assert "| 20 | 60 | 1,000,000 | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 | 2.00 | 12.0 | 83,333 | 3.0 |" in kernel_tables(
        [measured]
    )


def test_live_cases_are_shown_as_the_share_of_a_core_that_they_need() -> None:
    measured = _measured(Case("live", 20, 60, 20_000, rate=1_000), seconds=1.0)  # 1 s in 20 s for each of six parts
    assert "| 20 | 60 | 1,000 | 5.0 | 5.0 | 5.0 | 5.0 | 5.0 | 5.0 | 30.0 |" in kernel_tables([measured])


def test_the_picture_has_a_line_for_each_size_with_its_three_cases() -> None:
    sizes = [(20, 2_000, 10**6), (200, 2_000, 10**6), (2_000, 2_000, 10**6), (200, 200, 10**6), (200, 20_000, 10**6),
             (200, 2_000, 10**5), (200, 2_000, 10**7)]  # fmt: skip
    drawn = ET.fromstring(growth([_measured(Case("backlog", *size), seconds=1.0) for size in sizes]))  # noqa: S314 - ours
    lines = [each for each in drawn.iter() if each.tag.endswith("polyline")]
    assert [len(each.attrib["points"].split()) for each in lines] == [3, 3, 3]


def test_the_page_is_written_between_its_marks_and_what_people_wrote_stays(tmp_path: Path) -> None:
    file = tmp_path / "growth.md"
    marks = "".join(f"<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in ("kernels", "chain", "reckoned"))
    file.write_text(f"# Written by people\n{marks}the end\n")
    kept.keep(kept.Run([_measured(Case("backlog", 20, 60, 1_000), seconds=1.0)], 3.0, quick=True), "kernels", tmp_path)
    kept.keep(kept.Run([BACKLOG, LIVE], 4.0, quick=False), "chain", tmp_path)
    page.write(file, tmp_path)
    page.write(file, tmp_path)
    text = file.read_text()
    assert text.startswith("# Written by people\n<!-- kernels -->\n")
    assert text.endswith("<!-- /reckoned -->\nthe end\n")
    assert "old" not in text
    assert text.count("A quick run: its figures say only that it runs.") == 1
    assert text.count("24,000,000 a day ÷ 86,400 s") == 1


def test_what_is_kept_is_read_back_as_it_was(tmp_path: Path) -> None:
    run = kept.Run([BACKLOG, KILLED, LIVE], 4.0, quick=False)
    kept.keep(run, "chain", tmp_path)
    assert kept.chain(tmp_path) == run
    assert kept.kernels(tmp_path) is None


def test_a_page_without_marks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "growth.md"
    file.write_text("# Nothing here\n<!-- chain -->\n")
    kept.keep(kept.Run([BACKLOG, LIVE], 4.0, quick=False), "chain", tmp_path)
    with pytest.raises(page.NoMarksError, match="<!-- chain --> with an <!-- /chain --> behind it"):
        page.write(file, tmp_path)
    assert file.read_text() == "# Nothing here\n<!-- chain -->\n"


def test_the_page_of_the_documentation_has_all_marks() -> None:
    text = kept.PAGE.read_text(encoding="utf-8")
    for name in ("kernels", "chain", "reckoned"):
        page.between(text, name, "")


def _measured(case: Case, *, seconds: float) -> Measured:
    return Measured(case, dict.fromkeys(PARTS, seconds), case.events * 3, 100, 5.0, 6.0, 12_345, 10, 0.01)
