"""Writes the settings of a broker that is also a controller (KRaft), small enough for a developer's machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.process.ports import LOOPBACK

_SMALL: Final[dict[str, object]] = {
    "auto.create.topics.enable": "false",
    "num.partitions": 4,
    "num.network.threads": 2,
    "num.io.threads": 4,
    # One broker has few groups: fewer internal partitions to open at each start.
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # A group of ours is complete when its workers are there; who restarts wants its partitions at once.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # 16 MiB and 1 MiB instead of 128 and 10 for each segment: memory, and files that are mapped into it.
    "log.cleaner.dedupe.buffer.size": 16 << 20,
    "log.cleaner.backoff.ms": 5000,
    "log.index.size.max.bytes": 1 << 20,
    "broker.heartbeat.interval.ms": 250,
}


@dataclass(frozen=True)
class Ports:
    """Where one broker listens on loopback: for clients, for other brokers and for controllers."""

    client: int
    internal: int
    controller: int


def properties(
    data: Path,
    *,
    node: int,
    ports: Ports,
    controllers: Mapping[int, int],
    advertised: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> str:
    """Return the text of `server.properties`.

    ``controllers`` are the controller ports of all brokers by node; ``advertised`` is the address given to clients
    instead of the one that is listened on; ``settings`` go over everything.
    """
    copies = min(3, len(controllers))
    client = f"{LOOPBACK}:{ports.client}"
    # A broker that was killed is missed after this time, and until then its own restart may not register. One that is
    # alone has nobody who could be wrong about it; several starve each other while they start.
    session = {"broker.session.timeout.ms": 2000 if copies == 1 else 4000}
    names = {
        "process.roles": "broker,controller",
        "node.id": node,
        "controller.quorum.voters": ",".join(f"{each}@{LOOPBACK}:{port}" for each, port in controllers.items()),
        "listeners": _listeners(
            CLIENT=client, INTERNAL=f"{LOOPBACK}:{ports.internal}", CONTROLLER=f"{LOOPBACK}:{ports.controller}"
        ),
        "advertised.listeners": _listeners(CLIENT=advertised or client, INTERNAL=f"{LOOPBACK}:{ports.internal}"),
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "INTERNAL",
        "log.dirs": data,
    }
    return lines(names | _SMALL | session | replication(copies) | dict(settings or {}))


def replication(copies: int) -> dict[str, object]:
    """Return how often everything is stored, and how many of those a write with acks=all waits for."""
    in_sync = max(1, copies - 1)
    return {
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": in_sync,
    }


def lines(values: Mapping[str, object]) -> str:
    """Write properties as Java reads them: a line each, backslashes doubled."""
    doubled = {name: str(value).replace("\\", "\\\\") for name, value in values.items()}
    return "".join(f"{name}={value}\n" for name, value in doubled.items())


def read(text: str) -> dict[str, str]:
    """Read simple properties, such as those in `meta.properties`."""
    pairs: Sequence[tuple[str, str, str]] = [line.partition("=") for line in text.splitlines()]
    return {name.strip(): value.strip() for name, sign, value in pairs if sign and not name.startswith("#")}


def _listeners(**addresses: str) -> str:
    return ",".join(f"{name}://{address}" for name, address in addresses.items())
