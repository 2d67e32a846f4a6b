"""Compiled kernels read a line only if msgspec and the checks of the codec find the same in it."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.contract import passage_columns
from streams.contract.codec import PassageCodec
from streams.contract.events import LONGEST_LINE
from streams.contract.passage_columns import PassageReader
from streams.kernels.counts.batch import COLUMNS, Batch
from streams.kernels.lines.objects import read_objects
from streams.text import Kind
from tests.support.events import NINE
from tests.support.lines import PASSAGE, VOCABULARY, line, raw, records

PROJECT = Path(__file__).parents[3]
FULL: dict[str, Any] = PASSAGE | {
    "epoch": 3, "reason": "expired", "health": "abnormal", "credential": "d824a4315b33", "temperature": 36.55,
}  # fmt: skip
VEHICLE: dict[str, Any] = PASSAGE | {"entrance": "V1", "category": "car", "plate": "A-12345"}


def decoding(kind: Kind, *, compiled: bool) -> PassageCodec:
    """Return a codec; one that is not compiled takes no line for plain, so that msgspec reads all."""
    codec = PassageCodec(kind, VOCABULARY)
    if not compiled:
        codec.reader._reads_any = False
    return codec


CODECS: dict[tuple[Kind, bool], PassageCodec] = {
    (kind, compiled): decoding(kind, compiled=compiled) for kind in ("person", "vehicle") for compiled in (True, False)
}


def seen(batch: Batch) -> Any:
    """Return all that a batch holds, as plain values: texts, numbers with their types, rejections."""
    columns = {name: getattr(batch, name).tolist() for name in COLUMNS}
    reals = [None if np.isnan(each) else each.hex() for each in columns.pop("temperature")]
    return columns, reals, list(batch.raw), batch.lines.count.tolist(), batch.rejections


def same(*values: bytes, kind: Kind = "person") -> None:
    """Compare what both codecs make of some records."""
    some = records(*values)
    assert seen(CODECS[kind, True].read(some)) == seen(CODECS[kind, False].read(some))


def plain(*lines: bytes, kind: Kind = "person") -> list[bool]:
    """Tell which lines the kernels read themselves."""
    columns = CODECS[kind, True].reader.read(b"\n".join(lines), len(lines))
    return [row not in columns.others for row in range(len(lines))]


def encoded(event: dict[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


PLAIN = [
    line(),
    encoded(FULL),
    encoded(dict(reversed(FULL.items()))),
    encoded(FULL | {"temperature": 36}),
    encoded(FULL | {"temperature": 0.5}),
    encoded(FULL | {"temperature": 123456789012.345}),
    encoded(FULL | {"seq": 10**18 - 1}),
    encoded(FULL | {"reason": "r" * 120, "credential": "c" * 64, "device": "d" * 64}),
    b" " + line(),
    line() + b" ",
    line() + b"\r",
    json.dumps(FULL).encode(),
    json.dumps(FULL, separators=(" ,   ", " :  ")).encode().replace(b"{", b"{ ").replace(b"}", b"  }  \r"),
    encoded(FULL | {"reason": "a 'reason' {with}: [all], sorts / of ~ signs"}),
]
NOT_PLAIN = [
    b"",
    b"{}",
    b"{",
    b"}",
    b"\t" + line(),
    line() + b"\t",
    line().replace(b":", b":\t", 1),
    line().replace(b"N1-L01", b"N1-L01 "),
    b" " * 200 + line()[:-1],
    encoded(FULL | {"reason": 'with "quotes"'}),
    encoded(FULL | {"reason": "满"}),
    encoded(FULL | {"reason": "r" * 121}),
    encoded(FULL | {"reason": ""}),
    encoded(FULL | {"reason": None}),
    encoded(FULL | {"health": ""}),
    encoded(FULL | {"health": "unwell"}),
    encoded(FULL | {"credential": "c" * 65}),
    encoded(FULL | {"device": "d" * 65}),
    encoded(FULL | {"device": "a device"}),
    encoded(FULL | {"device": ""}),
    encoded(FULL | {"seq": 10**18}),
    encoded(FULL | {"seq": 0}),
    encoded(FULL | {"seq": -1}),
    encoded(FULL | {"seq": 1.0}),
    encoded(FULL | {"seq": True}),
    encoded(FULL | {"ts": 946_684_799_999}),
    encoded(FULL | {"ts": 4_102_444_800_000}),
    encoded(FULL | {"entrance": "V1"}),
    encoded(FULL | {"entrance": "nowhere"}),
    encoded(FULL | {"category": "car"}),
    encoded(FULL | {"direction": "inward"}),
    encoded(FULL | {"outcome": "opened"}),
    encoded(FULL | {"temperature": -1.5}),
    encoded(FULL | {"temperature": 1e30}),
    encoded(FULL | {"temperature": 1234567890.123456}),
    encoded(FULL | {"more": 1}),
    encoded({name: value for name, value in FULL.items() if name != "category"}),
    raw(b'"seq":2'),
    raw(b'"temperature":01.5'),
    raw(b'"temperature":1.'),
    raw(b'"temperature":.5'),
    raw(b'"temperature":1e3'),
    raw(b'"epoch":00'),
    raw(b'"plate":"A-1"'),
    line()[:-1] + b",}",
    line()[:-2],
    line() + b"}",
    line().replace(b'"in"', b'"in'),
    line().replace(b"N1-L01", b"N1\x00L01"),
    line().replace(b"N1-L01", b"N1\x7fL01"),
    line().replace(b"visitor", b"visitor\xff"),
]


@pytest.mark.parametrize("given_line", PLAIN)
def test_a_plain_line_is_read_by_the_kernels(given_line: bytes) -> None:
    assert plain(given_line) == [True]
    same(given_line)


@pytest.mark.parametrize("given_line", NOT_PLAIN)
def test_a_line_that_is_not_plain_goes_to_msgspec_alone(given_line: bytes) -> None:
    assert plain(line(), given_line, encoded(FULL)) == [True, False, True]
    same(line(), given_line, encoded(FULL))


@pytest.mark.parametrize("size", [LONGEST_LINE - 1, LONGEST_LINE, LONGEST_LINE + 1])
@pytest.mark.parametrize("at", [0, 10, -1])
def test_blanks_make_a_line_too_large_as_anything_else_does(size: int, at: int) -> None:
    event = line()
    place = event.index(b":") + 1 if at == 10 else at % len(event)
    blown = event[:place] + b" " * (size - len(event)) + event[place:]
    assert len(blown) == size
    assert plain(blown) == [size <= LONGEST_LINE]
    same(line(), blown, line(seq=2))


def test_readers_of_two_threads_share_nothing() -> None:
    codec, other = PassageCodec("person", VOCABULARY), list[Any]()
    codec.read(records(line(device="A")))
    thread = threading.Thread(target=lambda: other.append((codec.reader, codec.read(records(line(device="B"))))))
    thread.start()
    thread.join()
    [(reader, batch)] = other
    assert reader is not codec.reader
    assert batch.device.tolist() == ["B"]
    assert codec.read(records(line(device="C"), line(device="A"))).device.tolist() == ["C", "A"]


def test_lines_that_can_bring_no_names_take_no_room_for_any() -> None:
    codec = PassageCodec("person", VOCABULARY)
    before = len(codec.reader._names.table.slots)
    codec.read(records(b"\n" * 200_000))
    assert len(codec.reader._names.table.slots) <= 64 * before


def test_a_vehicle_has_a_plate() -> None:
    assert plain(encoded(VEHICLE), encoded(VEHICLE | {"credential": "x"}), kind="vehicle") == [True, False]
    same(encoded(VEHICLE), encoded(VEHICLE | {"plate": "粤A"}), encoded(VEHICLE | {"credential": "x"}), kind="vehicle")


def test_a_value_of_one_line_is_none_of_the_next() -> None:
    same(encoded(FULL), line(seq=2), encoded(FULL | {"seq": 3, "category": "nobody"}), line(seq=4))


texts = st.text(st.sampled_from('abN1-L0 .:\\"{}[],/é满\x00\n\t'), max_size=8)
numbers = st.one_of(
    st.integers(-2, 3), st.integers(-(2**64), 2**64), st.integers(10**14, 10**19),
    st.floats(allow_nan=False, allow_infinity=False), st.decimals(-50, 50, places=3).map(float),
)  # fmt: skip
values = st.one_of(st.none(), st.booleans(), texts, numbers, st.lists(texts, max_size=2))
good = st.builds(
    lambda changes, order, gap: json.dumps(
        {name: (FULL | changes)[name] for name in order}, separators=("," + gap, ":" + gap), ensure_ascii=False
    ).encode(),
    st.fixed_dictionaries({}, optional={
        "seq": st.integers(1, 10**20), "ts": st.integers(NINE - 5, NINE + 5), "temperature": numbers,
        "device": st.sampled_from(["N1-L01", "N1-L02", "X"]), "reason": texts, "credential": texts,
    }),
    st.permutations(list(FULL)),
    st.sampled_from(["", "", " ", "  "]),
)  # fmt: skip
odd = st.builds(
    lambda changes, left_out: encoded(
        {name: value for name, value in (FULL | changes).items() if name not in left_out}
    ),
    st.dictionaries(st.sampled_from([*FULL, "plate", "more"]), values, max_size=3),
    st.sets(st.sampled_from(list(FULL)), max_size=2),
)
torn = st.builds(
    lambda event, at, byte, cut: (event[:at] + bytes([byte]) + event[at + 1 :])[: cut or None],
    good, st.integers(0, 120), st.integers(0, 255), st.integers(0, 300),
)  # fmt: skip


@given(st.lists(good | odd | torn, min_size=1, max_size=8))
@example([line()] * 3)
@example([b"", b"", line()])
def test_whatever_comes_is_read_as_msgspec_reads_it(some: list[bytes]) -> None:
    same(*some)


@given(st.lists(good | odd | torn, min_size=1, max_size=8))
def test_so_it_is_in_frames(some: list[bytes]) -> None:
    same(b"\n".join(some), line(), b"\n".join(reversed(some)))


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_are_read(some: bytes, at: int) -> None:
    event = encoded(FULL)
    same(some, event[:at] + some + event[at:])


@given(st.integers(0, 10**15 - 1), st.integers(0, 15))
def test_a_decimal_number_is_the_one_that_python_reads(digits: int, places: int) -> None:
    text = f"{digits:0{places + 1}d}"
    written = text if places == 0 else f"{text[:-places]}.{text[-places:]}"
    same(raw(b'"temperature":' + written.encode()))


def test_names_without_end_are_read_with_a_table_that_begins_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage_columns, "_MOST_NAMES", 1300)
    codec, begun = PassageCodec("person", VOCABULARY), list[Any]()
    for turn in range(6):
        some = [line(device=f"D{turn}-{n}", seq=n + 1, reason=f"because {turn} {n}") for n in range(300)]
        batch = codec.read(records(*some))
        begun.append(codec.reader._names)
        assert batch.device.tolist() == [f"D{turn}-{n}" for n in range(300)]
        assert batch.reason.tolist() == [f"because {turn} {n}" for n in range(300)]
    assert 1 < len(set(map(id, begun))) < 6


def test_names_that_find_no_slot_in_reach_are_read_all_the_same() -> None:
    """As if somebody had found names that all want the same slot: every slot in reach is taken."""
    codec = PassageCodec("person", VOCABULARY)
    codec.read(records(line()))
    taken = codec.reader._names.table.slots
    number = int(taken[taken >= 0][0])
    taken[taken < 0] = number
    some = [line(device=f"D{n % 7}", seq=n + 1) for n in range(20)]
    for _ in range(2):
        assert codec.read(records(*some)).device.tolist() == [f"D{n % 7}" for n in range(20)]


def test_a_field_with_a_limit_that_the_kernels_do_not_check_is_left_to_msgspec() -> None:
    known = {each.name for each in PassageReader("person", {}).known}
    assert known == {
        "seq",
        "direction",
        "outcome",
        "category",
        "epoch",
        "reason",
        "health",
        "credential",
        "temperature",
    }
    assert not PassageReader("person", {})._reads_any  # a device must be there, and has a pattern


def test_it_is_known_how_the_kernels_run() -> None:
    assert hasattr(read_objects, "py_func") == ("NUMBA_DISABLE_JIT" not in os.environ)


def test_the_kernels_do_the_same_uncompiled_where_python_checks_every_access() -> None:
    done = run_again(NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stdout


def run_again(**mode: str) -> subprocess.CompletedProcess[str]:
    """Run the tests above in a process in which numba is set otherwise."""
    # Numbers that wrap around are meant; numpy warns of them where they are not compiled.
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-o",
        "filterwarnings=",
    ]
    return subprocess.run(
        [*command, __file__, "-k", "not uncompiled"], env=os.environ | {"PYTHONPATH": str(PROJECT)} | mode,
        capture_output=True, text=True, check=False, cwd=PROJECT,
    )  # fmt: skip
