"""A process records why it ended, and the next one of its name reports it."""

import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError
from prometheus_client import CollectorRegistry, generate_latest

from sinks.sink import StoreRefused
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.worker.process_ends import Ends, SourceChangedError, StalledError, StartError, reason_of

LOG = PartitionId("here", "turnstile.passages", 3)


def test_every_end_of_ours_has_its_name_and_all_others_are_errors() -> None:
    ends = [
        OffsetGapError(LOG, 10, 12),
        StalledError("no progress"),
        SourceChangedError("gone"),
        StoreRefused("counts_1m", "no such column.", "Apply the schema."),
        KeyError("device"),
    ]
    assert [reason_of(end) for end in ends] == ["hole", "stalled", "source-changed", "refused", "error"]


def test_ends_add_up_over_processes(tmp_path: Path) -> None:
    file = tmp_path / "faust" / "worker-1.ends.json"
    Ends(file).note("hole")
    Ends(file).note("stalled")
    Ends(file).note("hole")
    assert Ends(file).counts() == {"hole": 2, "stalled": 1}
    assert list(file.parent.iterdir()) == [file]


def test_a_file_cut_off_by_a_crash_counts_as_none_and_is_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "worker-1.ends.json"
    file.write_text('{"hole": 1')
    ends = Ends(file)
    assert ends.counts() == {}
    ends.note("hole")
    assert ends.counts() == {"hole": 1}


def test_prometheus_sees_every_reason_and_holes_on_their_own(tmp_path: Path) -> None:
    ends = Ends(tmp_path / "worker-1.ends.json")
    ends.note("hole")
    registry = CollectorRegistry()
    registry.register(ends)
    text = generate_latest(registry).decode()
    assert 'gatepulse_worker_ends_total{reason="hole"} 1.0' in text
    assert 'gatepulse_worker_ends_total{reason="stalled"} 0.0' in text
    assert "\ngatepulse_holes_total 1.0" in text


END = """
import sys
from pathlib import Path
from streams.worker.process_ends import Ends
from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
try:
    Ends(Path(sys.argv[1])).end(OffsetGapError(PartitionId("here", "turnstile.passages", 3), 10, 12))
finally:
    print("went on")
"""


def test_the_process_ends_at_once_and_says_so_in_its_log_and_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "worker-1.ends.json"
    ended = subprocess.run([sys.executable, "-c", END, str(file)], capture_output=True, text=True, check=False)
    assert ended.returncode == 70
    assert "went on" not in ended.stdout
    assert "expected offset 10, got 12" in ended.stdout + ended.stderr
    assert Ends(file).counts() == {"hole": 1}


def test_a_full_disk_does_not_keep_it_alive(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    argv = [sys.executable, "-c", END, str(blocked / "worker-1.ends.json")]
    assert subprocess.run(argv, capture_output=True, check=False).returncode == 70


def test_an_end_while_a_worker_starts_is_counted_and_said_in_a_sentence(tmp_path: Path) -> None:
    ends = Ends(tmp_path / "data" / "worker-1.ends.json")
    with pytest.raises(StartError, match="the brokers do not answer"), ends.while_starting():
        raise KafkaConnectionError
    with pytest.raises(StoreRefused), ends.while_starting():
        raise StoreRefused("site_areas", "there is no such table.", "Apply the schema.")
    assert ends.counts() == {"start": 2}


START = """
import sys
from pathlib import Path
from streams.settings import KafkaSettings, Settings, WorkerSettings
from streams.worker.main import run
worker = WorkerSettings(data=Path(sys.argv[1]), metrics_port=0)
run(Settings(site=sys.argv[2], kafka=KafkaSettings(brokers="127.0.0.1:1"), worker=worker))
"""


@pytest.mark.parametrize("site", ["no-such-site", "expo"])
def test_a_worker_that_cannot_start_counts_it(tmp_path: Path, site: str) -> None:
    argv = [sys.executable, "-c", START, str(tmp_path), site]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert Ends(tmp_path / "worker-1.ends.json").counts() == {"start": 1}
