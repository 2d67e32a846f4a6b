"""Where the words of Kafka's clients go."""

import logging
from pathlib import Path

import pytest

from streams.logs import kafka_writes_into


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
