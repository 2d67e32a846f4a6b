"""The process of the embedded ClickHouse server: runs chdb's engine in the directory made by clickhouse.py.

Run as ``python -m infra.servers.clickhouse_child SQL`` with that directory as working directory: the engine reads its
config.xml there, at import already.  Exit codes are in ``StoreExit``; the reason is on stderr.
"""

import enum
import fcntl
import importlib.util
import os
import sys
import time
from pathlib import Path
from typing import NoReturn

from infra.process.sandbox import confine

_LOCK_SECONDS = 3.0
_READABLE = (
    "/usr", "/lib", "/lib64", "/bin", "/opt", "/proc", "/sys", "/run/systemd/resolve", "/etc/ld.so.cache",
    "/etc/localtime", "/etc/timezone", "/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/host.conf",
    "/dev/urandom", "/dev/random", "/dev/zero",
)  # fmt: skip


class StoreExit(enum.IntEnum):
    """Why this process ended by itself."""

    ENTRY_CHANGED = 70
    ENDED = 71
    DIRECTORY_IN_USE = 73


def lock_directory(directory: Path) -> int:
    """Hold the directory for this process; waits a moment for a predecessor that is still going down."""
    lock = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > deadline:
                _leave(StoreExit.DIRECTORY_IN_USE, f"Another server uses {directory}.")
            time.sleep(0.1)
        else:
            return lock


def serve(sql: str) -> None:
    """Hand this process to the engine; returns only when its query ended, which it should not."""
    try:
        import chdb._chdb as engine  # noqa: PLC0415 - loading it reads config.xml
    except ImportError as error:
        _leave(StoreExit.ENTRY_CHANGED, f"chdb._chdb.query cannot be loaded: {error}")
    except Exception as error:  # noqa: BLE001 - importing already starts an engine, and refuses a wrong configuration
        _leave(StoreExit.ENDED, f"The server refused its configuration: {error}")
    try:
        result = engine.query(sql, "CSV", path="data")  # type: ignore[attr-defined]  # a compiled module
    except (AttributeError, TypeError) as error:
        _leave(StoreExit.ENTRY_CHANGED, f"chdb._chdb.query is not what it was: {error}")
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is the reason we report
        _leave(StoreExit.ENDED, f"The server ended: {error}")
    _leave(StoreExit.ENDED, f"The server ended: {result}")


def _interpreter() -> list[Path]:
    """Where Python, its packages and chdb live."""
    paths = {Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parent}
    chdb = importlib.util.find_spec("chdb")
    if chdb is not None and chdb.origin is not None:
        paths.add(Path(chdb.origin).parent.parent)
    return [path.resolve() for path in paths]


def _leave(code: StoreExit, reason: str) -> NoReturn:
    sys.stderr.write(reason + "\n")
    sys.stderr.flush()
    os._exit(code)  # the engine's own threads may still run


def main() -> None:
    """Lock the directory, give up every right that is not needed, serve."""
    here = Path.cwd()
    lock_directory(here)
    confined = confine(readable=[*map(Path, _READABLE), *_interpreter()], writable=[here, Path("/dev/null")])
    sys.stderr.write("Confined to its directory.\n" if confined else "Not confined: this kernel has no Landlock.\n")
    sys.stderr.flush()
    serve(sys.argv[1])


if __name__ == "__main__":
    main()
