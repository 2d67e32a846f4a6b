"""A Kafka broker on loopback for demo and tests: librdkafka's mock cluster as a child process (broker_child.py).

It speaks Kafka's protocol to any client, but it is a mock. Measured with librdkafka 2.16.0, aiokafka 0.14.0 and
kafka-python 3.0.12:

- Everything is in memory. Each partition stores its newest 5 MiB of record batches **as they were sent** (compressed,
  61 bytes of head for each batch); older ones are dropped silently. About 24,000 passages of 200 bytes uncompressed,
  116,000 with lz4. No function of the library raises the limit (the other one, 100,000 batches, cannot be reached):
  more partitions and compression are what helps, and a writer that waits for its reader.
- A fetch returns one batch for a partition, so writers should make large ones.
- kafka-python needs ``PROTOCOL`` (kafka.api_version). Its ``committed()`` sees the commits of other members.
- Groups: members that start together share the partitions in 0.6 s. One that joins a running group waits up to its
  session timeout, and mostly fails with InvalidRequestError: the mock refuses a follower that answers after the leader.
  A leader that sleeps 50 ms in its assignor's ``assign()`` cures it (8 of 8; without: 0 of 6 with a session of 3 s).
- The partitions of a killed member stay assigned to it. A new one alone in the group has them after twice the session
  timeout minus 1 s (2 s: 3.0 s; 3 s: 5.0 s; 6 s: 11 s; 10 s: 19 s), a surviving one after the same time. A static
  member (``group.instance.id``) that comes back at once is no quicker, and in a group of two it was never served.
- No transactions, no compaction, no creation of topics by clients: unknown topics appear with 4 partitions.
"""

import json
import os
import secrets
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from infra.process.ports import accepts
from infra.process.server import Server
from infra.process.supervisor import NEVER, Service
from infra.servers.broker_child import ENTRY_CHANGED

PROTOCOL = (2, 3)
"""What kafka-python must speak with it: left to find out, it cannot read the answer to its newest question."""
_PROJECT = Path(__file__).resolve().parents[2]


class BrokerError(RuntimeError):
    """The embedded broker is not available; the message has the reason and the path of its log."""


class EmbeddedBroker(Server):
    """One embedded broker with `topics`, by name their numbers of partitions; what it holds is gone when it stops."""

    name, error = "The embedded broker", BrokerError
    cluster = ""
    """A name for this incarnation of the broker: offsets of another incarnation are another log's."""

    def __init__(self, directory: Path, *, topics: Mapping[str, int] | None = None) -> None:
        self._directory = directory.resolve()
        self._topics = dict(topics or {})
        self._address_file = self._directory / "address"
        self.log_path = self._directory / "broker.log"

    @property
    def bootstrap(self) -> str:
        """Its address, "host:port"; there when it is ready, new at each start."""
        return self._address_file.read_text()

    def service(self) -> Service:
        """Make the broker a supervised service (instead of start()); never restarted, as what it held is gone."""
        environment = os.environ | {"PYTHONPATH": str(_PROJECT)}
        return Service("broker", self._prepare, self.log_path, env=environment, healthy=self.answers, restart=NEVER)

    def _prepare(self) -> list[str]:
        """Forget the former incarnation, name the new one; the command of the broker process."""
        self._directory.mkdir(parents=True, exist_ok=True)
        self._address_file.unlink(missing_ok=True)
        self.cluster = f"embedded-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"
        wanted = {"address_file": str(self._address_file), "topics": self._topics}
        return [sys.executable, "-P", "-m", "infra.servers.broker_child", json.dumps(wanted)]

    def answers(self) -> bool:
        """Whether the broker takes connections now."""
        if not self._address_file.exists():
            return False
        host, port = self.bootstrap.rsplit(":", 1)
        return accepts(host, int(port))

    def _failure(self, reason: str, code: int | None) -> Exception:
        if code == ENTRY_CHANGED:
            return BrokerError(
                "The installed confluent-kafka has no mock cluster that we know: install the version pinned in "
                f"pyproject.toml (`make clean demo`), or set kafka.brokers to a real broker. {self._log()}"
            )
        return super()._failure(reason, code)
