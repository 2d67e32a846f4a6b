"""Logs capture the output of Kafka's clients, and show no values from errors that are not ours."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from sinks.sink import StoreRefused
from streams.logging import kafka_writes_into, loggable_text


def test_what_kafkas_clients_say_is_in_the_file_for_the_time_of_a_block(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = logging.getLogger("kafka").getChild("conn").warning
    with kafka_writes_into(tmp_path / "logs" / "outer"):
        with kafka_writes_into(tmp_path / "logs" / "inner"):
            said("inner")
        said("outer")
    assert not caplog.messages
    said("as usual")
    assert caplog.messages == ["as usual"]
    assert {file.name: file.read_text() for file in (tmp_path / "logs").iterdir()} == {
        "outer": "outer\n",
        "inner": "inner\n",
    }


CANARY = "canary-4711"

SPEAK = f"""
import asyncio, logging, sys, threading
import msgspec, structlog
from streams.contract.codec import UnfitError
from streams.contract.events import Reason
from streams.logging import configure_logging

CANARY = "{CANARY}"

def fail(line):
    private = {{"credential": line}}
    try:
        int(line)
    except ValueError as error:
        raise KeyError(private["credential"]) from error

def caught(how):
    try:
        fail(CANARY)
    except KeyError as error:
        how(error)

configure_logging("debug")
log, old = structlog.get_logger(), logging.getLogger("faust.agents")
caught(lambda error: log.exception("it failed"))
caught(lambda error: log.error("it failed", exc_info=error, error=error))
caught(lambda error: old.exception("it failed: %r", error))
caught(lambda error: old.error(error))
caught(lambda error: old.error("%(why)s", {{"why": error}}))
log.warning("something that is no JSON", what=msgspec.Raw(CANARY.encode()))
logging.getLogger("aiokafka.producer").debug("sent %s", CANARY)
try:
    raise UnfitError(Reason.WRONG_SHAPE, CANARY)
except UnfitError:
    log.exception("no fit")

async def left_alone():
    asyncio.create_task(asyncio.sleep(0)).add_done_callback(lambda _: fail(CANARY))
    task = asyncio.create_task(asyncio.to_thread(fail, CANARY))
    await asyncio.sleep(0.05)
    del task

asyncio.run(left_alone())
thread = threading.Thread(target=fail, args=(CANARY,))
thread.start()
thread.join()
fail(CANARY)
"""


def test_no_log_and_no_traceback_shows_the_words_of_an_error_that_is_not_ours_or_any_variable() -> None:
    ended = subprocess.run([sys.executable, "-c", SPEAK], capture_output=True, text=True, check=False)
    said = ended.stdout + ended.stderr
    assert CANARY not in said.replace(f'CANARY = "{CANARY}"', "")
    assert ended.returncode == 1
    assert said.count("KeyError") >= 7  # it is said what failed
    assert '"name": "fail"' in said  # and where
    assert "in fail" in said


def test_the_words_of_our_own_errors_and_of_the_system_are_shown() -> None:
    assert loggable_text(StoreRefused("passages", "no such column.", "Apply the schema.")).startswith(
        "passages: no such"
    )
    assert loggable_text(FileNotFoundError(2, "No such file or directory", "/some/file")) == "No such file or directory"
    assert loggable_text(ValueError("value")) == ""
