"""A contender is run and measured as it should be; gatepulse's own on a real Kafka."""

from pathlib import Path

import pytest

from tests.benchmarks.peers.contender import Place
from tests.benchmarks.peers.contenders import gatepulse
from tests.benchmarks.peers.input import Feed
from tests.benchmarks.peers.process import CONTENDER_CORE, ContenderFailed, Pinned, Use

RESUMED = """
2019-11-06 00:00:00,000 INFO mode said something
{"topic":"corrections", "offsets":{"0":0}, "event":"partitions resumed", "timestamp":"2019-11-06T00:00:01.5Z"}
{"topic":"turnstile.passages", "offsets":{}, "event":"partitions resumed", "timestamp":"2019-11-06T00:00:02.5Z"}
{"topic":"turnstile.passages", "offsets":{"0":0}, "event":"partitions resumed", "timestamp":"2019-11-06T00:00:03.5Z"}
"""


def test_a_worker_begins_when_it_has_resumed_partitions_of_the_topic() -> None:
    assert gatepulse.resumed_ms(RESUMED, "turnstile.passages") == 1_572_998_403_500


def test_a_worker_that_never_resumed_the_topic_has_failed() -> None:
    with pytest.raises(ContenderFailed, match="partitions of vehicle.passages resumed"):
        gatepulse.resumed_ms(RESUMED, "vehicle.passages")


def test_a_worker_is_not_sent_to_a_topic_that_it_does_not_read(tmp_path: Path) -> None:
    feed = Feed("turnstile.passages.50", 1, 50, 50, {})
    for start in (gatepulse.full, gatepulse.without_store):
        with pytest.raises(ContenderFailed, match="give it a share of 1"):
            start(Place("127.0.0.1:1", tmp_path, 1.0), feed)


def test_processor_time_is_that_between_two_moments() -> None:
    #  ms   0    1000   2000      500–1500: half of 0.5 s and half of 1 s
    use = Use(pid=0, at=[0.0, 1000.0, 2000.0], cpu=[0.0, 0.5, 1.5])
    assert use.between(500.0, 1500.0) == pytest.approx(0.75)


def test_a_contender_runs_on_its_core_alone_and_its_error_is_shown(tmp_path: Path) -> None:
    script = "import os, sys; print(os.sched_getaffinity(0)); sys.exit('no such thing')"
    with Pinned(["python3", "-c", script], tmp_path / "said.log") as process:
        with pytest.raises(ContenderFailed, match=r"(?s)exit code 1.*no such thing"):
            process.wait(deadline=float("inf"))
        assert process.said().startswith(f"{{{CONTENDER_CORE}}}")


def test_a_contender_that_hangs_is_given_up(tmp_path: Path) -> None:
    process = Pinned(["sleep", "600"], tmp_path / "said.log")
    with pytest.raises(ContenderFailed, match="not done in time"), process:
        process.wait(deadline=0.0)
    assert not Path(f"/proc/{process.use.pid}").exists()
