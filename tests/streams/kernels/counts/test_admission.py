"""Which event times are accepted and which are late, the same however a log is cut into batches."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.admission import Devices, Fate
from streams.kernels.counts.place import TimeRules
from streams.kernels.counts.site_clock import SiteClock
from tests.support.events import HORIZON, NINE, SUSPECT, TIMES, Event, batch

COUNTED, LATE, DUPLICATE, DOUBTED = Fate.COUNTED, Fate.LATE, Fate.DUPLICATE, Fate.SUSPECT
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


def fates(events: Sequence[Event], *, sizes: Sequence[int] = (), rules: TimeRules = TIMES) -> list[Fate]:
    """Admit events at consecutive offsets, in batches of these sizes and the rest in one."""
    devices, found, at = Devices(), list[Fate](), 0
    for size in [*sizes, len(events)]:
        some = [replace(each, offset=at + i) for i, each in enumerate(events[at : at + size])]
        admitted = devices.admit(batch(some, first=at, after=at + len(some)), rules=rules)
        found += map(Fate, admitted.fate.tolist())
        at += len(some)
    return found


def doubts(*events: Event) -> list[str]:
    """Say why events are not believed."""
    return [each.detail for each in Devices().admit(batch(events, first=0, after=1), rules=TIMES).suspects]


def events_at(*times: int | None) -> list[Event]:
    """Events of one device that arrive at three, numbered from 1; None leaves a number out."""
    return [Event(seq=i + 1, ts=ts, arrived=NINE + 6 * HOUR) for i, ts in enumerate(times) if ts is not None]


# -- ahead of its arrival ----------------------------------------------------------------------------------------------


def test_an_event_may_be_ahead_of_its_arrival_by_what_a_clock_may_be_wrong() -> None:
    at_limit = Event(ts=NINE + SUSPECT, arrived=NINE)
    assert fates([at_limit]) == [COUNTED]
    assert fates([replace(at_limit, ts=at_limit.ts + 1)]) == [DOUBTED]


def test_arrival_is_told_in_site_time() -> None:
    # a day of a demonstration: an hour of the site is a minute
    rules = TimeRules(SiteClock(NINE, NINE + DAY, 60), SUSPECT, HORIZON)
    noon = Event(ts=NINE + 3 * HOUR, arrived=NINE + DAY + 3 * MINUTE)
    assert fates([noon], rules=rules) == [COUNTED]
    assert fates([replace(noon, ts=noon.ts + SUSPECT + 1)], rules=rules) == [DOUBTED]
    assert fates([replace(noon, ts=noon.ts - HORIZON - 1)], rules=rules) == [LATE]


@pytest.mark.parametrize("arrived", [-1, 0])
def test_a_record_that_does_not_say_when_it_arrived_is_compared_with_no_arrival(arrived: int) -> None:
    events = [Event(seq=1, arrived=arrived), Event(seq=2, ts=NINE - SUSPECT - 1, arrived=arrived)]
    assert fates(events) == [COUNTED, DOUBTED]
    assert fates(events, sizes=[1]) == [COUNTED, DOUBTED]


# -- against its own numbering -----------------------------------------------------------------------------------------


def test_a_clock_that_jumps_back_by_a_day_is_not_believed_until_it_is_right_again() -> None:
    #   1      2      3 −1 d   4 −1 d   5
    events = events_at(NINE, NINE + 1000, NINE + 2000 - DAY, NINE + 3000 - DAY, NINE + 4000)
    assert fates(events) == [COUNTED, COUNTED, DOUBTED, DOUBTED, COUNTED]


def test_a_clock_may_be_set_back_by_as_much_as_it_may_be_wrong() -> None:
    assert fates(events_at(NINE, NINE - SUSPECT)) == [COUNTED, COUNTED]
    assert fates(events_at(NINE, NINE - SUSPECT - 1)) == [COUNTED, DOUBTED]


def test_a_time_is_compared_with_a_higher_number_that_came_before() -> None:
    higher, lower = events_at(NINE, NINE + HOUR)[1], Event(seq=1, ts=NINE + 2 * HOUR, arrived=NINE + 6 * HOUR)
    assert fates([higher, lower]) == [COUNTED, DOUBTED]
    assert fates([higher, replace(lower, ts=NINE)]) == [COUNTED, COUNTED]


def test_what_is_not_believed_passes_its_neighbours_times_on() -> None:
    #  1 nine   3 a day back   4 a day back   2 at nine
    first, doubted, after = events_at(NINE, None, NINE - DAY, NINE - DAY)
    assert fates([first, doubted, after, Event(seq=2, ts=NINE)]) == [COUNTED, DOUBTED, DOUBTED, COUNTED]


def test_a_device_that_was_offline_for_hours_is_believed() -> None:
    offline = [Event(seq=i + 1, ts=NINE + i * MINUTE, arrived=NINE + 5 * HOUR) for i in range(180)]
    assert set(fates([*offline[:10], *offline[100:], *offline[10:100]])) == {COUNTED}


def test_another_counter_is_another_numbering() -> None:
    events = [Event(seq=1), Event(seq=2, epoch=1, ts=NINE - HOUR), Event(seq=2, device="N1-L02", ts=NINE - HOUR)]
    assert fates(events) == [COUNTED] * 3


def test_a_repetition_of_what_is_not_believed_is_a_duplicate() -> None:
    wrong = Event(ts=NINE + DAY, arrived=NINE)
    assert fates([wrong, wrong, replace(wrong, ts=NINE)]) == [DOUBTED, DUPLICATE, DUPLICATE]
    assert fates([wrong, wrong], sizes=[1]) == [DOUBTED, DUPLICATE]


def test_what_is_not_believed_has_been_received_and_leaves_no_time_behind() -> None:
    devices = Devices()
    events = [Event(0, seq=1), Event(1, seq=2, ts=NINE + DAY, arrived=NINE + 7)]
    devices.admit(batch(events, first=0, after=2), rules=TIMES)
    (device,) = devices.known.values()
    assert (device.ranges.missing, device.ranges.last) == (0, 2)
    assert (device.last_ts, device.last_seen) == (NINE, NINE + 7)


# -- what is reported --------------------------------------------------------------------------------------------------


def test_a_doubt_names_the_time_what_it_was_compared_with_and_by_how_much_it_is_off() -> None:
    ahead = Event(ts=NINE + DAY, arrived=NINE)
    assert doubts(ahead) == [
        f"ts: {NINE + DAY} is {DAY} ms after its arrival at {NINE}; at most {SUSPECT} ms are believed"
    ]
    lower, higher = (f"{NINE}, the time of a {which} number of the device" for which in ("lower", "higher"))
    assert doubts(*events_at(NINE, NINE - HOUR)) == [
        f"ts: {NINE - HOUR} is {HOUR} ms before {lower}; at most {SUSPECT} ms are believed"
    ]
    assert doubts(*reversed(events_at(NINE + HOUR, NINE))) == [
        f"ts: {NINE + HOUR} is {HOUR} ms after {higher}; at most {SUSPECT} ms are believed"
    ]


def test_a_rejection_has_the_lines_place_hash_and_first_bytes() -> None:
    event = Event(offset=7, line=3, ts=NINE + DAY, arrived=NINE)
    (found,) = Devices().admit(batch([event], first=7, after=8), rules=TIMES).suspects
    assert (found.position.offset, found.position.line, found.position.arrived) == (7, 3, NINE)
    assert (found.reason, found.first_bytes, len(found.sha256)) == ("suspect-time", event.raw, 64)


# -- too late ----------------------------------------------------------------------------------------------------------


def test_an_event_is_late_when_it_arrives_beyond_the_horizon() -> None:
    at_limit = Event(ts=NINE - HORIZON, arrived=NINE)
    assert fates([at_limit]) == [COUNTED]
    assert fates([replace(at_limit, ts=at_limit.ts - 1)]) == [LATE]


def test_a_late_event_is_believed() -> None:
    late = Event(seq=1, ts=NINE - HORIZON - HOUR, arrived=NINE)
    further_back = replace(late, seq=2, ts=late.ts - HOUR)
    assert fates([late, further_back, late]) == [LATE, DOUBTED, DUPLICATE]


# -- nothing but the log decides ---------------------------------------------------------------------------------------

some_events = st.builds(
    Event,
    seq=st.integers(1, 14),
    device=st.sampled_from(["N1-L01", "N1-L02"]),
    epoch=st.sampled_from([0, 0, 0, 1]),
    ts=st.builds(
        lambda n, off: NINE + n * 20_000 + off,
        st.integers(0, 40),
        st.sampled_from([0, 0, 0, 0, 0, SUSPECT, -SUSPECT, DAY, -DAY, -3 * DAY]),
    ),
    arrived=st.sampled_from([-1, NINE, NINE + 400_000, NINE + 800_000, NINE + HORIZON + 300_000]),
)


def as_told(events: Sequence[Event]) -> list[Fate]:
    """Decide event by event, as the rules are written: with all that has come written down, and searched through."""
    came: dict[tuple[str, int], dict[int, tuple[int | None, int | None]]] = {}
    found = []
    for event in events:
        numbers = came.setdefault((event.device, event.epoch), {})
        before = numbers[max(lower)][1] if (lower := [n for n in numbers if n < event.seq]) else None
        after = numbers[min(higher)][0] if (higher := [n for n in numbers if n > event.seq]) else None
        if event.seq in numbers:
            found.append(DUPLICATE)
        elif (
            (event.arrival > 0 and event.ts > event.arrival + SUSPECT)
            or (before is not None and event.ts < before - SUSPECT)
            or (after is not None and event.ts > after + SUSPECT)
        ):
            found.append(DOUBTED)
            numbers[event.seq] = (after, before)
        else:
            found.append(LATE if event.arrival > 0 and event.ts < event.arrival - HORIZON else COUNTED)
            numbers[event.seq] = (event.ts, event.ts)
    return found


@given(st.lists(some_events, max_size=40), st.lists(st.integers(0, 12), max_size=6))
def test_what_is_decided_together_is_what_is_decided_event_by_event(events: list[Event], sizes: list[int]) -> None:
    assert fates(events, sizes=sizes) == as_told(events)


@given(st.lists(st.integers(-SUSPECT // 2, SUSPECT // 2), min_size=2, max_size=40), st.randoms(), st.data())
def test_events_whose_clock_is_a_little_wrong_are_all_believed_in_any_order(
    wrong: list[int], random: object, data: st.DataObject
) -> None:
    events = [Event(seq=i + 1, ts=NINE + i * 1000 + off, arrived=NINE + HOUR) for i, off in enumerate(wrong)]
    random.shuffle(events)  # type: ignore[attr-defined]
    sizes = data.draw(st.lists(st.integers(1, 9), max_size=5))
    assert fates(events, sizes=sizes) == [COUNTED] * len(events)


@given(st.lists(some_events, min_size=1, max_size=30), st.lists(st.integers(1, 6), max_size=8))
def test_the_state_does_not_depend_on_how_the_log_is_cut(events: list[Event], sizes: list[int]) -> None:
    states = []
    for cut in ([1] * len(events), sizes):
        devices, at = Devices(), 0
        for size in [*cut, len(events)]:
            some = [replace(each, offset=at + i) for i, each in enumerate(events[at : at + size])]
            devices.admit(batch(some, first=at, after=at + len(some)), rules=TIMES)
            at += len(some)
        states.append((devices.known, devices.names, devices.changed))
    assert states[0] == states[1]
