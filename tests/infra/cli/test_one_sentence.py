"""A command that fails prints one sentence that says what to do next."""

import subprocess
import sys

import pytest

_FAILING = """
import kafka.errors, aiokafka.errors
from infra.cli import main as cli

def fail() -> None:
    raise {error}("127.0.0.1:9092 canary")

cli.app = fail
cli.main()
"""


@pytest.mark.parametrize("error", ["kafka.errors.KafkaTimeoutError", "aiokafka.errors.KafkaConnectionError"])
def test_brokers_that_do_not_answer_are_named_with_what_to_do(error: str) -> None:
    program = _FAILING.format(error=error)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        f"gatepulse: the brokers do not answer ({error.rpartition('.')[2]}): see whether they run, and whether "
        "kafka.brokers names them\n"
    )
