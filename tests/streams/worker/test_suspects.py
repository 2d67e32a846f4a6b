"""The records that a worker held when it ended are known to the next one, unless the end has another cause."""

from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from sinks.sink import StoreRefused, StoreUnavailable
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.worker.process_ends import AtWork, SourceChangedError, StalledError, Suspects, is_unexpected

LOG = PartitionId("here", "turnstile.passages", 3)


def test_stretches_are_kept_by_log_and_joined_where_they_overlap(tmp_path: Path) -> None:
    suspects = Suspects(tmp_path / "faust" / "worker-1.suspects.json")
    suspects.note({"a": (10, 20), "b": (1, 2)})
    suspects.note({"a": (15, 30)})
    suspects.note({"b": (100, 200)})
    assert suspects.read() == {"a": (10, 30), "b": (100, 200)}
    assert list(suspects.file.parent.iterdir()) == [suspects.file]


@pytest.mark.parametrize("text", ["", '{"a": [1', "[]", '{"a": 3}', '{"a": ["x", "y"]}'])
def test_a_file_that_cannot_be_read_names_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "worker-1.suspects.json"
    file.write_text(text)
    assert Suspects(file).read() == {}
    Suspects(file).note({"a": (1, 2)})
    assert Suspects(file).read() == {"a": (1, 2)}


@pytest.mark.parametrize(
    ("error", "unexpected"),
    [
        (OverflowError(), True),
        (StalledError(), True),
        (OffsetGapError(LOG, 1, 2), False),
        (SourceChangedError(), False),
        (StoreRefused("passages", "no.", "Do."), False),
        (StoreUnavailable("passages", "no.", "Do."), False),
        (KafkaConnectionError(), False),
        (OSError(), False),
    ],
)
def test_records_are_suspect_only_where_nobody_else_is_known_to_be_to_blame(error: Exception, unexpected: bool) -> None:  # noqa: FBT001
    assert is_unexpected(error) == unexpected


def test_what_a_worker_was_at_when_it_was_killed_is_found_by_the_next_one(tmp_path: Path) -> None:
    file = tmp_path / "at-work.json"
    AtWork(file).begin({"a/b/0": (3, 1 << 62)})
    after = AtWork(file)
    assert after.left == {"a/b/0": (3, 1 << 62)}
    after.begin({"a/b/1": (1, 2)})
    after.begin({})
    assert AtWork(file).left == {}


def test_a_file_that_says_nothing_is_no_suspicion(tmp_path: Path) -> None:
    file = tmp_path / "at-work.json"
    for garbage in (b"", b"\0" * 40, b'{"a/b/0": [3', b'{"a/b/0": 7}', b"[1]"):
        file.write_bytes(garbage)
        assert AtWork(file).left == {}
