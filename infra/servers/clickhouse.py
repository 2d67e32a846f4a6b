"""A ClickHouse server on loopback for demo and tests, out of the chdb-core wheel (configured in clickhouse_config.py).

``EmbeddedClickHouse(directory)`` starts one as a child process; to the code it differs from a production server only
by its address.  Data survive kill -9 of the server and of us.  It holds one directory and two loopback ports.

The directory: ``credentials.json`` (mode 0600) and ``server/`` with config.xml, the data and the logs.  The server is
confined to ``server/`` (see sandbox.py), so no query can read the passwords beside it.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from clickhouse_driver import Client
from clickhouse_driver import errors as driver_errors

from infra.process.child import Child, tail, wait_ready
from infra.process.ports import LOOPBACK, accepts, claim
from infra.process.service import Service
from infra.servers.clickhouse_child import StoreExit
from infra.servers.clickhouse_config import (
    OWNER,
    READER,
    Login,
    ServerSettings,
    config_xml,
    stored_logins,
    write_private,
)

MINIMUM_FREE_BYTES = 500_000_000
_PROJECT = Path(__file__).resolve().parents[2]
# A query that never ends and costs nothing prevents the entry from returning.
_SLEEP_FOR_EVER = "SELECT sum(sleepEachRow(3)) FROM system.numbers SETTINGS max_block_size=1, max_threads=1 FORMAT Null"


class ClickHouseError(RuntimeError):
    """The embedded ClickHouse server is not available; the message has the reason and the path of its log."""


class EntryChanged(ClickHouseError):
    """chdb's private entry is not what we know: another version of chdb-core is installed."""


class DiskNearlyFull(ClickHouseError):
    """Too little room for the data."""


class DirectoryInUse(ClickHouseError):
    """Another server still runs on the same directory."""


class DidNotStart(ClickHouseError):
    """The server ended, or did not answer in time."""


@dataclass(frozen=True)
class Address:
    """Where the store is and who may log in: ``owner`` reads and writes all, ``reader`` only reads public views."""

    host: str
    port: int
    http_port: int | None
    owner: Login
    reader: Login


class EmbeddedClickHouse:
    """One embedded server: start(), wait_ready(seconds), stop(); restartable on the same directory."""

    def __init__(
        self,
        directory: Path,
        *,
        tcp_port: int = 0,
        http_port: int | None = None,
        memory_bytes: int = ServerSettings.memory_bytes,
        log_level: str = ServerSettings.log_level,
    ) -> None:
        self._directory = directory.resolve()
        self._home = self._directory / "server"
        self._ports = (tcp_port, http_port)
        self._memory_bytes = memory_bytes
        self._log_level = log_level
        self._address: Address | None = None
        self._child: Child | None = None

    @property
    def address(self) -> Address:
        """Host, ports and logins; known after prepare() or start()."""
        if self._address is None:
            raise ClickHouseError("The embedded ClickHouse has no address yet: call start() first.")
        return self._address

    @property
    def log_path(self) -> Path:
        """The server's own log, rotated at 5 MB; what it printed is in process.log beside it."""
        return self._home / "server.log"

    @property
    def pid(self) -> int | None:
        """The server's process id."""
        return None if self._child is None else self._child.pid

    def prepare(self) -> None:
        """Choose the ports, write the configuration; raises PortTaken or DiskNearlyFull. start() calls it."""
        self._directory.mkdir(parents=True, exist_ok=True)
        require_room(self._directory)
        for name in ("scratch", "user_files", "format_schemas"):
            (self._home / name).mkdir(parents=True, exist_ok=True)
        logins = stored_logins(self._directory / "credentials.json")
        tcp, http = self._ports
        tcp = claim(tcp, "tcp_port")
        http = None if http is None else claim(http, "http_port")
        settings = ServerSettings(tcp, http, memory_bytes=self._memory_bytes, log_level=self._log_level)
        write_private(self._home / "config.xml", config_xml(settings, logins, directory=self._home))
        self._ports = (tcp, http)  # a restart comes back at the same address
        self._address = Address(LOOPBACK, tcp, http, logins[OWNER], logins[READER])

    def service(self, name: str = "clickhouse") -> Service:
        """Make the server a supervised service (instead of start()); it comes back at the same address."""
        self.prepare()
        log = self._home / "process.log"
        return Service(name, self._argv, log, env=self._environment, cwd=self._home, healthy=self.answers)

    @property
    def _argv(self) -> list[str]:
        listen = "SYSTEM START LISTEN TCP; "
        if self._ports[1] is not None:
            listen += "SYSTEM START LISTEN HTTP; "
        return [sys.executable, "-P", "-m", "infra.servers.clickhouse_child", listen + _SLEEP_FOR_EVER]

    @property
    def _environment(self) -> Mapping[str, str]:
        """No more than the server needs: what a process inherits can be read from it."""
        inherited = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        return inherited | {"PYTHONPATH": str(_PROJECT), "TMPDIR": str(self._home / "scratch"), "HOME": str(self._home)}

    def start(self) -> None:
        """Start the server process and return; use wait_ready() before the first query."""
        if self._child is not None and self._child.running:
            return
        self.prepare()
        self._child = Child(self._argv, self._home / "process.log", env=self._environment, cwd=self._home)
        self._child.start()

    def wait_ready(self, seconds: float = 30.0) -> None:
        """Return when the server answers a query; raises EntryChanged, DirectoryInUse or DidNotStart."""
        wait_ready(self._child, self.answers, seconds=seconds, failed=self._failure)

    def answers(self) -> bool:
        """Whether the server takes the owner's password and answers a query now."""
        return answers(self.address.host, self.address.port, self.address.owner)

    def stop(self, seconds: float = 5.0) -> None:
        """End the server (SIGTERM, then SIGKILL); safe to call twice."""
        if self._child is not None:
            self._child.stop(seconds)

    def _failure(self, reason: str, code: int | None) -> ClickHouseError:
        if code == StoreExit.ENTRY_CHANGED:
            return EntryChanged(
                "The installed chdb-core does not have the entry that the embedded server uses: install the version "
                f"pinned in pyproject.toml (`make clean demo`), or set store.host to a ClickHouse. {self._logs()}"
            )
        if code == StoreExit.DIRECTORY_IN_USE:
            return DirectoryInUse(f"Another ClickHouse runs on {self._home}: end it or choose another directory.")
        return DidNotStart(f"ClickHouse {reason}. {self._logs()}")

    def _logs(self) -> str:
        output = self._home / "process.log"
        return f"Logs: {output}, {self.log_path}. Last lines:\n{tail(output, 10)}\n{tail(self._home / 'errors.log', 5)}"


def answers(host: str, port: int, login: Login) -> bool:
    """Whether a ClickHouse server takes this login and answers a query; never raises for a server that is away."""
    if not accepts(host, port):
        return False  # the driver would log a traceback
    client = Client(
        host, port=port, user=login.user, password=login.password, connect_timeout=2, send_receive_timeout=5,
        sync_request_timeout=5,
    )  # fmt: skip
    try:
        return bool(client.execute("SELECT 1") == [(1,)])
    except (driver_errors.Error, OSError, EOFError):
        return False
    finally:
        client.disconnect()


def require_room(directory: Path, minimum: int = MINIMUM_FREE_BYTES) -> None:
    """Raise DiskNearlyFull unless this many bytes are free there."""
    free = shutil.disk_usage(directory).free
    if free < minimum:
        raise DiskNearlyFull(
            f"{directory}: {free / 1e6:.0f} MB free, at least {minimum / 1e6:.0f} MB are needed: "
            "make room there or choose another directory."
        )
