"""`gatepulse loadtest`: a burst on a real Kafka with two workers, and a message that was lost."""

import json
import time
from pathlib import Path

from simulators.ledger.ledger import SCHEMAS, LedgerWriter
from tests.support.load_tests import running
from tests.support.processes import needs_kafka

EMBEDDED = ("--rate", "300", "--for", "8", "--broker", "embedded", "--json")


@needs_kafka
def test_a_burst_on_a_real_kafka_with_two_workers_is_proven_and_comes_as_it_should() -> None:
    with running("--rate", "100", "--for", "10", "--shape", "burst", "--workers", "2", "--json") as run:
        code, out = run.ends()
    assert out, run.said
    found = json.loads(out)
    assert (code, found["difference"], found["broker"]) == (0, 0, "kafka"), run.said
    due = [second["due"] for second in found["course"]][:10]
    assert due == [100, 100, 100, 100, 500, 500, 100, 100, 100, 100]
    assert {"worker-1", "worker-2"} <= {each["name"] for each in found["processes"]}


def test_a_message_that_the_broker_confirmed_and_nobody_counted_makes_it_fail(tmp_path: Path) -> None:
    """One more ledger says that a passage was delivered; nothing of it is in Kafka, as if it had been lost there."""
    now = round(time.time() * 1000)
    passage = dict.fromkeys(SCHEMAS["passages"].names, "") | {
        "kind": "person", "device": "N1-L01", "epoch": 1, "seq": 1, "true_ts": now, "ts": now,
        "entrance": "N1", "direction": "in", "outcome": "passed", "category": "visitor", "temperature": float("nan"),
    }  # fmt: skip
    with running(*EMBEDDED, "--keep", str(tmp_path / "kept")) as run:
        run.says("steady: making events up")
        with LedgerWriter(tmp_path / "kept" / "ledgers" / "lost", meta={"site": "expo"}) as ledger:
            ledger.passages({name: [passage[name]] for name in SCHEMAS["passages"].names})
            ledger.attempts([0], "ok", at_ms=now)
        code, out = run.ends()
    found = json.loads(out)
    assert (code, found["ok"], found["difference"], found["lost"]) == (1, False, 1, 1), run.said
    assert found["sent"] == found["counted"] + 1
    assert "计数不一致" in run.said
