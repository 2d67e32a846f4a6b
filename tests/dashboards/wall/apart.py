"""Serves the wall of a busy day in a separate process, so that its memory can be measured and no test slows it.

`python -m tests.dashboards.wall.apart --port 8080` serves one to look at.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dashboards.wall.http.run import LOOPBACK, WallServer, listen
from dashboards.wall.http.server import create_app
from dashboards.wall.model.options import WallOptions
from infra.process.child import Child, tail
from infra.process.ports import accepts, free_port
from sinks.clickhouse import ClickHouseReader
from tests.dashboards.wall.busy import EXPO, BusyDay, morning_clock
from tests.support.wall_sources import NOBODY, until

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Apart:
    """A wall that runs: where it is, and its process."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{LOOPBACK}:{self.port}/"


@contextmanager
def apart(folder: Path, *, send_timeout_s: float = 20.0) -> Iterator[Apart]:
    """Serve for the time of a block; the log is `wall.log` in the folder."""
    port = free_port()
    words = ["--port", str(port), "--send-timeout", str(send_timeout_s)]
    argv = [sys.executable, "-m", "tests.dashboards.wall.apart", *words]
    child = Child(argv, folder / "wall.log", cwd=_ROOT)
    child.start()
    try:
        until(lambda: accepts(LOOPBACK, port) or not child.running)
        assert child.running, tail(child.log_path)
        assert child.pid is not None
        yield Apart(port, child.pid)
        assert child.running, f"the wall ended by itself: {tail(child.log_path)}"
    finally:
        child.stop()


def resident(pid: int) -> int:
    """Return the memory (bytes, resident) of a process. Raises OSError when it is gone."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) * 1024


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--send-timeout", type=float, default=20.0)
    given = parser.parse_args()
    options = WallOptions(send_timeout_s=given.send_timeout, clock=morning_clock())
    with contextlib.suppress(KeyboardInterrupt):
        app = create_app(BusyDay(options), EXPO, options, connect=lambda: ClickHouseReader(NOBODY))
        asyncio.run(WallServer(app, options).serve(sockets=[listen(port=given.port)]))


if __name__ == "__main__":
    main()
