"""A Kafka broker on loopback for demo and tests: librdkafka's mock cluster as a child process (broker_child.py)."""

import json
import os
import secrets
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from infra.broker_child import Exit
from infra.child import Child
from infra.ports import accepts
from infra.service import NEVER, Service

DEFAULT_PARTITIONS = 4
KAFKA_PYTHON_API_VERSION = (2, 3)
"""What kafka-python's clients need as ``api_version`` here: the mock's answer to their question is not readable."""
_PROJECT = Path(__file__).resolve().parent.parent


class BrokerError(RuntimeError):
    """The embedded broker cannot be had; the message says why and where its log is."""


class EmbeddedBroker:
    """One embedded broker: start(), wait_ready(seconds), stop(). Everything in it is gone when it stops.

    ``topics``: names, each with 4 partitions, or names with their numbers of partitions.
    """

    API_VERSION = "2.3"
    """What kafka-python must be told: it asks for versions in a way that the mock cluster cannot answer."""

    def __init__(
        self,
        directory: Path,
        *,
        topics: Iterable[str] | Mapping[str, int] = (),
        rebalance_delay_ms: int = 500,
    ) -> None:
        self._directory = directory.resolve()
        self._topics = dict(topics) if isinstance(topics, Mapping) else dict.fromkeys(topics, DEFAULT_PARTITIONS)
        self._rebalance_delay_ms = rebalance_delay_ms
        self._address_file = self._directory / "address"
        self._child: Child | None = None
        self._cluster = ""

    @property
    def bootstrap(self) -> str:
        """Its address, "host:port"; known when it is ready, new at each start."""
        try:
            return self._address_file.read_text()
        except FileNotFoundError:
            raise BrokerError("The embedded broker has no address yet: call start() and wait_ready() first.") from None

    @property
    def cluster(self) -> str:
        """A name for this incarnation of the broker: offsets of another incarnation are another log's."""
        return self._cluster

    @property
    def pid(self) -> int | None:
        """The broker's process id."""
        return None if self._child is None else self._child.pid

    @property
    def log_path(self) -> Path:
        """What the broker printed."""
        return self._directory / "broker.log"

    def start(self) -> None:
        """Start the broker process and return; use wait_ready() before connecting."""
        if self._child is not None and self._child.running:
            return
        self._child = Child(self._prepare(), self.log_path, env=self._environment)
        self._child.start()

    def service(self, name: str = "broker") -> Service:
        """Make the broker a supervised service (instead of start()); never restarted, as what it held is gone."""
        return Service(name, self._prepare, self.log_path, env=self._environment, healthy=self.answers, restart=NEVER)

    @property
    def _environment(self) -> Mapping[str, str]:
        return os.environ | {"PYTHONPATH": str(_PROJECT)}

    def _prepare(self) -> list[str]:
        """Forget the former incarnation, name the new one; the command of the broker process."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._address_file.unlink(missing_ok=True)
        self._cluster = f"embedded-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        wanted = {
            "address_file": str(self._address_file),
            "topics": self._topics,
            "rebalance_delay_ms": self._rebalance_delay_ms,
        }
        return [sys.executable, "-P", "-m", "infra.broker_child", json.dumps(wanted)]

    def wait_ready(self, seconds: float = 15.0) -> None:
        """Return when the broker takes connections; raises BrokerError."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            code = None if self._child is None else self._child.poll()
            if code is not None:
                raise self._failure(code)
            if time.monotonic() > deadline:
                self.stop()
                raise BrokerError(f"The embedded broker was not ready within {seconds:g} s. {self._log()}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether the broker takes connections now."""
        if not self._address_file.exists():
            return False
        host, port = self.bootstrap.rsplit(":", 1)
        return accepts(host, int(port))

    def stop(self, seconds: float = 3.0) -> None:
        """End the broker (SIGTERM, then SIGKILL); safe to call twice."""
        if self._child is not None:
            self._child.stop(seconds)

    def _failure(self, code: int) -> BrokerError:
        if code == Exit.ENTRY_CHANGED:
            return BrokerError(
                "The installed confluent-kafka has no mock cluster that we know: install the version pinned in "
                f"pyproject.toml (`make clean demo`), or set kafka.brokers to a real broker. {self._log()}"
            )
        return BrokerError(f"The embedded broker ended with exit code {code} while starting. {self._log()}")

    def _log(self) -> str:
        tail = "(not started)" if self._child is None else self._child.log_tail(10)
        return f"Log: {self.log_path}. Last lines:\n{tail}"
