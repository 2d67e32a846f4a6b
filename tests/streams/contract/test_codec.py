"""The codec accepts valid lines, and rejects each other one with its reason and position."""

import hashlib
import json
import sys
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulators.distortion.malformed import kinds, make_malformed
from streams.contract.codec import CorrectionCodec, PassageCodec
from streams.contract.events import EARLIEST_MS, LATEST_MS, LONGEST_LINE, Reason
from streams.kernels.counts.batch import Batch, Position, Rejection
from streams.site.kernel_views import vocabulary_of
from streams.site.reader import load_site
from tests.support.events import NINE
from tests.support.lines import ARRIVED, VOCABULARY, correction, corrections, line, persons, raw, records

DEEP = 20_000


def nested(levels: int, before: bytes = b"[", after: bytes = b"]") -> bytes:
    return before * levels + b"1" + after * levels


# One line for every reason, each with all the faults of the reasons behind it: the first in the list is reported.
FAULTY = {
    Reason.TOO_LARGE: b"\xff{" + b"x" * LONGEST_LINE,
    Reason.NOT_UTF8: b"\xff{",
    Reason.NOT_JSON: b'{"seq": -1, "ts": -1',
    Reason.WRONG_SHAPE: line(seq=-1, ts=-1, entrance="V9", category="fan"),
    Reason.TIME_OUT_OF_RANGE: line(ts=-1, entrance="V9", category="fan"),
    Reason.UNKNOWN_ENTRANCE: line(entrance="V9", category="fan"),
    Reason.WRONG_KIND: line(entrance="V1", category="fan"),
    Reason.UNKNOWN_CATEGORY: line(category="fan"),
}
FAULTY_CORRECTION = {
    Reason.TOO_LARGE: b"\xff{" + b"x" * LONGEST_LINE,
    Reason.NOT_UTF8: b"\xff{",
    Reason.NOT_JSON: b'{"delta": "no", "ts": -1',
    Reason.WRONG_SHAPE: correction(delta="no", ts=-1, area="moon", kind="vehicle"),
    Reason.TIME_OUT_OF_RANGE: correction(ts=-1, area="moon", kind="vehicle"),
    Reason.UNKNOWN_AREA: correction(area="moon", kind="vehicle"),
    Reason.WRONG_KIND: correction(area="hall", kind="vehicle"),
}


def read(*values: bytes) -> Batch:
    return persons().read(records(*values))


def only(bad: bytes, codec: PassageCodec | CorrectionCodec | None = None) -> Rejection:
    """Read a line between two good ones, and return how it was rejected; the good ones must not suffer."""
    codec = codec or persons()
    good = line() if isinstance(codec, PassageCodec) else correction()
    batch = codec.read(records(good + b"\n" + bad + b"\n" + good))
    accepted = batch.line.tolist() if isinstance(batch, Batch) else [each.position.line for each in batch.corrections]
    assert accepted == [0, 2]
    (rejection,) = batch.rejections
    return rejection


# -- reasons, in their order -------------------------------------------------------------------------------------------


def test_the_reasons_of_the_contract_are_all_there_is() -> None:
    # What the codec cannot tell.
    of_others = {
        Reason.SUSPECT_TIME, Reason.TOO_MANY_DEVICES, Reason.NUMBER_TOO_OLD, Reason.TOO_MANY_CORRECTIONS,
        Reason.UNPROCESSABLE,
    }  # fmt: skip
    assert {*FAULTY, *FAULTY_CORRECTION} == set(Reason) - of_others


@pytest.mark.parametrize("reason", FAULTY)
def test_of_several_faults_the_first_in_the_list_is_told(reason: Reason) -> None:
    assert only(FAULTY[reason]).reason == reason


@pytest.mark.parametrize("reason", FAULTY_CORRECTION)
def test_corrections_are_checked_in_the_same_order(reason: Reason) -> None:
    assert only(FAULTY_CORRECTION[reason], corrections()).reason == reason


@pytest.mark.parametrize("reason", FAULTY)
def test_a_rejection_says_where_the_line_stood_and_what_it_was(reason: Reason) -> None:
    bad = FAULTY[reason]
    #              offset 70   71                              72
    batch = persons().read(records(line(), b"\n" + line(seq=2) + b"\n" + bad, bad, first=70))
    assert [each.position for each in batch.rejections] == [
        Position(71, 2, ARRIVED + 71),
        Position(72, 0, ARRIVED + 72),
    ]
    assert {each.sha256 for each in batch.rejections} == {hashlib.sha256(bad).hexdigest()}
    assert {each.first_bytes for each in batch.rejections} == {bad[:256]}
    assert (batch.first, batch.after) == (70, 73)
    assert batch.offset.tolist() == [70, 71]
    assert batch.line.tolist() == [0, 1]
    assert batch.arrived.tolist() == [ARRIVED + 70, ARRIVED + 71]


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("entrance", ["N1", "V2"])
def test_what_the_simulators_spoil_is_rejected_for_the_reason_they_expect(kind: str, entrance: str) -> None:
    site = load_site("expo")
    bad = make_malformed(kind, 3, site, entrance)
    batch = PassageCodec(site.entrance(entrance).kind, vocabulary_of(site)).read(records(bad.line))
    assert [(each.reason, each.sha256) for each in batch.rejections] == [(bad.reason, bad.sha256)]


# -- too large, not UTF-8, not JSON ------------------------------------------------------------------------------------


def test_a_blob_of_ten_megabytes_costs_a_line_and_nothing_else() -> None:
    rejection = only(b"\x00" * 10_000_000)
    assert rejection.reason == Reason.TOO_LARGE
    assert rejection.detail == "10000000 bytes; at most 65536 are read"
    assert len(rejection.first_bytes) == 256


def test_a_line_may_be_exactly_as_long_as_the_limit() -> None:
    longest = line(padding="x" * (LONGEST_LINE - len(line(padding=""))))
    assert len(longest) == LONGEST_LINE
    assert len(read(longest)) == 1
    assert only(longest + b" ").reason == Reason.TOO_LARGE


@pytest.mark.parametrize(
    "field",
    [
        b'"credential":"\xff"',
        b'"credential":"\xe4\xbd"',  # cut off within a character
        b'"ignored":"\xc0\xaf"',  # an overlong slash
        b'"ignored":"\xed\xa0\x80"',  # a surrogate
        b'"\xfe":1',
    ],
)
def test_bytes_that_are_not_utf8_spoil_a_line_even_where_nobody_looks(field: bytes) -> None:
    assert only(raw(field)).reason == Reason.NOT_UTF8


def test_the_detail_says_which_byte_is_not_utf8() -> None:
    assert only("门".encode() + b"\xff").detail == "byte 3 of the line: invalid start byte"


@pytest.mark.parametrize(
    "bad",
    [
        b"\0",
        b"\0" * 300,
        line() + b"\0",
        line().replace(b"visitor", b"visi\0tor"),
        raw(b'"ignored":"\0"'),
        b"\xef\xbb\xbf" + line(),  # a byte order mark
        line()[:-1],
        line() + line(),
        line() + b" x",
        line().replace(b":1,", b":01,"),
        line().replace(b":1,", b":+1,"),
        line().replace(b'"in"', b"'in'"),
        raw(b'"temperature":NaN'),
        raw(b'"temperature":Infinity'),
        b"{" * 100,
        b"device;1;in",
        "“device”".encode(),
    ],
)
def test_what_is_not_json_is_told_so(bad: bytes) -> None:
    assert only(bad).reason == Reason.NOT_JSON


SURROGATES = [
    rb'"\ud800"', rb'"\udfff"', rb'"a\ud800b and more text"', rb'"\ud800\u0041 and more text"', rb'"\udc00\ud800"',
    rb'"\uD83D"',
]  # fmt: skip


@pytest.mark.parametrize("text", SURROGATES)
@pytest.mark.parametrize("field", [b'"credential":%b', b'"reason":%b', b'"device":%b', b'"ignored":%b', b"%b:1"])
def test_half_a_surrogate_pair_never_becomes_text_that_cannot_be_written(text: bytes, field: bytes) -> None:
    rejection = only(raw(field % text))
    assert rejection.reason == Reason.NOT_JSON
    rejection.detail.encode()


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert read(raw(rb'"credential":"\ud83d\ude00"')).credential.tolist() == ["😀"]


# -- wrong shape -------------------------------------------------------------------------------------------------------

WRONG: dict[str, bytes] = {
    "no device": line(device=...),
    "no category": line(category=...),
    "an empty device": line(device=""),
    "a device of 65 characters": line(device="x" * 65),
    "a device with a space": line(device="N1 L01"),
    "a device with a letter out of the alphabet": line(device="门1"),
    "a device that ends with a newline": line(device="N1-L01\n"),
    "a device that is null": line(device=None),
    "an entrance of 65 characters": line(entrance="x" * 65),
    "a credential of 65 characters": line(credential="x" * 65),
    "a number as credential": line(credential=7),
    "a text as seq": line(seq="1"),
    "a boolean as seq": line(seq=True),
    "null as seq": line(seq=None),
    "seq 0": line(seq=0),
    "seq 1.0": line(seq=1.0),
    "seq 1e0": raw(b'"seq":1e0'),
    "seq beyond 63 bits": line(seq=2**63),
    "seq beyond 64 bits": line(seq=2**64),
    "an enormous seq": line(seq=10**30),
    "epoch -1": line(epoch=-1),
    "a boolean as epoch": line(epoch=False),
    "a fraction as ts": line(ts=NINE + 0.5),
    "ts in exponents": raw(b'"ts":1.7636e12'),
    "ts beyond every float": raw(b'"ts":1e999'),
    "ts of 5000 digits": raw(b'"ts":' + b"9" * 5000),
    "a boolean as ts": line(ts=True),
    "a temperature beyond every float": raw(b'"temperature":1e999'),
    "a temperature below every float": raw(b'"temperature":-1e999'),
    "a boolean as temperature": line(temperature=True),
    "a text as temperature": line(temperature="36.5"),
    "another direction": line(direction="IN"),
    "another outcome": line(outcome="Passed"),
    "another health": line(health="green"),
    "a list as reason": line(reason=["expired"]),
    "an array": b"[" + line() + b"]",
    "a text": b'"passed"',
    "a number": b"17",
    "null": b"null",
    "the wrong one of two": raw(b'"seq":0'),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_a_wrong_shape_is_told(fault: str) -> None:
    assert only(WRONG[fault]).reason == Reason.WRONG_SHAPE


def test_the_detail_names_the_field() -> None:
    assert "`$.seq`" in only(line(seq="1")).detail
    assert only(line(device="a b")).detail.startswith("device: 'a b' does not match")
    assert only(line(ts=7)).detail == "ts: 7 is outside [2000-01-01, 2100-01-01) in milliseconds UTC"
    assert only(line(entrance="V1")).detail == "entrance: 'V1' is for the kind vehicle, this topic for person"
    assert only(line(category="fan")).detail == "category: 'fan' is not one of staff, visitor"


def test_a_detail_is_never_long() -> None:
    assert len(only(line(category="x" * 60_000)).detail) == 400


@pytest.mark.parametrize(
    "bad",
    [
        raw(b'"ignored":' + nested(DEEP)),
        raw(b'"ignored":' + nested(DEEP // 2, b'{"a":', b"}")),
        raw(b'"seq":' + nested(DEEP)),
        raw(b'"credential":' + nested(DEEP)),
        nested(DEEP),
        b"[" * 60_000,
        b'{"a":' * 13_000,
        raw(b'"ignored":"' + b"]" * 1000 + b'","more":' + nested(DEEP)),  # brackets in a text close nothing
        raw(b'"ignored":"\\"' + b"]" * 1000 + b'","more":' + nested(DEEP)),
    ],
)
def test_deep_nesting_is_a_wrong_shape_and_no_end_of_the_process(bad: bytes) -> None:
    assert only(bad).reason == Reason.WRONG_SHAPE


def test_a_hundred_thousand_levels_are_too_large_before_anybody_looks_into_them() -> None:
    assert only(b"[" * 100_000).reason == Reason.TOO_LARGE


def test_the_verdict_on_nesting_does_not_depend_on_who_asks() -> None:
    def below(frames: int, value: bytes) -> int:
        return below(frames - 1, value) if frames else len(read(value).rejections)

    deepest, deeper = raw(b'"ignored":' + nested(255)), raw(b'"ignored":' + nested(256))
    spare = sys.getrecursionlimit() // 3
    assert [below(0, deepest), below(spare, deepest)] == [0, 0]
    assert [below(0, deeper), below(spare, deeper)] == [1, 1]


def test_brackets_in_texts_and_side_by_side_are_no_nesting() -> None:
    assert len(read(raw(b'"ignored":"' + b"[{" * 2000 + b'"'))) == 1
    assert len(read(raw(b'"ignored":[' + b"[],{}," * 2000 + b"0]"))) == 1


def test_an_endless_text_is_looked_through_once() -> None:
    # every \" looks like another beginning; with a search from each of them this would take minutes
    assert only(b'"' + b'\\"' * 30_000).reason == Reason.NOT_JSON


# -- times, places and categories --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ts", [EARLIEST_MS, LATEST_MS - 1])
def test_times_of_this_century_are_accepted(ts: int) -> None:
    assert read(line(ts=ts)).ts.tolist() == [ts]


@pytest.mark.parametrize(
    "ts", [EARLIEST_MS - 1, LATEST_MS, 0, -1, -NINE, NINE * 1000, 2**63, 2**64, 10**30, -(10**30), 10**4000]
)
def test_times_of_other_centuries_are_not(ts: int) -> None:
    assert only(line(ts=ts)).reason == Reason.TIME_OUT_OF_RANGE


def test_a_credential_may_be_missing_null_empty_or_in_any_script() -> None:
    batch = read(line(), line(credential=None), line(credential=""), line(credential="证" * 64))
    assert batch.credential.tolist() == ["", "", "", "证" * 64]


def test_what_is_optional_has_its_default() -> None:
    batch = read(line())
    assert batch.epoch.tolist() == [0]
    assert (batch.reason.tolist(), batch.credential.tolist(), batch.health.tolist()) == ([""], [""], [""])
    assert np.isnan(batch.temperature).all()


def test_a_whole_number_is_a_temperature_too() -> None:
    assert read(line(temperature=37), line(temperature=36.6)).temperature.tolist() == [37.0, 36.6]


def test_a_vehicle_has_a_plate_and_no_temperature() -> None:
    codec = PassageCodec("vehicle", VOCABULARY)
    event = line(entrance="V1", category="car", plate="p1", credential=17, temperature="none of its fields")
    batch = codec.read(records(event, line()))
    assert batch.credential.tolist() == ["p1"]
    assert np.isnan(batch.temperature).all()
    assert [each.reason for each in batch.rejections] == [Reason.WRONG_KIND]


def test_unknown_fields_are_ignored_whatever_is_in_them() -> None:
    ignored = [b'"x":null', b'"x":1e999', b'"x":' + b"9" * 5000, b'"":[{"a":[1,2,{}]}]', b'"Seq":"x"', rb'"x":"\u0000"']
    assert len(read(*map(raw, ignored))) == len(ignored)


def test_of_a_key_that_is_there_twice_the_last_counts() -> None:
    assert read(raw(b'"seq":9')).seq.tolist() == [9]


# -- lines and records -------------------------------------------------------------------------------------------------


def test_blank_lines_are_nothing_at_all() -> None:
    batch = read(b"", b"\n\n", b" \t\r", b"\r\n" + line() + b"\r\n\r\n", b"   \n" + line(seq=2) + b"\n")
    assert batch.offset.tolist() == [3, 4]
    assert batch.line.tolist() == [1, 1]
    assert batch.rejections == []
    assert (batch.first, batch.after) == (0, 5)
    assert batch.lines.count.tolist() == [0, 0, 0, 1, 1]


def test_lines_that_come_in_are_counted_by_record_whatever_becomes_of_them() -> None:
    too_long = b" " * 70_000
    batch = read(line() + b"\nbad\n" + line(), b"", b"\n\xff\n" + line(seq=2) + b"\n", too_long)
    assert batch.lines.count.tolist() == [3, 0, 2, 1]
    assert len(batch) + len(batch.rejections) == batch.lines.of_offset(0) == 6
    assert batch.lines.of_offset(2) == 3
    assert corrections().read(records(correction(), b"\n", b"bad")).lines.count.tolist() == [1, 0, 1]


def test_an_event_keeps_its_line_until_it_is_admitted() -> None:
    one, other = line(), line(seq=2)
    batch = read(one + b"\nbad\n\n" + other)
    assert list(batch.raw) == [one, other]
    assert list(batch.select(np.array([1])).raw) == [other]
    assert batch.admitted(np.array([1])).raw == []


def test_windows_line_ends_are_line_ends_and_belong_to_the_bytes_of_a_rejected_line() -> None:
    batch = read(line() + b"\r\n" + b"x\r\n" + line(seq=2) + b"\r")
    assert batch.seq.tolist() == [1, 2]
    assert batch.rejections[0].sha256 == hashlib.sha256(b"x\r").hexdigest()


def test_lines_of_several_records_keep_their_places() -> None:
    frames = [b"\n".join(line(seq=10 * i + k) if k % 3 else b"bad" for k in range(i + 1)) for i in range(6)]
    batch = persons().read(records(*frames, first=1000))
    expected = [(1000 + i, k) for i in range(6) for k in range(i + 1)]
    good = list(zip(batch.offset.tolist(), batch.line.tolist(), strict=True))
    bad = [(each.position.offset, each.position.line) for each in batch.rejections]
    assert good == [place for place in expected if place[1] % 3]
    assert bad == [place for place in expected if not place[1] % 3]
    assert batch.seq.tolist() == [10 * (offset - 1000) + k for offset, k in good]


def test_records_with_gaps_between_their_offsets_keep_them() -> None:
    joined = records(b"x", line(), b"y")
    batch = persons().read(type(joined)(joined.value, np.array([3, 5, 9]), joined.arrived, joined.lines))
    assert (batch.first, batch.after) == (3, 10)
    assert [each.position.offset for each in batch.rejections] == [3, 9]


# -- corrections -------------------------------------------------------------------------------------------------------


def test_a_correction_adds_or_replaces() -> None:
    batch = corrections().read(records(correction(), correction(id="c-2", delta=..., absolute=0)))
    assert [(each.delta, each.absolute) for each in batch.corrections] == [(-5, None), (None, 0)]


def test_the_kind_of_a_correction_is_the_first_of_its_area_unless_it_says_so() -> None:
    lines = [correction(), correction(kind="vehicle"), correction(area="hall"), correction(kind=None)]
    batch = corrections().read(records(*lines))
    assert [each.kind for each in batch.corrections] == ["person", "vehicle", "person", "person"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (correction(delta=1, absolute=1), Reason.WRONG_SHAPE),
        (correction(delta=...), Reason.WRONG_SHAPE),
        (correction(delta=None, absolute=None), Reason.WRONG_SHAPE),
        (correction(delta=2**63), Reason.WRONG_SHAPE),
        (correction(delta=-(2**63)), Reason.WRONG_SHAPE),
        (correction(delta=0.5), Reason.WRONG_SHAPE),
        (correction(id=""), Reason.WRONG_SHAPE),
        (correction(id="a b"), Reason.WRONG_SHAPE),
        (correction(id="a\n"), Reason.WRONG_SHAPE),
        (correction(actor=""), Reason.WRONG_SHAPE),
        (correction(actor="x" * 201), Reason.WRONG_SHAPE),
        (correction(reason=...), Reason.WRONG_SHAPE),
        (correction(kind="ghost"), Reason.WRONG_SHAPE),
        (correction(area="moon"), Reason.UNKNOWN_AREA),
        (correction(area="outside"), Reason.UNKNOWN_AREA),
        (correction(area="hall", kind="vehicle"), Reason.WRONG_KIND),
        (correction(ts=LATEST_MS), Reason.TIME_OUT_OF_RANGE),
    ],
)
def test_a_correction_that_does_not_fit_is_rejected(bad: bytes, reason: Reason) -> None:
    assert only(bad, corrections()).reason == reason


def test_a_correction_says_where_it_stood() -> None:
    batch = corrections().read(records(b"x", correction() + b"\n" + correction(id="c-2"), first=5))
    assert [each.position for each in batch.corrections] == [Position(6, 0, ARRIVED + 6), Position(6, 1, ARRIVED + 6)]


# -- properties --------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=30)
passages = st.fixed_dictionaries(
    {
        "device": st.from_regex(r"[A-Za-z0-9_.:\-]{1,64}", fullmatch=True),
        "seq": st.integers(1, 2**63 - 1),
        "ts": st.integers(EARLIEST_MS, LATEST_MS - 1),
        "entrance": st.sampled_from(["N1", "N2", "H1"]),
        "direction": st.sampled_from(["in", "out"]),
        "outcome": st.sampled_from(["passed", "granted", "denied"]),
        "category": st.sampled_from(["visitor", "staff"]),
    },
    optional={
        "epoch": st.integers(0, 2**63 - 1),
        "credential": st.none() | st.text(max_size=64),
        "reason": st.none() | texts,
        "temperature": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "health": st.none() | st.sampled_from(["normal", "abnormal", "unknown"]),
        "ignored": st.recursive(st.none() | st.booleans() | st.integers() | texts, st.lists, max_leaves=5),
    },
)
scraps = st.sampled_from(
    [b"\n", b"{", b"}", b"[", b'"', b"\\", b":", b",", b"\xff", b"\0", b"1e999", b'"seq"', b"\\ud800", b"-", b" "]
)  # fmt: skip
junk = st.binary(max_size=200) | st.lists(scraps, max_size=40).map(b"".join)


@st.composite
def nearly_right(draw: st.DrawFn) -> bytes:
    """Draw a good line with some bytes replaced by others."""
    good = json.dumps(draw(passages)).encode()
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(len(good), start + 12)))
    return good[:start] + draw(junk) + good[end:]


@given(st.lists(junk | nearly_right() | passages.map(lambda event: json.dumps(event).encode()), min_size=1, max_size=6))
def test_whatever_comes_is_accepted_or_rejected_and_every_line_once(values: list[bytes]) -> None:
    places = [
        (offset, number)
        for offset, value in enumerate(values)
        for number, each in enumerate(value.split(b"\n"))
        if each.strip()
    ]
    batch = read(*values)
    accepted = list(zip(batch.offset.tolist(), batch.line.tolist(), strict=True))
    rejected = [(each.position.offset, each.position.line) for each in batch.rejections]
    assert sorted(accepted + rejected) == places
    assert {each.reason for each in batch.rejections} <= {reason.value for reason in Reason}
    for text in (*batch.device, *batch.reason, *batch.credential, *(each.detail for each in batch.rejections)):
        text.encode()
    changes = corrections().read(records(*values))
    assert len(changes.corrections) + len(changes.rejections) == len(places)


good = passages.map(lambda event: json.dumps(event).encode())
tricky = st.sampled_from(
    [
        line() + line(seq=2),  # two events on a line
        line() + b" " + line(seq=2),
        b"",
        b" ",
        line().replace(b",", b",\n", 1),  # one event on two lines
        line(device='N1"x').replace(b"x", b"}\n{"),  # a newline in a text, between braces
        line() + b"\r",
        line(entrance="V1"),
        line(category="nobody"),
        line(device="N1 L01"),
        line(ts=0),
        line(ts=2**64),
        line(ignored={"a": {"b": {}}}),
        raw(b'"ignored":[' + b"[" * 300 + b"]" * 300 + b"]"),
        line(reason="满"),
        b"{}",
        b"{}\n{}",
    ]
)


@given(st.lists(good | tricky | nearly_right(), min_size=1, max_size=6))
@example([line() + line(seq=2), line(seq=3).replace(b",", b",\n", 1)])  # three events on three lines, and yet not
def test_a_line_is_read_alike_whatever_comes_with_it(values: list[bytes]) -> None:
    alone = [read(value) for value in values]
    together = read(*values)
    spoilt = read(*values, b"nonsense")  # so that none can be read all at once
    del spoilt.rejections[-1]
    for batch in (together, spoilt):
        for name in ("device", "entrance", "category", "reason", "credential", "health", "raw"):
            assert list(getattr(batch, name)) == [each for one in alone for each in getattr(one, name)]
        for name in ("epoch", "seq", "ts", "direction", "outcome", "line", "temperature"):
            np.testing.assert_array_equal(getattr(batch, name), np.concatenate([getattr(one, name) for one in alone]))
        assert [(each.reason, each.detail, each.sha256) for each in batch.rejections] == [
            (each.reason, each.detail, each.sha256) for one in alone for each in one.rejections
        ]
    assert together.lines.count.tolist() == [int(one.lines.count.sum()) for one in alone]
    assert together.offset.tolist() == spoilt.offset.tolist()


@given(st.lists(passages, min_size=1, max_size=5), st.booleans())
def test_good_events_come_out_as_they_went_in(events: list[dict[str, Any]], ascii_only: bool) -> None:  # noqa: FBT001  # drawn
    values = [json.dumps(event, ensure_ascii=ascii_only).encode() for event in events]
    batch = read(b"\n".join(values))
    assert batch.rejections == []
    assert [
        (
            batch.device[i], int(batch.epoch[i]), int(batch.seq[i]), int(batch.ts[i]), batch.entrance[i],
            ("in", "out")[batch.direction[i]], ("passed", "granted", "denied")[batch.outcome[i]], batch.category[i],
            batch.reason[i], batch.credential[i], batch.health[i],
        )
        for i in range(len(batch))
    ] == [
        (
            event["device"], event.get("epoch", 0), event["seq"], event["ts"], event["entrance"],
            event["direction"], event["outcome"], event["category"],
            event.get("reason") or "", event.get("credential") or "", event.get("health") or "",
        )
        for event in events
    ]  # fmt: skip
    measured = [event.get("temperature") for event in events]
    assert [None if np.isnan(each) else each for each in batch.temperature.tolist()] == measured


@given(passages)
def test_the_encoder_does_not_matter(event: dict[str, Any]) -> None:
    one, other = read(json.dumps(event).encode()), read(msgspec.json.encode(event))
    assert (*one.device, *one.credential, *one.seq.tolist()) == (*other.device, *other.credential, *other.seq.tolist())
