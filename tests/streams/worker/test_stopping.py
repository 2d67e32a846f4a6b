"""A worker that is stopped by a signal ends with exit code 0, and one that crashes does not."""

import subprocess
import sys

import pytest

_WORKER = """
import os, signal, sys
import faust, mode
from streams.worker.main import StoppableWorker

class Failing(mode.Service):
    async def on_started(self):
        if sys.argv[1] == "signal":
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            await self.crash(ValueError("nobody asked"))

    async def on_stop(self):
        await self.crash(ValueError("asked"))

app = faust.App("stopping", broker="kafka://127.0.0.1:9", store="memory://", web_enabled=False, autodiscover=False)
worker = StoppableWorker(app, loglevel="error", redirect_stdouts=False)
worker.on_init_dependencies = lambda: [Failing()]
worker.execute_from_commandline()
"""


@pytest.mark.parametrize(("asked", "code"), [("signal", 0), ("nobody", 1)])
def test_an_error_on_the_way_down_is_a_failure_only_of_who_was_not_asked_to_stop(asked: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WORKER, asked], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == code, done.stderr
    assert ("an error while stopping" in done.stdout + done.stderr) == (asked == "signal")
