"""The command `tests.faults` on real plants: a failed scenario, and signals."""

import json
import signal
from pathlib import Path

import pytest

from tests.faults.test_run import command, ends_all_by
from tests.support.processes import needs_kafka


@needs_kafka
def test_a_scenario_that_failed_makes_the_command_fail(tmp_path: Path) -> None:
    with command("T98", "--quick", folder=tmp_path) as process:
        out, _ = process.communicate(timeout=200)
    assert process.returncode == 1
    (outcome,) = json.loads(out)["outcomes"]
    assert outcome["verdict"] == "FAILED"
    assert outcome["checks"][0]["text"] == "NotInTimeError: the impossible: not within 0.1 s"


@needs_kafka
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process_and_removes_every_folder(tmp_path: Path, number: signal.Signals) -> None:
    ends_all_by(number, tmp_path)
