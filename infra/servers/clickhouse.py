"""A ClickHouse server on loopback for demo and tests, out of the chdb-core wheel (configured in clickhouse_config.py).

``EmbeddedClickHouse(directory)`` starts one as a child process; to the code it differs from a production server only
by its address.  Data survive kill -9 of the server and of us.  It holds one directory and one loopback port.

The directory: ``credentials.json`` (mode 0600) and ``server/`` with config.xml, the data and the logs.  The server is
confined to ``server/`` (see sandbox.py), so no query can read the passwords beside it.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from clickhouse_driver import Client
from clickhouse_driver import errors as driver_errors

from infra.process.child import tail
from infra.process.ports import LOOPBACK, accepts, claim
from infra.process.server import Server
from infra.process.service import Service
from infra.servers.clickhouse_child import StoreExit
from infra.servers.clickhouse_config import OWNER, READER, Login, config_xml, stored_logins, write_private

MINIMUM_FREE_BYTES = 500_000_000
_PROJECT = Path(__file__).resolve().parents[2]
# A query that never ends and costs nothing prevents the entry from returning.
_SERVE = (
    "SYSTEM START LISTEN TCP; "
    "SELECT sum(sleepEachRow(3)) FROM system.numbers SETTINGS max_block_size=1, max_threads=1 FORMAT Null"
)


class ClickHouseError(RuntimeError):
    """The embedded ClickHouse server is not available; the message has the reason and the path of its log."""


@dataclass(frozen=True)
class Address:
    """Where the store is and who may log in: ``owner`` reads and writes all, ``reader`` only reads public views."""

    host: str
    port: int
    owner: Login
    reader: Login


class EmbeddedClickHouse(Server):
    """One embedded server; restartable on the same directory. `address` is known once it was started.

    `log_path` is the server's own log, rotated at 5 MB; what it printed is in process.log beside it.
    """

    name, error = "ClickHouse", ClickHouseError
    address: Address

    def __init__(self, directory: Path, *, tcp_port: int = 0) -> None:
        self._directory = directory.resolve()
        self._home = self._directory / "server"
        self._port = tcp_port
        self.log_path = self._home / "server.log"

    def _prepare(self) -> None:
        """Choose the port, write the configuration; raises PortTaken or ClickHouseError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        require_room(self._directory)
        for name in ("scratch", "user_files", "format_schemas"):
            (self._home / name).mkdir(parents=True, exist_ok=True)
        logins = stored_logins(self._directory / "credentials.json")
        self._port = claim(self._port, "tcp_port")  # a restart comes back at the same address
        write_private(self._home / "config.xml", config_xml(self._port, logins, directory=self._home))
        self.address = Address(LOOPBACK, self._port, logins[OWNER], logins[READER])

    def service(self) -> Service:
        """Make the server a supervised service (instead of start()); it comes back at the same address."""
        self._prepare()
        # It gets no more than it needs: what a process inherits can be read from it.
        inherited = {name: os.environ[name] for name in ("LANG", "LC_ALL") if name in os.environ}
        own = {"PYTHONPATH": str(_PROJECT), "TMPDIR": str(self._home / "scratch"), "HOME": str(self._home)}
        return Service(
            "clickhouse",
            [sys.executable, "-P", "-m", "infra.servers.clickhouse_child", _SERVE],
            self._home / "process.log",
            env=inherited | own,
            cwd=self._home,
            healthy=self.answers,
        )

    def answers(self) -> bool:
        """Whether the server takes the owner's password and answers a query now."""
        return answers(self.address.host, self.address.port, self.address.owner)

    def _failure(self, reason: str, code: int | None) -> Exception:
        if code == StoreExit.ENTRY_CHANGED:
            return ClickHouseError(
                "The installed chdb-core does not have the entry that the embedded server uses: install the version "
                f"pinned in pyproject.toml (`make clean demo`), or set store.host to a ClickHouse. {self._log()}"
            )
        if code == StoreExit.DIRECTORY_IN_USE:
            return ClickHouseError(f"Another ClickHouse runs on {self._home}: end it or choose another directory.")
        return super()._failure(reason, code)

    def _log(self) -> str:
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
    """Raise ClickHouseError unless this many bytes are free there."""
    free = shutil.disk_usage(directory).free
    if free < minimum:
        raise ClickHouseError(
            f"{directory}: {free / 1e6:.0f} MB free, at least {minimum / 1e6:.0f} MB are needed: "
            "make room there or choose another directory."
        )
