"""The embedded ClickHouse server keeps data, enforces permissions, and says why it cannot start."""

import json
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clickhouse_driver.errors import ServerException

from infra.process.ports import PortTaken
from infra.process.supervisor import State, Supervisor
from infra.servers import clickhouse as module
from infra.servers.clickhouse import (
    OWNER,
    READER,
    ClickHouseError,
    EmbeddedClickHouse,
    answers,
    require_room,
    stored_passwords,
)
from sinks.clickhouse import StoreAddress, connect
from tests.support.processes import alive, kill, needs_landlock, server_ends_with_its_parent

NOT_ENOUGH_PRIVILEGES, WRONG_PASSWORD = 497, 516
URL = "SELECT * FROM url('http://127.0.0.1:{port}/', CSV, 'a String')"
SETTING_OUT_OF_BOUNDS, SETTING_IS_FIXED, READONLY_SETTING = 452, 392, 164


def ask(server: EmbeddedClickHouse, query: str, login: StoreAddress | None = None, **settings: object) -> list[Any]:
    """Run one query as the owner, or as somebody else."""
    with connect(login or server.address.owner) as client:
        answer: list[Any] = client.execute(query, settings=settings)
        return answer


def login(server: EmbeddedClickHouse, user: str, password: str) -> StoreAddress:
    """Return the server's address for another login than its own two."""
    return replace(server.address.owner, user=user, password=password)


def refused(server: EmbeddedClickHouse, query: str, login: StoreAddress, **settings: object) -> int:
    """Return the server's error code for a query that it must refuse."""
    with pytest.raises(ServerException) as caught:
        ask(server, query, login, **settings)
    return int(caught.value.code)


@pytest.fixture(scope="module")
def stored(clickhouse: EmbeddedClickHouse) -> Iterator[EmbeddedClickHouse]:
    """Provide a private table with a row and a public view of it."""
    ask(clickhouse, "CREATE DATABASE IF NOT EXISTS gatepulse")
    ask(clickhouse, "CREATE DATABASE IF NOT EXISTS gatepulse_store")
    ask(clickhouse, "CREATE TABLE gatepulse_store.probe (a UInt64) ENGINE = MergeTree ORDER BY a")
    ask(clickhouse, "CREATE VIEW gatepulse.probe SQL SECURITY DEFINER AS SELECT a FROM gatepulse_store.probe")
    ask(clickhouse, "INSERT INTO gatepulse_store.probe VALUES (7)")
    yield clickhouse
    ask(clickhouse, "DROP VIEW gatepulse.probe")
    ask(clickhouse, "DROP TABLE gatepulse_store.probe SYNC")


def test_it_is_a_clickhouse_that_understands_modern_sql(clickhouse: EmbeddedClickHouse) -> None:
    assert ask(
        clickhouse, "SELECT toStartOfInterval(toDateTime64('2021-11-05 08:00:07.5', 3, 'UTC'), INTERVAL 10 second)"
    )
    assert ask(clickhouse, "SELECT timezone() IN ('UTC', 'Etc/UTC')") == [(1,)]


def test_inserts_wait_until_they_are_stored(clickhouse: EmbeddedClickHouse) -> None:
    assert ask(clickhouse, "SELECT toUInt8(getSetting('async_insert'))") == [(0,)]


def test_the_limits_that_were_asked_for_hold(clickhouse: EmbeddedClickHouse) -> None:
    query = "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'"
    assert ask(clickhouse, query) == [("2000000000",)]


def test_merges_are_as_rare_as_was_asked_for(clickhouse: EmbeddedClickHouse) -> None:
    query = "SELECT value FROM system.merge_tree_settings WHERE name = 'merge_selector_base'"
    assert ask(clickhouse, query) == [("10",)]


def test_a_wrong_password_is_refused(clickhouse: EmbeddedClickHouse) -> None:
    assert refused(clickhouse, "SELECT 1", login(clickhouse, "gatepulse", "guess")) == WRONG_PASSWORD
    assert refused(clickhouse, "SELECT 1", login(clickhouse, "reader", "")) == WRONG_PASSWORD
    assert not answers(login(clickhouse, "nobody", ""))


@pytest.mark.parametrize(
    "query",
    ["CREATE DATABASE mine", "SELECT * FROM gatepulse.probe", "SELECT * FROM gatepulse_store.probe", "SYSTEM SHUTDOWN"],
)
def test_the_user_without_a_password_has_no_power(stored: EmbeddedClickHouse, query: str) -> None:
    assert refused(stored, query, login(stored, "default", "")) == NOT_ENOUGH_PRIVILEGES


def test_the_reader_reads_public_views(stored: EmbeddedClickHouse) -> None:
    assert ask(stored, "SELECT a FROM gatepulse.probe", stored.address.reader) == [(7,)]
    assert ask(stored, "SHOW DATABASES", stored.address.reader) == [("gatepulse",)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM gatepulse_store.probe",
        "SELECT * FROM view(SELECT * FROM gatepulse_store.probe)",
        "SHOW CREATE TABLE gatepulse_store.probe",
        "SELECT * FROM system.users",
        "SELECT * FROM system.processes",
        "SELECT * FROM url('http://127.0.0.1:1/', CSV, 'a String')",
        "SELECT * FROM file('/etc/hostname', CSV, 'a String')",
        "SELECT * FROM filesystem('/etc')",
        "SELECT * FROM remote('127.0.0.1', gatepulse.probe)",
        "SELECT * FROM executable('id', CSV, 'a String')",
        "CREATE TABLE gatepulse.mine (a UInt8) ENGINE = Memory",
        "CREATE VIEW gatepulse.mine AS SELECT 1",
        "DROP VIEW gatepulse.probe",
        "SYSTEM DROP MARK CACHE",
    ],
)
def test_the_reader_is_refused_everything_else(stored: EmbeddedClickHouse, query: str) -> None:
    assert refused(stored, query, stored.address.reader) == NOT_ENOUGH_PRIVILEGES


def test_the_reader_cannot_insert(stored: EmbeddedClickHouse) -> None:
    for table in ("gatepulse.probe", "gatepulse_store.probe"):
        code = refused(stored, f"INSERT INTO {table} SELECT 1", stored.address.reader)
        assert code in {NOT_ENOUGH_PRIVILEGES, READONLY_SETTING}


def test_the_reader_may_shorten_its_time_and_not_lengthen_it(clickhouse: EmbeddedClickHouse) -> None:
    reader = clickhouse.address.reader
    query = "SELECT getSetting('max_execution_time')"
    assert ask(clickhouse, query, reader) == [(30,)]
    assert ask(clickhouse, query, reader, max_execution_time=5) == [(5,)]
    assert refused(clickhouse, query, reader, max_execution_time=3600) == SETTING_OUT_OF_BOUNDS
    assert refused(clickhouse, query, reader, max_memory_usage=10**12) == SETTING_OUT_OF_BOUNDS
    assert refused(clickhouse, query, reader, readonly=0) == READONLY_SETTING


@pytest.mark.parametrize("user", ["owner", "reader"])
def test_the_engines_python_table_function_is_shut(clickhouse: EmbeddedClickHouse, user: str) -> None:
    # Left open, one such query from any user ended the whole server.
    login: StoreAddress = getattr(clickhouse.address, user)
    refused(clickhouse, "SELECT * FROM python('sys')", login)
    assert clickhouse.answers()
    if user == "reader":
        assert refused(clickhouse, "SELECT 1", login, allow_python_table_function=1) == SETTING_IS_FIXED


@needs_landlock
def test_nobody_reads_files_or_connects_through_the_server(clickhouse: EmbeddedClickHouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret")
    for path in (secret, "/etc/passwd", f"/proc/{clickhouse.pid}/../self/root{secret}"):
        for login in (clickhouse.address.owner, clickhouse.address.reader):
            with pytest.raises(ServerException, match=r"Permission denied|No such file"):
                ask(clickhouse, f"SELECT file('{path}')", login)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ServerException, match="Permission denied"):
            ask(clickhouse, URL.format(port=port), http_max_tries=1)


def test_passwords_are_kept_private(clickhouse: EmbeddedClickHouse) -> None:
    home = clickhouse.log_path.parent
    kept = home.parent / "credentials.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    address = clickhouse.address
    process = Path(f"/proc/{clickhouse.pid}")
    places = [home / "config.xml", clickhouse.log_path, home / "process.log", process / "cmdline", process / "environ"]
    for password in (address.owner.password, address.reader.password):
        assert len(password) >= 32
        assert password not in repr(address)
        assert not [place for place in places if password.encode() in place.read_bytes()]


def test_a_user_whose_password_is_missing_gets_one_and_the_others_stay(tmp_path: Path) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps({OWNER: "known"}))
    made = stored_passwords(file)
    assert made[OWNER] == "known"
    assert len(made[READER]) > 30
    assert stored_passwords(file) == made


def test_data_survive_a_kill_and_come_back_at_the_same_address(tmp_path: Path) -> None:
    server = EmbeddedClickHouse(tmp_path)
    server.start()
    server.wait_ready()
    address = server.address
    ask(server, "CREATE TABLE default.kept (a UInt64) ENGINE = MergeTree ORDER BY a")
    ask(server, "INSERT INTO default.kept SELECT number FROM system.numbers LIMIT 100000")
    assert server.pid is not None
    kill(server.pid)
    server.stop()
    server.start()
    server.wait_ready()
    assert server.address == address
    assert ask(server, "SELECT count(), sum(a) FROM default.kept") == [(100_000, 4_999_950_000)]
    server.stop()
    fresh = EmbeddedClickHouse(tmp_path)
    fresh.start()
    fresh.wait_ready()
    assert fresh.address.owner.password == address.owner.password
    assert ask(fresh, "SELECT count() FROM default.kept") == [(100_000,)]
    fresh.stop()


def test_it_ends_at_once_when_asked_and_can_be_asked_twice(tmp_path: Path) -> None:
    server = EmbeddedClickHouse(tmp_path)
    server.start()
    server.start()
    server.wait_ready()
    pid = server.pid
    assert pid is not None
    server.stop()
    server.stop()
    assert not alive(pid)
    assert not server.answers()


def test_it_dies_when_its_parent_is_killed(tmp_path: Path) -> None:
    assert server_ends_with_its_parent(EmbeddedClickHouse, tmp_path)


def test_as_a_supervised_service_it_comes_back_after_a_kill(tmp_path: Path) -> None:
    server = EmbeddedClickHouse(tmp_path)
    with Supervisor() as supervisor:
        supervisor.start(server.service())
        assert server.answers()
        pid = supervisor.services()[0].pid
        assert pid is not None
        kill(pid)
        assert supervisor.wait(
            20, until=lambda: supervisor.services()[0].restarts == 1 and supervisor.services()[0].state == State.RUNNING
        )
        assert server.answers()
    assert not server.answers()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"tcp_port = {port}: another program listens on 127\.0\.0\.1:{port}"):
            EmbeddedClickHouse(tmp_path, tcp_port=port).start()


def test_a_directory_in_use_is_named(tmp_path: Path) -> None:
    first = EmbeddedClickHouse(tmp_path)
    first.start()
    first.wait_ready()
    try:
        second = EmbeddedClickHouse(tmp_path)
        second.start()
        with pytest.raises(ClickHouseError, match=f"Another ClickHouse runs on {tmp_path}"):
            second.wait_ready()
        assert first.answers()
    finally:
        first.stop()


def test_a_nearly_full_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClickHouseError, match=r"MB free, at least \d+ MB are needed"):
        require_room(tmp_path, minimum=10**18)


@pytest.mark.parametrize("engine", ["", "def query(sql): ...\n"])
def test_a_changed_entry_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    package = tmp_path / "other version" / "chdb"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "_chdb.py").write_text(engine)
    monkeypatch.setattr(module, "_PROJECT", f"{package.parent}:{module._PROJECT}")
    server = EmbeddedClickHouse(tmp_path / "data")
    server.start()
    with pytest.raises(ClickHouseError, match="install the version pinned"):
        server.wait_ready()


def test_a_server_that_does_not_come_up_shows_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "config_xml", lambda *_, **__: "<clickhouse><users_config>config.xml</users_config>")
    server = EmbeddedClickHouse(tmp_path)
    server.start()
    with pytest.raises(ClickHouseError, match=r"(?s)exit code 71.*process\.log.*configuration"):
        server.wait_ready()
