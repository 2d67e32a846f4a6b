"""Changes the machine under a process: a small disk that fills up, and a clock that jumps."""

import errno
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_CHUNK: Final = bytes(1 << 20)
_LIBRARIES: Final = "*/faketime/libfaketimeMT.so.1"
_LOOKED_AT: Final = "1"
"""Seconds: so often a process reads what time it is to believe."""


class HostError(RuntimeError):
    """This machine does not let the fault be made: the message says what is needed."""


class Disk:
    """A folder on a disk of its own, in memory, of so many MB; mounted for the time of a `with` block."""

    def __init__(self, folder: Path, megabytes: int) -> None:
        self._folder, self._megabytes = folder, megabytes
        self._ballast = folder / "ballast"

    def __enter__(self) -> Self:
        """Mount it. Raises HostError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        size = f"size={self._megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self._folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HostError(f"a small disk is made by mounting one, for which one must be root: {done.stderr.strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of it, also while somebody still has a file open there."""
        subprocess.run(["umount", "--lazy", str(self._folder)], check=True)

    def fill(self) -> None:
        """Take all the space that is left, also what somebody has given back meanwhile."""
        with self._ballast.open("ab", buffering=0) as file:
            chunk = _CHUNK
            while chunk:
                try:
                    file.write(chunk)
                except OSError as reason:
                    if reason.errno != errno.ENOSPC:
                        raise
                    chunk = chunk[: len(chunk) // 2]

    def free(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)


class HostClock:
    """What a process takes for the time of day, as a file says; time that only ever grows is left alone."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def environment(self) -> Mapping[str, str]:
        """Return what a process must be started with, to have this clock. Raises HostError."""
        library = next(Path("/usr/lib").glob(_LIBRARIES), None)
        if library is None:
            raise HostError("a clock is set with libfaketime, which is not here: run `sh infra/install-faketime.sh`")
        if not self._file.exists():
            self.set(0)
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": _LOOKED_AT,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, seconds: int) -> None:
        """Put the clock forward (below 0: back) by so much against the true time, within about a second."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_name(f"{self._file.name}.new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.replace(self._file)
