"""Runs promtool and amtool for tests, and marks tests that need Prometheus and Alertmanager."""

import subprocess
from pathlib import Path

import pytest

from infra.alerting.server import missing, program

needs_prometheus = pytest.mark.skipif(bool(missing()), reason=missing() or "all is there")


def checked(tool: str, *arguments: str | Path) -> str:
    """Run promtool or amtool; what it says, if it finds nothing wrong."""
    done = subprocess.run(
        [program(tool), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
