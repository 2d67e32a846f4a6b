"""Runs one Apache Kafka broker on loopback with lasting data; same interface as `infra.servers.broker.EmbeddedBroker`.

Measured: ready in 2.7 s (the first time 3.7), again 3.7 s after kill -9, ended in 0.4 s, 240 to 310 MB with a heap of
512 MB.
"""

import os
import re
import secrets
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from infra.process.ports import LOOPBACK, free_port
from infra.process.server import Server
from infra.process.supervisor import OFTEN, Service
from infra.servers.kafka.install import class_archive, install

_FORMAT_SECONDS: Final = 60.0
_API_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # "which requests do you know?", from no one
_QUIET: Final = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")
_UNWANTED: Final = {"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}
"""Variables that would change any Java or Kafka that is started here."""

_SETTINGS: Final[Mapping[str, object]] = {
    # A broker that is also a controller (KRaft), small enough for a developer's machine.
    "process.roles": "broker,controller",
    "node.id": 1,
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "auto.create.topics.enable": "false",
    "num.partitions": 4,
    "num.network.threads": 2,
    "num.io.threads": 4,
    # One broker has few groups: fewer internal partitions to open at each start.
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # A group of ours is complete when its workers are there; who restarts wants its partitions at once.
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1000,
    # 16 MiB and 1 MiB instead of 128 and 10 for each segment: memory, and files that are mapped into it.
    "log.cleaner.dedupe.buffer.size": 16 << 20,
    "log.cleaner.backoff.ms": 5000,
    "log.index.size.max.bytes": 1 << 20,
    "broker.heartbeat.interval.ms": 250,
    # A broker that was killed is missed after this time, and until then its own restart may not register. One that is
    # alone has nobody who could be wrong about it.
    "broker.session.timeout.ms": 2000,
}


class KafkaError(RuntimeError):
    """The broker is not available; the message has the reason and the path of its log."""


class KafkaServer(Server):
    """One broker; start() again goes on with the same data, ports and cluster.

    It listens on loopback: for clients at ``port``, a free one if left out, for other brokers at ``internal`` and for
    controllers at ``controller``. Until it is started ``settings``, its properties, ``heap`` and ``jvm_options`` may be
    changed. Starting it raises KafkaError, and KafkaNotInstalledError.
    """

    name, error = "Kafka", KafkaError
    heap = "512m"
    jvm_options: Sequence[str] = ()

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self._directory = directory.resolve()
        self._data = self._directory / "data"
        self._properties = self._directory / "server.properties"
        self.port, self.internal, self.controller = port or free_port(), free_port(), free_port()
        listeners = f"CLIENT://{LOOPBACK}:{self.port},INTERNAL://{LOOPBACK}:{self.internal}"
        self.settings = {
            **_SETTINGS,
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller}",
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{self.controller}",
            "advertised.listeners": listeners,
            "log.dirs": self._data,
        }
        self.new_cluster = "g" + secrets.token_urlsafe(16)[1:]  # no dash in front, which would be an option
        self.log_path = self._directory / "kafka.log"

    @property
    def bootstrap(self) -> str:
        """Where clients connect, "host:port"."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def cluster(self) -> str:
        """The cluster's id, the same for as long as the data live; empty before the first start."""
        try:
            found = re.search(r"^cluster\.id=(.*)$", (self._data / "meta.properties").read_text(), re.MULTILINE)
        except FileNotFoundError:
            return ""
        return found[1].strip() if found else ""

    def service(self) -> Service:
        """Make the broker a supervised service (instead of start())."""
        environment = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
        return Service(
            "broker", self._prepare, self.log_path, env=environment, healthy=self.answers, restart=OFTEN,
            ready_within=60.0, stop_within=10.0,
        )  # fmt: skip

    def answers(self) -> bool:
        """Whether the broker answers a request now; one that is stopped or hangs does not, though it is connected."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2.0) as connection:
                connection.sendall(_API_VERSIONS)
                return bool(connection.recv(1))
        except OSError:
            return False

    def _prepare(self) -> Sequence[str]:
        """Write the settings, format the data folder if it is new; the command of the broker process."""
        jars = install()
        self._data.mkdir(parents=True, exist_ok=True)
        doubled = {name: str(value).replace("\\", "\\\\") for name, value in self.settings.items()}  # as Java reads it
        self._properties.write_text("".join(f"{name}={value}\n" for name, value in doubled.items()))
        sharing = [f"-XX:SharedArchiveFile={class_archive()}"] if class_archive().exists() else []
        java = ["java", *_QUIET, *sharing, "-XX:+UseSerialGC"]
        classes = ["-cp", f"{jars}/*"]
        if not self.cluster:
            self._format([*java, "-XX:TieredStopAtLevel=1", *classes])
        return [*java, *self.jvm_options, f"-Xmx{self.heap}", *classes, "kafka.Kafka", str(self._properties)]

    def _format(self, java: Sequence[str]) -> None:
        command = ["kafka.tools.StorageTool", "format", "-t", self.new_cluster, "-c", str(self._properties)]
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours, no shell
                [*java, *command], capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise KafkaError(f"Kafka did not format {self._data} within {_FORMAT_SECONDS:g} s: try again.") from error
        if done.returncode != 0:
            raise KafkaError(f"Kafka cannot format {self._data}: {(done.stdout + done.stderr).strip()[-2000:]}")
