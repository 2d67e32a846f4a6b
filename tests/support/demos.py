"""Runs `gatepulse demo` as a process, and lets a test inspect it while it runs and after."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.servers.clickhouse import READER
from sinks.clickhouse import ClickHouseReader, StoreAddress
from tests.support.processes import alive

PATIENCE = 90.0
"""Real seconds until something that should happen has failed to."""

Row = tuple[Any, ...]


def command(*words: str) -> list[str]:
    """Return the command line of `gatepulse` with these words."""
    return [sys.executable, "-P", "-m", "infra.cli.main", *words]


def surroundings(**more: str) -> dict[str, str]:
    """Return this process's environment without settings of ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPULSE_")}
    return kept | more


class Demo:
    """A demo that is running, or was. Its standard error is read as it comes."""

    def __init__(self, *words: str, state: Path, env: Mapping[str, str] | None = None, named: bool = True) -> None:
        """Start one; `state` is where its files are, given with --state if `named`."""
        self.state = state
        where = ["--state", str(state)] if named else []
        self.process = subprocess.Popen(
            command("demo", "--json", *where, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=surroundings(**(env or {})), start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.out = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_lines, self._read_out)]
        for reader in self._readers:
            reader.start()

    def _read_lines(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.lines.append(line.rstrip("\n"))

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.out = stream.read()

    @property
    def said(self) -> str:
        """What it has written to standard error so far."""
        return "\n".join(self.lines)

    def says(self, text: str, seconds: float = PATIENCE) -> None:
        """Wait until it has said that."""
        self.until(lambda: text in self.said, f"{text!r}", seconds)

    def until(self, true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        """Wait until something is true while it runs, or fail."""
        deadline = time.monotonic() + seconds
        while not true():
            assert self.process.poll() is None, f"ended before {what}:\n{self.said}"
            assert time.monotonic() < deadline, f"no {what} within {seconds:g} s:\n{self.said}"
            time.sleep(0.01)

    def ends(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit code."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not at its end within {seconds:g} s:\n{self.said}") from None
        for reader in self._readers:
            reader.join(5)
        return code

    def press_ctrl_c(self) -> None:
        """Do as a terminal does: SIGINT to the process group in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def worker(self) -> int | None:
        """Return the process id of its worker, None while there is none."""
        for pid in self.processes():
            if pid != self.process.pid and b"infra.cli.main\0worker" in _read(pid, "cmdline"):
                return pid
        return None

    def processes(self) -> list[int]:
        """Return all processes that have to do with its files: in their command, environment or folder."""
        mark = os.fsencode(self.state)
        return [pid for pid in _pids() if mark in _read(pid, "cmdline") + _read(pid, "environ") + _folder(pid)]

    def cleared_away(self) -> None:
        """End what a failed test would leave behind; they are all ours."""
        self.process.kill()
        self.process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    @property
    def verdict(self) -> dict[str, Any]:
        """Return the object on standard output."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def endpoints(self) -> dict[str, str]:
        """Return the addresses of a running demo."""
        found: dict[str, str] = json.loads((self.state / "endpoints.json").read_text())
        return found

    def wall(self) -> dict[str, Any]:
        """Return what the wall shows now."""
        with urllib.request.urlopen(self.endpoints["wall"] + "snapshot.json", timeout=10) as answer:  # noqa: S310 - ours
            found: dict[str, Any] = json.load(answer)["beat"]["snapshot"]
            return found

    def entries(self) -> int:
        """Return how many persons the wall says have come in; 0 while it does not know, or is not up."""
        try:
            return int(self.wall()["today"]["person"]["entries"] or 0)
        except OSError:
            return 0

    def reader(self) -> ClickHouseReader:
        """Return a connection to its store, as the user who sees the views only."""
        host, port = self.endpoints["store"].split(":")
        password = json.loads((self.state / "clickhouse" / "credentials.json").read_text())[READER]
        return ClickHouseReader(StoreAddress(host, int(port), READER, password))

    def ask(self, sql: str) -> list[Row]:
        """Ask its store once."""
        reader = self.reader()
        try:
            return sorted(reader.query(sql))
        finally:
            reader.close()


@contextmanager
def running(*words: str, state: Path, **more: Any) -> Iterator[Demo]:
    """Start a demo; leave nothing of it behind, whatever happens."""
    demo = Demo(*words, state=state, **more)
    try:
        yield demo
    finally:
        demo.cleared_away()


def _pids() -> list[int]:
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in found if pid != os.getpid() and alive(pid)]


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _folder(pid: int) -> bytes:
    try:
        return os.fsencode(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return b""
