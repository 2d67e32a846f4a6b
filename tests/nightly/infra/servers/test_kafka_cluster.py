"""Three brokers with replication, one of which is killed."""

from pathlib import Path

from tests.infra.servers.test_kafka_server import make_topic, read, write
from tests.support.kafka_cluster import KafkaCluster
from tests.support.processes import kill, needs_kafka, running


@needs_kafka
def test_three_brokers_take_writes_of_all_copies_when_one_is_killed(tmp_path: Path) -> None:
    with running(KafkaCluster(tmp_path)) as cluster:
        assert {broker.cluster for broker in cluster.brokers} == {cluster.cluster}
        make_topic(cluster.bootstrap, copies=3)
        write(cluster.bootstrap, b"before")
        victim = cluster.brokers[0]
        assert victim.pid is not None
        kill(victim.pid)
        write(cluster.bootstrap, b"without it")
        assert read(cluster.bootstrap, 2) == [b"before", b"without it"]
        victim.stop()
        victim.start()
        victim.wait_ready()
