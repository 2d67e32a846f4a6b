"""The measurement of the whole chain on real processes counts every passage of a small load."""

from tests.benchmarks.growth.chain import Pass, measure
from tests.support.processes import needs_kafka


@needs_kafka
def test_a_small_backlog_is_measured_on_real_processes() -> None:
    passed = measure(Pass("backlog", 2, 1, 20, 60, 20_000))
    assert passed.rate > 0
    assert passed.cores["workers"] >= 0
    assert passed.memory > 50
    assert passed.snapshot > 0


@needs_kafka
def test_live_passages_are_measured_with_their_bytes_on_disk_and_a_round_of_the_wall() -> None:
    passed = measure(Pass("live", 2, 1, 20, 60, 2_000, rate=1_000))
    assert passed.behind is not None
    assert passed.wall is not None
    assert passed.disk["deliveries"] > 2_000  # bytes
