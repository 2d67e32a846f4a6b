"""The ledger keeps what was sent and each outcome, even when its writer is killed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from simulators.ledger.ledger import (
    FORMAT,
    LedgerError,
    LedgerWriter,
    read_ledger,
)
from simulators.ledger.tables import NONE
from tests.support.size import NIGHTLY
from tests.support.small_site import MIDNIGHT, REAL_TIME, at, columns, correction, passage, write

THREE = [passage("8:00:01", seq=1, credential="c1"), passage("8:00:02", seq=2), passage("8:00:03", seq=3)]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    writer = write(tmp_path, THREE)
    writer.malformed(topic="turnstile.passages", sha256=["ab", "cd"], reason=["json", "schema"], result="ok")
    writer.corrections([correction("k1", "8:00:04", delta=-2), correction("k2", "8:00:05", absolute=0)])
    writer.skipped(device="N1-L01", epoch=0, count=4)
    writer.close()

    ledger = read_ledger(tmp_path)

    assert len(ledger) == 3
    assert ledger.passages["credential"].texts().tolist() == ["c1", "", ""]
    assert ledger.passages["seq"].tolist() == [1, 2, 3]
    assert np.isnan(ledger.passages["temperature"]).all()
    assert ledger.malformed["sha256"].texts().tolist() == ["ab", "cd"]
    assert ledger.corrections["delta"].tolist() == [-2, NONE]
    assert ledger.corrections["absolute"].tolist() == [NONE, 0]
    assert ledger.skipped["count"].tolist() == [4]
    assert ledger.meta == ({"site": "small"},)
    assert ledger.closed
    assert ledger.notes == ()


def test_where_and_when_the_broker_has_it_is_kept_with_the_time_of_the_site(tmp_path: Path) -> None:
    # The site's clock shows 8:00 when it is really midnight, and runs 60 times as fast: a second later it is 8:01.
    clock = {"site_ms": at("8:00:00"), "real_ms": MIDNIGHT, "speed": 60.0}
    with LedgerWriter(tmp_path, meta={"clock": clock}) as writer:
        index = writer.passages(columns(THREE))
        stored = {"arrived_ms": [MIDNIGHT, MIDNIGHT + 1000], "partition": [3, 3], "offset": [7, 8]}
        writer.attempts(index[:2], "ok", at_ms=MIDNIGHT + 9000, stored=stored)
        writer.attempts(index[2:], "info", at_ms=MIDNIGHT + 2000)
        common: dict[str, Any] = {"at_ms": MIDNIGHT + 9000, "arrived_ms": MIDNIGHT + 500, "sha256": "ab"}
        writer.corrections([correction("k1", "8:00:04", delta=-2, **common), correction("k2", "8:00:04", delta=2)])

    ledger = read_ledger(tmp_path)

    assert ledger.attempts["partition"].tolist() == [3, 3, NONE]
    assert ledger.attempts["offset"].tolist() == [7, 8, NONE]
    # What has no answer arrived before it was given up.
    assert ledger.attempts["site_ms"].tolist() == [at("8:00:00"), at("8:01:00"), at("8:02:00")]
    assert ledger.last_site_ms.tolist() == [at("8:02:00")]
    assert ledger.corrections["site_ms"].tolist() == [at("8:00:30"), NONE]
    assert ledger.corrections["sha256"].texts().tolist() == ["ab", ""]


def test_a_clock_that_is_known_later_is_kept(tmp_path: Path) -> None:
    with LedgerWriter(tmp_path, meta={"site": "small"}) as writer:
        writer.describe(clock=REAL_TIME)
    assert read_ledger(tmp_path).meta == ({"site": "small", "clock": REAL_TIME},)


def test_ledgers_in_one_folder_have_each_its_own_clock(tmp_path: Path) -> None:
    for name, speed in (("run-1", 1.0), ("run-2", 60.0)):
        clock = {"site_ms": 0, "real_ms": MIDNIGHT, "speed": speed}
        with LedgerWriter(tmp_path / name, meta={"clock": clock}) as writer:
            writer.attempts(writer.passages(columns(THREE[:1])), "ok", at_ms=MIDNIGHT + 1000)
    ledger = read_ledger(tmp_path)
    assert ledger.attempts["site_ms"].tolist() == [1_000, 60_000]
    assert ledger.attempts["part"].tolist() == [0, 1]


OF_FORMAT_1 = {"attempts": ("arrived_ms", "partition", "offset"), "corrections": ("at_ms", "arrived_ms", "sha256")}


def test_a_ledger_of_format_1_is_read_as_one_whose_times_of_arrival_are_not_known(tmp_path: Path) -> None:
    writer = write(tmp_path, THREE)
    writer.corrections([correction("k1", "8:00:04", delta=-2)])
    writer.close()
    for name, columns_of_2 in OF_FORMAT_1.items():
        file = tmp_path / f"{name}.arrows"
        with pa.ipc.open_stream(file.read_bytes()) as reader:
            old = reader.read_all().drop_columns(list(columns_of_2))
        with pa.ipc.new_stream(file, old.schema) as stream:
            stream.write_table(old)
    with pytest.raises(LedgerError, match=r"columns .* expected .*arrived_ms"):  # one of format 2 has lost them
        read_ledger(tmp_path)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps(meta | {"format": 1}))

    ledger = read_ledger(tmp_path)

    assert ledger.tries("ok").tolist() == [1, 1, 1]
    assert ledger.attempts["offset"].tolist() == [NONE, NONE, NONE]
    assert ledger.attempts["site_ms"].tolist() == [NONE, NONE, NONE]
    assert ledger.corrections["delta"].tolist() == [-2]


def test_a_field_that_no_event_has_may_be_left_out(tmp_path: Path) -> None:
    given = {name: values for name, values in columns(THREE).items() if name not in {"health", "temperature"}}
    with LedgerWriter(tmp_path, meta={}) as writer:
        writer.passages(given)
    ledger = read_ledger(tmp_path)
    assert ledger.passages["health"].texts().tolist() == ["", "", ""]
    assert np.isnan(ledger.passages["temperature"]).all()


OF_THE_FIRST_VERSIONS = (
    "kind", "device", "epoch", "seq", "true_ts", "ts", "entrance", "direction", "outcome", "category", "reason",
    "credential", "temperature", "health",
)  # fmt: skip


@pytest.mark.parametrize("lacks", ["", "health", "temperature", "seq"])
def test_passages_of_an_earlier_version_may_be_in_another_order_and_lack_fields_but_none_that_all_events_have(
    tmp_path: Path, lacks: str
) -> None:
    with LedgerWriter(tmp_path, meta={}) as writer:
        writer.passages(columns(THREE))
    file = tmp_path / "passages.arrows"
    with pa.ipc.open_stream(file.read_bytes()) as reader:
        table = reader.read_all().select([name for name in OF_THE_FIRST_VERSIONS if name != lacks])
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    if lacks == "seq":
        with pytest.raises(LedgerError, match="columns .*, expected .*'seq'"):
            read_ledger(tmp_path)
        return
    ledger = read_ledger(tmp_path)
    assert ledger.passages["seq"].tolist() == [1, 2, 3]
    assert ledger.passages["health"].texts().tolist() == ["", "", ""]
    assert np.isnan(ledger.passages["temperature"]).all()


def test_the_index_counts_through_all_calls(tmp_path: Path) -> None:
    with LedgerWriter(tmp_path, meta={}) as writer:
        assert writer.passages(columns(THREE[:2])).tolist() == [0, 1]
        assert writer.passages(columns([])).tolist() == []
        assert writer.passages(columns(THREE[2:])).tolist() == [2]


def test_every_attempt_is_counted_by_its_result(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, meta={})
    index = writer.passages(columns(THREE))
    writer.attempts(index[:1], "fail", at_ms=1)
    writer.attempts(index, "ok", at_ms=2)
    writer.attempts(index[1:2], "ok", at_ms=3)
    writer.attempts(index[2:], "info", at_ms=4)
    writer.close()

    ledger = read_ledger(tmp_path)

    #                                    passage  0  1  2
    assert ledger.tries("ok").tolist() == [1, 2, 1]
    assert ledger.tries("info").tolist() == [0, 0, 1]
    assert ledger.tries("fail").tolist() == [1, 0, 0]


def test_a_ledger_that_is_still_written_can_be_read(tmp_path: Path) -> None:
    writer = write(tmp_path, THREE)
    ledger = read_ledger(tmp_path)
    writer.abandon()
    assert len(ledger) == 3
    assert not ledger.closed
    assert ledger.unrecorded.all()
    assert "did not close" in ledger.notes[0]


def test_wherever_a_crash_cuts_a_stream_off_its_complete_writes_are_read(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, meta={})
    file = tmp_path / "passages.arrows"
    ends = [0]
    for row in THREE:
        writer.passages(columns([row]))
        ends.append(file.stat().st_size)
    writer.abandon()
    whole = file.read_bytes()
    edges = {end + more for end in ends for more in (-9, -8, -1, 0, 1, 4)}
    for size in sorted({*range(0, len(whole) + 1, 7 if NIGHTLY else 83), *edges} & {*range(len(whole) + 1)}):
        file.write_bytes(whole[:size])
        complete = sum(end <= size for end in ends[1:])
        assert len(read_ledger(tmp_path)) == complete


def test_runs_in_one_folder_are_read_as_one_ledger(tmp_path: Path) -> None:
    write(tmp_path / "run-1", THREE[:2]).close()
    write(tmp_path / "run-2", [passage("9:00:00", seq=1, epoch=1)], "info").close()

    ledger = read_ledger(tmp_path)

    assert ledger.passages["epoch"].tolist() == [0, 0, 1]
    assert ledger.tries("ok").tolist() == [1, 1, 0]
    assert ledger.tries("info").tolist() == [0, 0, 1]
    assert len(ledger.meta) == 2


def test_only_the_runs_that_were_cut_off_have_unrecorded_attempts(tmp_path: Path) -> None:
    write(tmp_path / "run-1", THREE[:2]).abandon()
    write(tmp_path / "run-2", [passage("9:00:00", seq=1, epoch=1)]).close()
    ledger = read_ledger(tmp_path)
    assert ledger.unrecorded.tolist() == [True, True, False]
    assert not ledger.closed


def test_a_run_does_not_overwrite_the_ledger_of_another(tmp_path: Path) -> None:
    write(tmp_path, THREE).close()
    with pytest.raises(LedgerError, match="own directory"):
        LedgerWriter(tmp_path, meta={})


def test_a_missing_ledger_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="nowhere"):
        read_ledger(tmp_path / "nowhere")


def test_a_file_and_a_folder_of_something_else_are_no_ledgers(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(LedgerError, match="is a file"):
        read_ledger(tmp_path / "notes.txt")
    with pytest.raises(LedgerError, match=r"no meta\.json"):
        read_ledger(tmp_path)
    (tmp_path / "meta.json").write_text("[]")
    with pytest.raises(LedgerError, match="expected format"):
        read_ledger(tmp_path)


def test_a_ledger_of_a_later_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"format": FORMAT + 1, "closed": True, "meta": {}}))
    with pytest.raises(LedgerError, match=f"format {FORMAT + 1}"):
        read_ledger(tmp_path)


def test_a_ledger_that_lost_a_stream_is_damaged(tmp_path: Path) -> None:
    write(tmp_path, THREE).close()
    (tmp_path / "skipped.arrows").unlink()
    with pytest.raises(LedgerError, match=r"skipped\.arrows"):
        read_ledger(tmp_path)


def test_an_attempt_of_a_passage_that_cannot_be_read_is_damage(tmp_path: Path) -> None:
    write(tmp_path, THREE).close()
    (tmp_path / "passages.arrows").write_bytes(b"")
    with pytest.raises(LedgerError, match="names passage 2"):
        read_ledger(tmp_path)


def test_what_cannot_be_true_is_not_written(tmp_path: Path) -> None:
    with write(tmp_path, THREE) as writer:
        with pytest.raises(LedgerError, match="expected 0 to 2"):
            writer.attempts([3], "ok", at_ms=1)
        with pytest.raises(LedgerError, match="exactly one"):
            writer.corrections([correction("k1", "8:00:00")])
        with pytest.raises(KeyError, match="outcome"):
            writer.passages({name: values for name, values in columns(THREE).items() if name != "outcome"})
        with pytest.raises(ValueError, match="same length"):
            writer.passages(columns(THREE) | {"seq": [1]})
        with pytest.raises(pa.ArrowInvalid, match="tried to convert to int64"):
            writer.passages(columns(THREE) | {"seq": ["one", "two", "three"]})
    assert len(read_ledger(tmp_path)) == 3


@pytest.mark.parametrize("place", ["/proc/nothing/here", "a file"])
def test_a_place_where_no_ledger_can_be_made_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(LedgerError, match=f"{place}: no ledger can be written here .* Choose another place"):
        LedgerWriter(tmp_path / place, meta={})


def test_a_run_that_ends_with_an_error_leaves_its_ledger_open(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), write(tmp_path, THREE):
        raise RuntimeError
    assert not read_ledger(tmp_path).closed
