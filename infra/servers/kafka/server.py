"""Runs one Apache Kafka broker on loopback with lasting data; same interface as `infra.servers.broker.EmbeddedBroker`.

Measured: ready in 2.7 s (the first time 3.7), again 3.7 s after kill -9, ended in 0.4 s, 240 to 310 MB with a heap of
512 MB. Several brokers: `cluster`.
"""

import base64
import os
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from infra.process.child import Child, has_ended, wait_ready
from infra.process.ports import LOOPBACK, free_port
from infra.process.service import RestartPolicy, Service
from infra.servers.kafka.install import class_archive, install
from infra.servers.kafka.properties import Ports, properties, read

JVM_OPTIONS: Final = "KAFKA_JVM_PERFORMANCE_OPTS"
"""The environment variable with more options for a broker's JVM, as in Kafka's own scripts."""
_RESTART: Final = RestartPolicy(most=20, within=120.0)
_FORMAT_SECONDS: Final = 60.0
_API_VERSIONS: Final = struct.pack(">ihhih", 10, 18, 0, 1, -1)  # "which requests do you know?", from no one
_QUIET: Final = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")


class KafkaError(RuntimeError):
    """The broker is not available; the message has the reason and the path of its log."""


class KafkaServer:
    """One broker: start(), wait_ready(seconds), stop(); start() again goes on with the same data, ports and cluster.

    ``port`` is the clients' one, a free one if left out. ``advertised`` ("127.0.0.1:9999") is where clients are sent
    instead, so that a proxy there sees all that they send. ``settings`` are broker properties that go over ours.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        heap: str = "512m",
        settings: Mapping[str, object] | None = None,
        advertised: str | None = None,
        node: int = 1,
        cluster: str | None = None,
    ) -> None:
        self._directory = directory.resolve()
        self._heap, self._settings, self._node = heap, dict(settings or {}), node
        self._advertised = advertised
        self.ports = Ports(port or free_port(), free_port(), free_port())
        self._controllers: Mapping[int, int] = {node: self.ports.controller}
        self._new_cluster = cluster or new_cluster_id()
        self._child: Child | None = None

    def join(self, controllers: Mapping[int, int]) -> None:
        """Name the controller ports of all brokers of the cluster by node, before the first start."""
        self._controllers = dict(controllers)

    @property
    def bootstrap(self) -> str:
        """Where clients connect, "host:port": the advertised address if there is one."""
        return self._advertised or self.address

    @property
    def address(self) -> str:
        """Where it listens for clients: what a proxy must pass on to."""
        return f"{LOOPBACK}:{self.ports.client}"

    @property
    def direct(self) -> str:
        """A second way in, for clients that are to go past the proxy at ``advertised``."""
        return f"{LOOPBACK}:{self.ports.internal}"

    @property
    def cluster(self) -> str:
        """The cluster's id, the same for as long as the data live; empty before the first start."""
        try:
            return read((self._data / "meta.properties").read_text()).get("cluster.id", "")
        except FileNotFoundError:
            return ""

    @property
    def pid(self) -> int | None:
        """The broker's process id."""
        return None if self._child is None else self._child.pid

    @property
    def log_path(self) -> Path:
        """What the broker printed."""
        return self._directory / "kafka.log"

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _properties(self) -> Path:
        return self._directory / "server.properties"

    def start(self) -> None:
        """Start the broker process and return; use wait_ready() before connecting. Raises KafkaNotInstalledError."""
        if self._child is not None and self._child.running:
            if not has_ended(self._child.pid):
                return
            self._child.stop()  # it was killed a moment ago, and its last threads still hold its files
        self._child = Child(self._prepare(), self.log_path, env=_environment())
        self._child.start()

    def service(self, name: str = "broker") -> Service:
        """Make the broker a supervised service (instead of start())."""
        return Service(
            name, self._prepare, self.log_path, env=_environment(), healthy=self.answers, restart=_RESTART,
            ready_within=60.0, stop_within=10.0,
        )  # fmt: skip

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when the broker answers; raises KafkaError."""
        wait_ready(self._child, self.answers, seconds=seconds, failed=self._failure)

    def answers(self) -> bool:
        """Whether the broker answers a request now; one that is stopped or hangs does not, though it is connected."""
        try:
            with socket.create_connection((LOOPBACK, self.ports.client), timeout=2.0) as connection:
                connection.sendall(_API_VERSIONS)
                return bool(connection.recv(1))
        except OSError:
            return False

    def stop(self, seconds: float = 10.0) -> None:
        """End the broker (SIGTERM, then SIGKILL); safe to call twice."""
        if self._child is not None:
            self._child.stop(seconds)

    def end_soon(self) -> None:
        """Ask the broker to end, and return at once."""
        if self._child is not None:
            self._child.terminate()

    def _prepare(self) -> Sequence[str]:
        """Write the settings, format the data folder if it is new; the command of the broker process."""
        jars = install()
        self._data.mkdir(parents=True, exist_ok=True)
        text = properties(
            self._data, node=self._node, ports=self.ports, controllers=self._controllers,
            advertised=self._advertised, settings=self._settings,
        )  # fmt: skip
        self._properties.write_text(text)
        sharing = [f"-XX:SharedArchiveFile={class_archive()}"] if class_archive().exists() else []
        java, options = ["java", *_QUIET, *sharing, "-XX:+UseSerialGC"], os.environ.get(JVM_OPTIONS, "").split()
        classes = ["-cp", f"{jars}/*"]
        if not self.cluster:
            self._format([*java, "-XX:TieredStopAtLevel=1", *classes])
        return [*java, *options, f"-Xmx{self._heap}", *classes, "kafka.Kafka", str(self._properties)]

    def _format(self, java: Sequence[str]) -> None:
        command = ["kafka.tools.StorageTool", "format", "-t", self._new_cluster, "-c", str(self._properties)]
        try:
            done = subprocess.run(  # noqa: S603 - the command is ours, no shell
                [*java, *command], capture_output=True, text=True, timeout=_FORMAT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise KafkaError(f"Kafka did not format {self._data} within {_FORMAT_SECONDS:g} s: try again.") from error
        if done.returncode != 0:
            raise KafkaError(f"Kafka cannot format {self._data}: {(done.stdout + done.stderr).strip()[-2000:]}")

    def _failure(self, reason: str, _: int | None) -> KafkaError:
        return KafkaError(f"Kafka {reason}. {self._log()}")

    def _log(self) -> str:
        shown = "(not started)" if self._child is None else self._child.log_tail(10)
        return f"Log: {self.log_path}. Last lines:\n{shown}"


def new_cluster_id() -> str:
    """Return a new id as Kafka writes them: 16 random bytes in base64; no dash in front, which would be an option."""
    while True:
        name = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        if not name.startswith("-"):
            return name


def _environment() -> dict[str, str]:
    """Leave out what would change any Java or Kafka that is started here."""
    unwanted = {"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}
