"""The relay's Prometheus metrics: messages sent, folded and refused, the queue, and how far it has read the topic."""

import time
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from infra.relay.outbox import Outbox


class RelayMetrics(Collector):
    """The relay's counters, in a registry of their own; what waits is counted in the outbox."""

    def __init__(self, robots: Iterable[str], outbox: Outbox) -> None:
        self._outbox = outbox
        self.registry = CollectorRegistry()
        self.delivered = self._counter("delivered", "messages that a robot has accepted", "robot")
        self.suppressed = self._counter("suppressed", "notices that were a line of another's message", "robot")
        self.failed = self._counter(
            "failed", "messages not accepted: tried again later, or refused for good", "robot", "how"
        )
        self.unreadable = self._counter("unreadable", "changes of alarms that could not be read, and were sent as such")
        self.following = Gauge(
            "gatepulse_relay_following", "1 while the brokers answer and the topic of alarms is read",
            registry=self.registry,
        )  # fmt: skip
        self.registry.register(self)
        for robot in robots:  # so that they are there, with 0, from the start
            self.delivered.labels(robot)
            self.suppressed.labels(robot)
            for how in ("later", "refused"):
                self.failed.labels(robot, how)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"gatepulse_relay_{name}", text, labels, registry=self.registry)

    def collect(self) -> Iterator[Metric]:
        """Return what waits in the outbox, by robot."""
        waiting = GaugeMetricFamily("gatepulse_relay_waiting", "notices not sent yet", labels=["robot"])
        oldest = GaugeMetricFamily(
            "gatepulse_relay_oldest_waiting_seconds", "since when the oldest of them waits", labels=["robot"]
        )
        for robot, (count, seconds) in self._outbox.backlog(int(time.time() * 1000)).items():
            waiting.add_metric([robot], count)
            oldest.add_metric([robot], seconds)
        yield waiting
        yield oldest
