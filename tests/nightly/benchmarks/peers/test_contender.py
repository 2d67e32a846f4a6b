"""gatepulse's own contender is measured on a real Kafka, and its counts are judged."""

from pathlib import Path

from infra.servers.kafka.server import KafkaServer
from streams.contract.events import Topic
from tests.benchmarks.peers.contender import Place
from tests.benchmarks.peers.contenders import gatepulse
from tests.benchmarks.peers.input import delete_others, fill, persons
from tests.benchmarks.peers.session import judged
from tests.support.processes import needs_kafka, running


@needs_kafka
def test_gatepulse_counts_a_small_topic_exactly_with_and_without_its_store(tmp_path: Path) -> None:
    with running(KafkaServer(tmp_path / "kafka")) as kafka:
        feed = fill(kafka.bootstrap, persons(3000), topic=Topic.TURNSTILES, frame=7)
        for name, start in {"full": gatepulse.full, "without-store": gatepulse.without_store}.items():
            run = judged(name, start(Place(kafka.bootstrap, tmp_path / name, 120.0), feed), feed, 1)
            assert (run.events, run.different) == (3000, 0)
            assert run.windows > 100
            assert run.seconds > 0
            assert run.start_seconds > 0
            delete_others(kafka.bootstrap, {feed.topic})
