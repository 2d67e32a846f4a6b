"""A ClickHouse server on loopback for demo and tests, out of the chdb-core wheel.

``EmbeddedClickHouse(directory)`` starts one as a child process; to the code it differs from a production server only
by its address.  Data survive kill -9 of the server and of us.  It holds one directory and one loopback port.

The directory: ``credentials.json`` (mode 0600) and ``server/`` with config.xml, the data and the logs.  The server is
confined to ``server/`` (see sandbox.py), so no query can read the passwords beside it.
"""

import hashlib
import json
import os
import secrets
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

from clickhouse_driver import errors as driver_errors

from infra.process.child import tail
from infra.process.files import write_private
from infra.process.ports import LOOPBACK, accepts, claim
from infra.process.server import Server
from infra.process.supervisor import Service
from infra.servers.clickhouse_child import StoreExit
from sinks.clickhouse import StoreAddress, connect

OWNER, READER = "gatepulse", "reader"
_MEMORY_BYTES = 2_000_000_000
_READER_MEMORY_BYTES = 500_000_000
_READER_SECONDS = 30

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
    owner: StoreAddress
    reader: StoreAddress


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
        passwords = stored_passwords(self._directory / "credentials.json")
        self._port = claim(self._port, "tcp_port")  # a restart comes back at the same address
        write_private(self._home / "config.xml", config_xml(self._port, passwords, directory=self._home))
        owner, reader = (StoreAddress(LOOPBACK, self._port, user, passwords[user]) for user in (OWNER, READER))
        self.address = Address(LOOPBACK, self._port, owner, reader)

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
        return answers(self.address.owner)

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


def answers(address: StoreAddress) -> bool:
    """Whether a ClickHouse server takes this login and answers a query; never raises for a server that is away."""
    if not accepts(address.host, address.port):
        return False  # the driver would log a traceback
    with connect(address, seconds=5) as client:
        try:
            return bool(client.execute("SELECT 1") == [(1,)])
        except (driver_errors.Error, OSError, EOFError):
            return False


def require_room(directory: Path, minimum: int = MINIMUM_FREE_BYTES) -> None:
    """Raise ClickHouseError unless this many bytes are free there."""
    free = shutil.disk_usage(directory).free
    if free < minimum:
        raise ClickHouseError(
            f"{directory}: {free / 1e6:.0f} MB free, at least {minimum / 1e6:.0f} MB are needed: "
            "make room there or choose another directory."
        )


def stored_passwords(path: Path) -> dict[str, str]:
    """Return the owner's and the reader's passwords: made at random once, then read from this file (mode 0600)."""
    known = json.loads(path.read_text()) if path.exists() else {}
    missing = [user for user in (OWNER, READER) if not isinstance(known.get(user), str)]
    if missing:
        known |= {user: secrets.token_urlsafe(32) for user in missing}
        write_private(path, json.dumps(known, indent=1) + "\n")
    return {user: known[user] for user in (OWNER, READER)}


def config_xml(port: int, passwords: dict[str, str], *, directory: Path) -> str:
    """Write the server's config.xml: it holds only hashes of the passwords, and its own users_config.

    `default` has no password, since chdb's import and the entry both log in as it: it may open the ports and read
    system.numbers, and that is all.  The reader has readonly=2 with bounds: this engine refuses
    `changeable_in_readonly`, and Grafana's client must be able to set max_execution_time.
    """
    home = escape(str(directory))
    return f"""<clickhouse>
  <tcp_port>{port}</tcp_port>
  <listen_host>127.0.0.1</listen_host>
  <timezone>UTC</timezone>
  <logger>
    <level>information</level><log>{home}/server.log</log><errorlog>{home}/errors.log</errorlog>
    <size>5M</size><count>2</count>
  </logger>
  <tmp_path>{home}/scratch/</tmp_path>
  <user_files_path>{home}/user_files/</user_files_path>
  <format_schema_path>{home}/format_schemas/</format_schema_path>
  <max_server_memory_usage>{_MEMORY_BYTES}</max_server_memory_usage>
  <mark_cache_size>67108864</mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <background_pool_size>2</background_pool_size>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <max_concurrent_queries>100</max_concurrent_queries>
  <merge_tree>{_MERGES}<number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
  <users_config>config.xml</users_config>
  <profiles>
    <default>{_SETTINGS}<max_threads>2</max_threads></default>
    <reader>{_SETTINGS}<max_threads>2</max_threads><readonly>2</readonly>
      <max_execution_time>{_READER_SECONDS}</max_execution_time>
      <max_memory_usage>{_READER_MEMORY_BYTES}</max_memory_usage>
      <constraints>
        <max_execution_time><min>0.001</min><max>{_READER_SECONDS}</max></max_execution_time>
        <max_memory_usage><max>{_READER_MEMORY_BYTES}</max></max_memory_usage>
        <max_threads><max>4</max></max_threads>
        <allow_python_table_function><const/></allow_python_table_function>
        <allow_introspection_functions><const/></allow_introspection_functions>
        <format_schema><const/></format_schema>
      </constraints>
    </reader>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default><password></password>{_LOCAL}<profile>default</profile><quota>default</quota>
      <grants><query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query></grants>
    </default>
    <{OWNER}>{_hashed(passwords[OWNER])}{_LOCAL}<profile>default</profile><quota>default</quota></{OWNER}>
    <{READER}>{_hashed(passwords[READER])}{_LOCAL}<profile>reader</profile><quota>default</quota>
      <grants><query>GRANT SELECT ON gatepulse.*</query></grants>
    </{READER}>
  </users>
</clickhouse>
"""


# Rows come in small parts, some ten a flush. Merging ten of a size at once, and not five, rewrites a row a third as
# often; what is read then has a few parts more.
_MERGES = "<merge_selector_base>10</merge_selector_base>"
_SETTINGS = (
    "<async_insert>0</async_insert>"
    "<allow_python_table_function>0</allow_python_table_function>"  # as any user it ended the whole process
    "<allow_introspection_functions>0</allow_introspection_functions>"
)
_LOCAL = "<networks><ip>127.0.0.1</ip><ip>::1</ip></networks>"


def _hashed(password: str) -> str:
    return f"<password_sha256_hex>{hashlib.sha256(password.encode()).hexdigest()}</password_sha256_hex>"
