"""Any valid line passes through every step without an error: codec, store, snapshot and alarms."""

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.contract.codec import Records
from streams.contract.events import EARLIEST_MS, ID_PATTERN, LATEST_MS, LONGEST_REASON, Reason, Topic
from streams.kernels.alarms.inputs import AlarmInput
from streams.kernels.counts.identity import MOST_MISSING
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.site.reader import load_site
from streams.worker.alarm_inputs import flow_of, read_inputs
from streams.worker.app import handler_of
from streams.worker.isolation import BlankedRecords
from streams.worker.partition_state import TopicHandler
from streams.worker.rehearsal import rehearsal
from tests.support.size import examples

LARGEST = 2**63 - 1
SITE = load_site("expo")
PERSONS = [each.id for each in SITE.entrances if each.kind == "person"]
VEHICLES = [each.id for each in SITE.entrances if each.kind == "vehicle"]
NOW = 1_763_600_400_000
TRADES = {topic: handler_of(topic, SITE, TimeRules(SiteClock(), 300_000, 172_800_000)) for topic in (
    Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS, Topic.ALARM_INPUTS
)}  # fmt: skip

edges = st.sampled_from([1, 2, 3, 2**31, 2**32, 2**53, 2**53 + 1, LARGEST - 1, LARGEST, NOW * 1_000_000])
texts = st.text(max_size=300) | st.sampled_from(
    ["", "\0", "\n", '"', "\\", "👩‍👩‍👧", "\u2028", "北入口" * 50, "'; DROP TABLE"]
)
times = st.integers(EARLIEST_MS, LATEST_MS - 1) | st.integers(NOW - 10**9, NOW + 10**6)
PASSAGE: dict[str, st.SearchStrategy[Any]] = {
    "device": st.from_regex(ID_PATTERN.replace("$", r"\Z")) | st.sampled_from(["N1-L01", "N1-L02"]),
    "epoch": st.integers(0, LARGEST) | st.sampled_from([0, 1, LARGEST]),
    "seq": st.integers(1, LARGEST) | edges,
    "ts": times,
    "direction": st.sampled_from(["in", "out"]),
    "outcome": st.sampled_from(["passed", "granted", "denied"]),
    "reason": st.none() | texts,
}
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**300), 10**300)
health = st.sampled_from(["normal", "abnormal", "unknown"])
PERSON = PASSAGE | {
    "entrance": st.sampled_from(PERSONS),
    "category": st.sampled_from([each.id for each in SITE.categories_of("person")]),
    "credential": st.none() | st.text(max_size=64),
    "temperature": st.none() | numbers,
    "health": st.none() | health,
}
VEHICLE = PASSAGE | {
    "entrance": st.sampled_from(VEHICLES),
    "category": st.sampled_from([each.id for each in SITE.categories_of("vehicle")]),
    "plate": st.none() | st.text(max_size=64),
}
CORRECTION = {
    "id": PASSAGE["device"],
    "area": st.sampled_from([each.id for each in SITE.areas]),
    "ts": times,
    "actor": st.text(min_size=1, max_size=200),
    "reason": st.text(min_size=1, max_size=2000),
}
amounts = st.integers(-(10**9), 10**9)
LINES = {
    Topic.TURNSTILES: st.fixed_dictionaries(PERSON),
    Topic.VEHICLES: st.fixed_dictionaries(VEHICLE),
    Topic.CORRECTIONS: st.fixed_dictionaries(CORRECTION | {"delta": amounts})
    | st.fixed_dictionaries(CORRECTION | {"absolute": amounts}),
}
LEFT_OUT = {"reason", "credential", "plate", "temperature", "health", "epoch"}


def written(event: dict[str, Any], *, escaped: bool) -> bytes:
    return json.dumps(event, ensure_ascii=escaped).encode(errors="surrogatepass")


def drawn(data: st.DataObject, topic: str) -> Records:
    events = data.draw(st.lists(LINES[topic], min_size=1, max_size=12))  # type: ignore[index]  # a text is its topic
    escaped = data.draw(st.booleans())
    lines = [written(each, escaped=escaped) for each in events]
    arrived = data.draw(st.sampled_from([-1, 0, NOW, EARLIEST_MS, LATEST_MS]) | st.integers(-(2**63), LARGEST))
    return recorded(*lines, arrived=arrived)


def recorded(*lines: bytes, arrived: int = NOW) -> Records:
    n = len(lines)
    return Records(b"\n".join(lines), np.arange(n), np.full(n, arrived), np.ones(n, dtype=np.int64))


def begun(topic: str) -> tuple[TopicHandler[Any], Any]:
    return TRADES[topic], TRADES[topic].begin(PartitionId("c", topic, 0), 0)  # type: ignore[index]  # a text is its topic


@settings(deadline=None, max_examples=examples(600))
@given(st.data(), st.sampled_from([Topic.TURNSTILES, Topic.VEHICLES, Topic.CORRECTIONS]))
def test_no_valid_line_makes_any_step_fail(data: st.DataObject, topic: str) -> None:
    handler, log = begun(topic)
    some = drawn(data, topic)
    rehearsal(handler, forked=False)(log.name, handler.freeze(log))(BlankedRecords(some))
    log.apply(handler.read(some))
    assert log.tally.unaccounted == 0
    assert log.tally.received == len(some.offset)
    assert set(log.tally.rejected) <= {Reason.SUSPECT_TIME, Reason.NOT_UTF8, Reason.NOT_JSON, Reason.WRONG_SHAPE}


@settings(deadline=None, max_examples=examples(240))
@given(st.data(), st.sampled_from([Topic.TURNSTILES, Topic.VEHICLES]))
def test_what_any_valid_line_tells_the_alarms_can_be_judged(data: st.DataObject, topic: str) -> None:
    handler, log = begun(topic)
    log.apply(handler.read(drawn(data, topic)))
    alarms_trade, alarms = begun(Topic.ALARM_INPUTS)
    line = msgspec.json.encode(AlarmInput(flows=[flow_of(log, NOW)]))
    inputs = recorded(line, line, arrived=data.draw(st.sampled_from([0, NOW, LATEST_MS])))
    rehearsal(alarms_trade, forked=False)(alarms.name, alarms_trade.freeze(alarms))(BlankedRecords(inputs))


@pytest.mark.parametrize("seq", [LARGEST, NOW * 1_000_000])
def test_devices_that_number_by_a_clock_are_counted_and_what_they_lack_adds_up(seq: int) -> None:
    handler, log = begun(Topic.TURNSTILES)
    event = {"ts": NOW, "entrance": "N1", "direction": "in", "outcome": "passed", "category": "visitor"}
    lines = [written({"device": f"N1-M{n}", "seq": seq - n, **event}, escaped=False) for n in range(2000)]
    log.apply(handler.read(recorded(*lines)))
    assert log.tally.counted == 2000
    assert log.devices.missing["N1"] == 2000 * MOST_MISSING < LARGEST
    alarms_trade, alarms = begun(Topic.ALARM_INPUTS)
    alarms.apply(read_inputs(recorded(msgspec.json.encode(AlarmInput(flows=[flow_of(log, NOW)])))))
    assert int(alarms.leaks.by_entrance.sum()) == 2000 * MOST_MISSING
    # a worker of before this limit tells numbers without one
    old = msgspec.json.encode(AlarmInput(flows=[flow_of(log, NOW)])).replace(b'"missing":{"N1":', b'"missing":{"N2":9')
    alarms.apply(alarms_trade.read(Records(old, np.array([1]), np.array([NOW]), np.array([1]))))


@given(texts)
@example("x" * (LONGEST_REASON + 1))
def test_of_a_long_reason_the_beginning_is_kept(reason: str) -> None:
    handler, _ = begun(Topic.TURNSTILES)
    event = {"device": "d", "seq": 1, "ts": NOW, "entrance": "N1", "direction": "in", "category": "visitor"}
    line = written({**event, "outcome": "denied", "reason": reason}, escaped=True)
    assert handler.read(recorded(line)).reason.tolist() == [reason[:LONGEST_REASON]]


@pytest.mark.parametrize("amount", [10**9 + 1, -(10**9) - 1, LARGEST])
@pytest.mark.parametrize("name", ["delta", "absolute"])
def test_a_correction_of_more_than_a_thousand_million_is_rejected(amount: int, name: str) -> None:
    handler, _ = begun(Topic.CORRECTIONS)
    event = {"id": "c", "area": SITE.areas[0].id, "ts": NOW, "actor": "duty", "reason": "by hand", name: amount}
    [rejection] = handler.read(recorded(written(event, escaped=True))).rejections
    assert (rejection.reason, f"$.{name}" in rejection.detail) == (Reason.WRONG_SHAPE, True)
