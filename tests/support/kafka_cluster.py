"""Runs several Kafka brokers with replication, or one behind a proxy, for tests in which one of them fails."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from infra.process.ports import LOOPBACK
from infra.servers.kafka.server import KafkaServer
from tests.support.processes import alive


class ProxiedKafka(KafkaServer):
    """One broker that sends its clients to a proxy at ``advertised`` ("127.0.0.1:9999"), which sees all they send."""

    def __init__(self, directory: Path, advertised: str, *, port: int | None = None) -> None:
        super().__init__(directory, port=port)
        self._advertised = advertised
        self.settings["advertised.listeners"] = f"CLIENT://{advertised},INTERNAL://{self.direct}"

    @property
    def bootstrap(self) -> str:
        """The advertised address."""
        return self._advertised

    @property
    def direct(self) -> str:
        """A second way in, for clients that are to go past the proxy."""
        return f"{LOOPBACK}:{self.internal}"


class KafkaCluster:
    """Three brokers by default: everything is stored three times, and two copies make a write safe (acks=all)."""

    def __init__(
        self, directory: Path, *, brokers: int = 3, heap: str = "384m", settings: Mapping[str, object] | None = None
    ) -> None:
        nodes = range(1, brokers + 1)
        self.brokers = [KafkaServer(directory / f"broker-{node}") for node in nodes]
        voters = [f"{node}@{LOOPBACK}:{each.controller}" for node, each in zip(nodes, self.brokers, strict=True)]
        copies = min(3, brokers)
        ours = {
            "controller.quorum.voters": ",".join(voters),
            "broker.session.timeout.ms": 4000,  # several starve each other while they start
            "default.replication.factor": copies,
            "min.insync.replicas": max(1, copies - 1),
            "offsets.topic.replication.factor": copies,
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": max(1, copies - 1),
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        }
        for node, broker in zip(nodes, self.brokers, strict=True):
            broker.settings |= ours | {"node.id": node} | dict(settings or {})
            broker.heap, broker.new_cluster = heap, self.brokers[0].new_cluster

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
            if broker.pid is not None and alive(broker.pid):
                os.kill(broker.pid, signal.SIGTERM)
        for broker in self.brokers:
            broker.stop()
