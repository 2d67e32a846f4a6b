"""Record batches are opened by kernels as aiokafka's own parser opens them, whatever is in them."""

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException
from aiokafka.record._crc32c import crc as crc_of
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.lines.records import find_values
from streams.worker.batches import KeptRecords, Values, open_batch

PROJECT = Path(__file__).parents[3]
CODECS = (0, 1, 2, 3, 4)
FIRST = 1_000
Record = tuple[bytes | None, bytes | None, int, list[tuple[str, bytes | None]]]

optional = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=4), optional), max_size=3)
records = st.lists(
    st.tuples(optional, optional, st.integers(-(10**6), 10**13), headers), min_size=1, max_size=12
)  # fmt: skip


def packed(some: Sequence[Record], *, codec: int = 0) -> bytearray:
    """Build a batch of format 2 that begins at the offset FIRST."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=codec, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 24,
    )  # fmt: skip
    for number, (key, value, time, headers) in enumerate(some):
        builder.append(number, timestamp=time, key=key, value=value, headers=headers)
    built = bytearray(builder.build())
    built[:8] = FIRST.to_bytes(8)
    return built


def sealed(batch: bytearray) -> bytes:
    """Give a batch that was changed the sums of a good one."""
    batch[8:12] = (len(batch) - 12).to_bytes(4)
    batch[17:21] = crc_of(bytes(batch[21:])).to_bytes(4)
    return bytes(batch)


def ours(data: bytes) -> list[Any]:
    """Open all batches; return offset, arrival, value and lines of each record, or the error."""
    kept, found = KeptRecords(data), []
    try:
        while kept.has_next():
            values = open_batch(*kept.next_bytes())
            if values is not None:
                found += rows(values)
    except CorruptRecordException:
        return [CorruptRecordException]
    return found


def rows(values: Values) -> list[Any]:
    assert len(values.value) == int(values.size.sum()) + len(values.size)
    texts, at = [], 0
    for size in values.size.tolist():
        texts.append(values.value[at : at + size])
        assert values.value[at + size : at + size + 1] == b"\n"
        at += size + 1
    return list(zip(values.offset.tolist(), values.arrived.tolist(), texts, values.lines.tolist(), strict=True))


def theirs(data: bytes) -> list[Any]:
    kept, found = MemoryRecords(data), []
    try:
        while kept.has_next():
            for each in kept.next_batch():
                value = each.value or b""
                found.append((each.offset, each.timestamp, value, value.count(b"\n") + 1))
    except CorruptRecordException:
        return [CorruptRecordException]
    return found


@given(records, st.sampled_from(CODECS))
def test_batches_of_every_codec_are_opened_as_aiokafka_opens_them(some: list[Record], codec: int) -> None:
    data = sealed(packed(some, codec=codec))
    assert ours(data) == theirs(data)
    assert [each[2] for each in ours(data)] == [value or b"" for _, value, _, _ in some]


@pytest.mark.parametrize("codec", CODECS)
def test_it_is_the_kernel_that_opens_them(codec: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sealed(packed([(b"k", b"one\ntwo", 5, []), (None, None, 7, [("h", None)]), (b"", b"", 6, [])], codec=codec))
    monkeypatch.setattr(Values, "of", None)
    assert ours(data) == [(FIRST, 5, b"one\ntwo", 2), (FIRST + 1, 7, b"", 1), (FIRST + 2, 6, b"", 1)]


def test_the_broker_s_own_time_stands_for_all_records() -> None:
    batch = packed([(b"k", b"v", 5, []), (b"k", b"w", 9, [])])
    batch[22] |= 0b1000
    batch[35:43] = (77).to_bytes(8)
    data = sealed(batch)
    assert ours(data) == theirs(data) == [(FIRST, 77, b"v", 1), (FIRST + 1, 77, b"w", 1)]


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2, 3])
def test_older_formats_are_left_to_aiokafka(magic: int, codec: int) -> None:
    if magic == 0 and codec == 3:
        codec = 0  # that format has no lz4 that anybody could read
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=codec, batch_size=1 << 20)
    for number in range(3):
        builder.append(number, timestamp=5 + number, key=b"k", value=b"v%d" % number)
    data = bytes(builder.build())
    found = [each[2] for each in ours(data)]
    assert found == [b"v0", b"v1", b"v2"]


def test_a_batch_without_records_is_none() -> None:
    batch = packed([(b"k", b"v", 5, [])])
    batch[57:61] = bytes(4)
    assert ours(sealed(batch[:61])) == theirs(sealed(batch[:61])) == []


def test_a_batch_that_is_cut_off_waits_for_the_next_answer() -> None:
    whole = sealed(packed([(b"k", b"v", 5, [])]))
    for end in range(len(whole)):
        assert ours(whole + whole[:end]) == theirs(whole)


@given(records, st.sampled_from((0, 0, 0, 3)), st.data())
def test_damaged_batches_are_opened_or_refused_as_aiokafka_does(
    some: list[Record], codec: int, data: st.DataObject
) -> None:
    """Their sums are right, so that nothing but the parser stands between them and us."""
    batch = packed(some, codec=codec)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(61, len(batch) - 1))
        batch[at] = data.draw(st.integers(0, 255) | st.sampled_from([0x80, 0xFF, 0x7F, 1]))
    if codec == 0 and data.draw(st.booleans()):
        batch = batch[: data.draw(st.integers(61, len(batch)))]
    _compare(sealed(batch))


@given(st.binary(max_size=60), st.integers(0, 2**31 - 1) | st.integers(0, 4))
def test_any_body_is_opened_or_refused_as_aiokafka_does(body: bytes, count: int) -> None:
    batch = packed([(b"k", b"v", 5, [])])[:61]
    batch[57:61] = count.to_bytes(4)
    _compare(sealed(batch + body))


def _compare(data: bytes) -> None:
    """What aiokafka opens, we open alike; what it refuses, we refuse, but for names of headers: we do not read any."""
    try:
        expected = theirs(data)
    except UnicodeDecodeError:
        with suppress(UnicodeDecodeError):
            ours(data)
        return
    except Exception as error:  # noqa: BLE001  # a codec's own, of whichever library
        with pytest.raises(type(error)):
            ours(data)
        return
    assert ours(data) == expected


@pytest.mark.parametrize("size", [14, 20, 48])
def test_a_batch_that_is_shorter_than_its_header_is_refused(size: int) -> None:
    batch = sealed(packed([(b"k", b"v", 5, [])])[: 12 + size])
    assert ours(batch) == theirs(batch) == [CorruptRecordException]


def test_a_huge_count_takes_no_memory() -> None:
    batch = packed([(b"k", b"v", 5, [])])
    batch[57:61] = struct.pack(">i", 2**31 - 1)
    assert ours(sealed(batch)) == [CorruptRecordException]


def test_headers_without_end_do_not_hold_it_up() -> None:
    """A number of headers that would take years to pass over."""
    body = bytes([0, 0, 0, 1, 1]) + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"
    batch = packed([(b"k", b"v", 5, [])])[:61] + bytes([2 * len(body)]) + body
    assert ours(sealed(batch)) == [CorruptRecordException]


def test_the_kernel_does_the_same_uncompiled_where_python_checks_every_access() -> None:
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "filterwarnings=", "-k", "not uncompiled")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", __file__, *options], capture_output=True, text=True, check=False, cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_it_is_known_how_the_kernel_runs() -> None:
    assert hasattr(find_values, "py_func") == ("NUMBA_DISABLE_JIT" not in os.environ)
