"""Runs several Kafka brokers with replication, for tests in which one of them fails."""

from collections.abc import Mapping
from pathlib import Path

from infra.servers.kafka.server import KafkaServer, new_cluster_id


class KafkaCluster:
    """Three brokers by default: everything is stored three times, and two copies make a write safe (acks=all)."""

    def __init__(
        self, directory: Path, *, brokers: int = 3, heap: str = "384m", settings: Mapping[str, object] | None = None
    ) -> None:
        name = new_cluster_id()
        self.brokers = [
            KafkaServer(directory / f"broker-{node}", heap=heap, settings=settings, node=node, cluster=name)
            for node in range(1, brokers + 1)
        ]
        controllers = {node: broker.ports.controller for node, broker in enumerate(self.brokers, start=1)}
        for broker in self.brokers:
            broker.join(controllers)

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers, with commas between."""
        return ",".join(broker.bootstrap for broker in self.brokers)

    @property
    def cluster(self) -> str:
        """The cluster's id."""
        return self.brokers[0].cluster

    def start(self) -> None:
        """Start all brokers and return."""
        for broker in self.brokers:
            broker.start()

    def wait_ready(self, seconds: float = 90.0) -> None:
        """Return when every broker answers; raises KafkaError."""
        for broker in self.brokers:
            broker.wait_ready(seconds)

    def stop(self) -> None:
        """End all brokers at once: the last controllers alone could not end in good order."""
        for broker in self.brokers:
            broker.end_soon()
        for broker in self.brokers:
            broker.stop()
