"""Runs `gatepulse loadtest` as a process, and lets a test inspect it."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.demos import command, surroundings

PATIENCE = 240.0


class Run:
    """A load test that runs, or was: its standard error is read as it comes."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            command("loadtest", *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=surroundings(), start_new_session=True,
        )  # fmt: skip
        self.said = self.out = ""
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read_said, self._read_out)]
        for reader in self._readers:
            reader.start()

    def _read_said(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            for line in stream:
                self.said += line

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            self.out = stream.read()

    def says(self, text: str) -> None:
        """Wait until it has said that, or fail."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)

    def ends(self) -> tuple[int, str]:
        """Wait for its end; the exit code and what it wrote to standard output."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not at its end:\n{self.said}") from None
        for reader in self._readers:
            reader.join(5)
        return code, self.out


@contextmanager
def running(*words: str) -> Iterator[Run]:
    """Start a load test; leave nothing of it behind (what it starts ends with it)."""
    run = Run(*words)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait()
