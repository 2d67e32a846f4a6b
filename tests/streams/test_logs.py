"""Where kafka-python's own words go."""

import logging
from pathlib import Path

import pytest

from streams.logs import keep_kafka_quiet


def test_kafka_writes_into_one_file_at_a_time_and_the_one_before_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = logging.getLogger("kafka")
    monkeypatch.setattr(kafka, "handlers", [])
    monkeypatch.setattr(kafka, "propagate", True)
    for name in ("first", "second"):
        keep_kafka_quiet(tmp_path / "logs" / name)
        kafka.getChild("conn").warning("said to the %s", name)
        (handler,) = kafka.handlers
        assert isinstance(handler, logging.FileHandler)
    first, second = ((tmp_path / "logs" / name).read_text() for name in ("first", "second"))
    assert (first, second) == ("said to the first\n", "said to the second\n")
    # a file that is left open is a warning, and so a failure
    handler.close()
