"""A demo on a real Kafka that is resumed counts what no worker had read before."""

import os
import signal
from pathlib import Path

from simulators.ledger.ledger import read_ledger
from tests.infra.stack.test_kafka_demo import PATIENCE, TWO, workers
from tests.support.demos import running
from tests.support.processes import needs_kafka


@needs_kafka
def test_what_no_worker_had_read_when_a_run_was_ended_is_counted_by_the_next(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(*TWO, state=state) as demo:
        demo.says("wall: ", PATIENCE)
        for pid in workers(demo):
            os.kill(pid, signal.SIGSTOP)
        demo.says("10,000 events", PATIENCE)
        demo.press_ctrl_c()
        assert demo.ends(PATIENCE) == 0, demo.said
        assert "is counted when this state is used again" in demo.said
    sent = len(read_ledger(state / "ledgers"))
    with running(*TWO, "--for", "3", state=state) as demo:
        assert demo.ends(PATIENCE) == 0, demo.said
        assert {name for name, view in demo.verdict["views"].items() if view["different"]} == set()
        assert demo.verdict["sent"] > sent >= 10_000
