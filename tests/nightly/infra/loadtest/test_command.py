"""`gatepulse loadtest` on a real Kafka: a burst with two workers."""

import json

from tests.support.load_tests import running
from tests.support.processes import needs_kafka


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
