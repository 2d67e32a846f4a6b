"""`gatepulse loadtest` as a process: a small load is verified, and a lost message is found."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from simulators.ledger.ledger import read_ledger
from tests.support.load_tests import running

SMALL = ("--scenario", "hall", "--rate", "300", "--for", "8", "--broker", "embedded", "--json")


@pytest.fixture(scope="module")
def proven(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], str, Path]:
    """Run the small load with two generators and some disturbance: exit code, object, what was said, and its folder."""
    folder = tmp_path_factory.mktemp("loadtest")
    where = ("--keep", str(folder / "kept"), "--report", str(folder / "report.html"))
    with running(*SMALL, "--processes", "2", "--distort", "duplicates=5%:2s,malformed=1%,lost=1%", *where) as run:
        code, out = run.ends()
    assert out, run.said
    return code, json.loads(out), run.said, folder


def test_a_small_load_ends_with_every_count_proven(proven: tuple[int, dict[str, Any], str, Path]) -> None:
    code, found, said, folder = proven
    assert (code, found["difference"], found["ok"]) == (0, 0, True), said
    kept = read_ledger(folder / "kept" / "ledgers")
    assert found["sent"] == found["counted"] == int((kept.tries("ok") > 0).sum())
    assert all(view["different"] == 0 for view in found["views"].values())
    assert len(kept.meta) == 4  # of two generators, at the warm-up and at the load


def test_all_of_the_schedule_but_what_was_lost_on_purpose_was_measured(
    proven: tuple[int, dict[str, Any], str, Path],
) -> None:
    _, found, said, _ = proven
    stored, wall = found["stored_ms"], found["wall_ms"]
    assert 2_400 * 0.96 < stored["count"] < 2_400, said
    assert stored["unseen"] == wall["unseen"] == 0
    for waits in (stored, wall, found["broker_ms"]):
        assert 0 < waits["p50"] <= waits["p90"] <= waits["p99"] <= waits["p999"] <= waits["max"]
    assert found["broker_ms"]["p50"] < stored["p50"]
    assert sum(second["due"] for second in found["course"]) == stored["count"]
    assert found["limit"] is None


def test_every_process_of_the_chain_was_looked_at(proven: tuple[int, dict[str, Any], str, Path]) -> None:
    found = proven[1]
    names = {each["name"] for each in found["processes"]}
    assert {"clickhouse", "broker", "worker-1", "wall", "generator-1", "generator-2", "loadtest"} <= names
    assert all(each["memory_mb"] > 10 for each in found["processes"] if each["name"] != "other programs")
    assert found["generator"]["ceiling"] > 300


def test_the_report_begins_with_the_verdict(proven: tuple[int, dict[str, Any], str, Path]) -> None:
    text = (proven[3] / "report.html").read_text()
    assert 0 < text.index("计数完全一致") < text.index("试验内容")
    assert f"{proven[1]['sent']:,} sent" in text


def test_ctrl_c_ends_it_without_a_verdict_and_leaves_nothing_running(tmp_path: Path) -> None:
    with running(*SMALL, "--keep", str(tmp_path / "kept")) as run:
        run.says("steady: making events up")
        os.killpg(run.process.pid, signal.SIGINT)
        code, out = run.ends()
    assert (code, out) == (1, "")
    assert "nothing is proven" in run.said
    mark = os.fsencode(tmp_path)
    assert [pid for pid in Path("/proc").iterdir() if pid.name.isdecimal() and mark in _command_line(pid)] == []


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def test_wrong_use_is_one_sentence_and_exit_2() -> None:
    with running("--rate", "100", "--times", "2") as run:
        assert run.ends() == (2, "")
    assert run.said == "gatepulse: --rate, --times: both set how many events come; leave out one of them\n"
