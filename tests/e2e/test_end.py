"""However a demo ends, no process or temporary file remains."""

import os
import signal
import time
from pathlib import Path

import pytest

from simulators.ledger.ledger import read_ledger
from tests.e2e.conftest import HALL, Interrupted
from tests.support.demos import running

END_WITHIN = 10.0


def test_ctrl_c_ends_everything_within_ten_seconds(interrupted: Interrupted) -> None:
    assert interrupted.code == 0, interrupted.demo.said
    assert interrupted.seconds < END_WITHIN
    assert len(interrupted.begun) >= 7  # itself, store, broker, worker, wall, audit, foresight
    assert interrupted.left == []
    assert "stopped" in interrupted.demo.said
    assert "Traceback" not in interrupted.demo.said


def test_ctrl_c_ends_everything_in_time_even_if_the_worker_hangs(tmp_path: Path) -> None:
    with running(*HALL, state=tmp_path / "state") as demo:
        demo.says("wall: ")
        worker = demo.worker()
        assert worker is not None
        os.kill(worker, signal.SIGSTOP)
        demo.says("simulate: ")
        begun = time.monotonic()
        demo.press_ctrl_c()
        assert demo.ends() == 0, demo.said
        assert time.monotonic() - begun < END_WITHIN
        assert demo.processes() == []
        assert "what the workers had not read yet is gone with the embedded broker" in demo.said
        assert read_ledger(demo.state / "ledgers").cut_short


@pytest.mark.parametrize("moment", ["store …", "worker and wall …"])
def test_ctrl_c_while_it_starts_ends_it_too(tmp_path: Path, moment: str) -> None:
    with running(*HALL, state=tmp_path / "state") as demo:
        demo.says(moment)
        begun = time.monotonic()
        demo.press_ctrl_c()
        assert demo.ends(END_WITHIN) == 0, demo.said
        assert time.monotonic() - begun < END_WITHIN
        assert demo.processes() == []
        assert "Traceback" not in demo.said
        assert "wall: http" not in demo.said


def test_sigterm_ends_it_and_its_temporary_files(tmp_path: Path) -> None:
    with running(*HALL, state=tmp_path, named=False, env={"TMPDIR": str(tmp_path)}) as demo:
        demo.says("wall: ")
        assert os.listdir(tmp_path)  # noqa: PTH208 - names are all we want
        demo.process.send_signal(signal.SIGTERM)
        assert demo.ends(END_WITHIN) == 0, demo.said
        assert demo.processes() == []
        assert list(tmp_path.iterdir()) == []
