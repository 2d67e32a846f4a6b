"""Writes records to the topic `alarms` as a worker does, for tests of its readers."""

import os
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import msgspec
from kafka import KafkaProducer

from dashboards.messages.notice import Notice
from infra.servers.broker import PROTOCOL, EmbeddedBroker
from streams.contract.events import Topic
from streams.kernels.alarms.episodes import Episode
from tests.support.processes import eventually
from tests.support.relay_server import RelayServer


@dataclass
class AlarmsTopic:
    """Writes changes; `environment` is what a relay of these brokers is started with."""

    brokers: str
    settings: Mapping[str, str]
    producer: Any
    open: dict[str, Episode] = field(default_factory=dict)

    @classmethod
    def of_mock(cls, broker: EmbeddedBroker) -> Self:
        """Write into the topic of an embedded broker."""
        version = ".".join(map(str, PROTOCOL))
        producer = KafkaProducer(bootstrap_servers=[broker.bootstrap], acks="all", api_version=PROTOCOL)
        return cls(broker.bootstrap, {"CLUSTER": broker.cluster, "API_VERSION": version}, producer)

    @classmethod
    def of(cls, brokers: str) -> Self:
        """Write into the topic of real brokers."""
        return cls(brokers, {}, KafkaProducer(bootstrap_servers=[brokers], acks="all"))

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of a relay."""
        own = {name: value for name, value in os.environ.items() if not name.startswith("GATEPULSE_")}
        given = {"BROKERS": self.brokers, **self.settings}
        return own | {f"GATEPULSE_KAFKA__{name}": value for name, value in given.items()}

    def write(self, *notices: Notice) -> None:
        """Write changes, in order, and wait for the broker."""
        for each in notices:
            self.open[each.episode.episode] = each.episode
            self.write_raw(msgspec.json.encode(each.episode), key=each.episode.episode)

    def write_raw(self, value: bytes, key: str = "x") -> None:
        """Write a record, and wait for the broker."""
        self.producer.send(Topic.ALARMS.value, value, key.encode(), partition=0).get(timeout=30)

    def clear_all(self) -> None:
        """Clear what is open, so that a new relay of the next test announces nothing of this one."""
        for each in list(self.open.values()):
            self.write(Notice(replace(each, what="cleared", state="cleared", change=99, cleared_at=each.changed_at)))

    def __enter__(self) -> Self:
        """Write for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Clear all, and let the connection go."""
        self.clear_all()
        self.producer.close()


def follows(server: RelayServer) -> bool:
    """Whether a relay reads the topic, by its metrics."""
    with urllib.request.urlopen(f"http://{server.address}/metrics", timeout=5) as answer:
        return "gatepulse_relay_following 1.0" in answer.read().decode()


def await_follows(server: RelayServer) -> None:
    """Return when a relay has taken its place at the end of the topic."""
    assert eventually(lambda: follows(server), 40)
