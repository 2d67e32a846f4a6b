"""Faust's own command starts the worker by the name of its package."""

import subprocess
import sys

_FOUND = """
import faust
from faust.cli.base import find_app

import streams.worker.main
from streams.worker.app import Parts

app = faust.App("found", broker="kafka://127.0.0.1:9", store="memory://", web_enabled=False, autodiscover=False)
Parts.app = app
streams.worker.main.started = lambda _: Parts
del streams.worker.app  # the module of this name: nothing has imported it yet where Faust's command runs
assert find_app("streams.worker") is app
assert not hasattr(streams.worker, "nothing")
"""


def test_fausts_command_finds_the_app_in_the_package_of_the_worker() -> None:
    found = subprocess.run([sys.executable, "-c", _FOUND], capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, found.stderr
