"""Programs load no more than they need: only those that count load the compiler of the kernels."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "counts"),
    [
        ("infra.cli.main", False),
        ("infra.cli.wall", False),
        ("infra.cli.simulate", False),
        ("infra.relay.run", False),
        ("streams.contract.events", False),
        ("streams.worker.main", True),
    ],
)
def test_only_what_counts_loads_the_compiler(module: str, *, counts: bool) -> None:
    code = f"import sys, {module}; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(counts)
