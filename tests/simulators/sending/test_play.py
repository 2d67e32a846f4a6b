"""A programme is played to its end, in time, and the ledger has everything that was sent."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from simulators.distortion.settings import Distortion
from simulators.scenario.expo.expo import PEAK_DAY
from simulators.sending.lag import Backlog
from simulators.sending.plan import Plan, Programme, WrongPlanError, site_time
from simulators.sending.play import Ended, ProgrammePlayer
from simulators.sending.produce import EventSender
from streams.kernels.counts.site_clock import SiteClock
from tests.support.small_day import SMALL_EXPO, ManualTime, MemoryLedger, MemoryProducer, expo, small_day

NOON = site_time(expo(), PEAK_DAY, dt.time(12))
AFTER = site_time(expo(), PEAK_DAY + dt.timedelta(2), dt.time(0))
"""By then everything has been delivered, however late: a day that is played from then on is sent at once."""


class Played:
    """What there is after a run."""

    def __init__(
        self,
        plan: Plan,
        *,
        producer: MemoryProducer | None = None,
        stop: Callable[[EventSender], bool] = lambda _: False,
        committed: Callable[["Played"], Mapping[tuple[str, int], int]] | None = None,
        at_clock: Callable[[SiteClock], None] = lambda _: None,
    ) -> None:
        self.time, self.ledger, self.producer = ManualTime(), MemoryLedger(), producer or MemoryProducer()
        self.most_waiting = 0
        backlog = Backlog() if committed else None
        self.sender = EventSender(self.producer, self.ledger, self.time, frame=plan.frame, backlog=backlog)
        self.ended: Ended = ProgrammePlayer(
            plan,
            Programme(plan, expo(), epoch=plan.epoch or 1).next,
            self.sender,
            self.time,
            stop=lambda: stop(self.sender),
            committed=(lambda: committed(self)) if committed else None,
            at_clock=at_clock,
        ).play()

    @property
    def identities(self) -> Counter[tuple[str, int]]:
        """Return how often each event was sent."""
        events = [json.loads(line) for line in self.producer.lines]
        return Counter((event["device"], event["seq"]) for event in events)


def test_what_is_overdue_is_sent_once_and_confirmed() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1))
    assert set(played.identities.values()) == {1}
    assert played.ledger.rows == len(small_day()) == len(played.identities)
    assert sorted(played.ledger.results["ok"]) == list(range(played.ledger.rows))
    assert played.ended.site_ms >= AFTER
    assert not played.ended.stopped


def test_the_past_is_caught_up_at_once_and_then_time_passes_at_the_given_speed() -> None:
    played = Played(Plan(SMALL_EXPO, speed=60, start_at=NOON, for_seconds=10, seed=1))
    assert played.ended.seconds == pytest.approx(10, abs=0.2)
    assert played.ended.site_ms == pytest.approx(NOON + 600_000, abs=12_000)
    happened = small_day().true_ts <= played.ended.site_ms
    assert len(played.identities) == happened.sum()
    assert max(played.ledger.texts("true_ts")) > NOON


def test_every_message_has_the_key_of_its_entrance_and_the_topic_of_its_kind() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, frame=7))
    for topic, value, key in played.producer.messages:
        lines = [json.loads(line) for line in value.split(b"\n")]
        assert {line["entrance"] for line in lines} == {key.decode()}
        kind = expo().entrance(key.decode()).kind
        assert topic == {"person": "turnstile.passages", "vehicle": "vehicle.passages"}[kind]
        assert len(lines) <= 7


def test_frames_keep_the_order_of_each_device() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, frame=20))
    last: dict[str, int] = {}
    for line in played.producer.lines:
        event = json.loads(line)
        assert event["seq"] == last.get(event["device"], 0) + 1
        last[event["device"]] = event["seq"]


def test_what_is_late_when_time_is_over_is_still_delivered() -> None:
    distortion = Distortion(late=0.5, late_by_ms=7_200_000, disorder_ms=300_000)
    played = Played(Plan(SMALL_EXPO, speed=60, start_at=NOON, for_seconds=5, seed=1, distortion=distortion))
    happened = small_day().true_ts <= played.ended.site_ms
    assert len(played.identities) == happened.sum() == played.ledger.rows


def test_duplicates_are_attempts_and_lost_events_are_failures() -> None:
    distortion = Distortion(duplicates=0.1, lost=0.05)
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, distortion=distortion))
    results = {name: Counter(rows) for name, rows in played.ledger.results.items()}
    lost, delivered = set(results["fail"]), set(results["ok"])
    assert lost | delivered == set(range(len(small_day())))
    assert not lost & delivered
    assert len(lost) == pytest.approx(0.05 * len(small_day()), rel=0.2)
    assert sum(results["ok"].values()) == len(played.producer.lines)
    assert Counter(played.identities.values())[2] == pytest.approx(0.095 * len(small_day()), rel=0.2)


def test_malformed_lines_are_in_the_ledger_with_their_reasons() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, distortion=Distortion(malformed=0.01), frame=30))
    assert len(played.ledger.broken) == played.sender.counts.malformed > 50
    assert len({name for name, _, _ in played.ledger.broken}) == len(played.ledger.broken)
    assert len(played.producer.lines) == len(small_day()) + len(played.ledger.broken)
    assert max(len(value) for _, value, _ in played.producer.messages) < 1_000_000


def test_a_gap_is_entered_when_it_can_be_seen() -> None:
    device = str(small_day().names.devices[np.bincount(small_day().device).argmax()])
    skip = Distortion.parse(f"skip={device}:37")
    assert Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, epoch=4, distortion=skip)).ledger.gaps == [(device, 4, 37)]
    dawn = int(small_day().true_ts[0])
    soon = Played(Plan(SMALL_EXPO, speed=1, start_at=dawn, for_seconds=1, seed=1, distortion=skip))
    assert soon.ledger.gaps == []


def test_messages_without_an_answer_are_entered_as_unknown() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1), producer=MemoryProducer(fails_every=100))
    assert len(played.ledger.results["info"]) == played.sender.counts.unknown > 10
    assert len(played.ledger.results["ok"]) + len(played.ledger.results["info"]) == len(small_day())


def test_messages_without_an_answer_are_sent_again_as_long_as_that_can_help() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1), producer=MemoryProducer(fails_every=100, final=False))
    assert sorted(played.ledger.results["ok"]) == list(range(len(small_day())))
    assert max(played.identities.values()) > 1


def test_the_ledger_knows_where_the_broker_has_every_passage_and_since_when() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, frame=7, distortion=Distortion(malformed=0.01)))
    lines = dict.fromkeys(range(played.ledger.rows), 0)
    for index, (arrived, partition, offset) in played.ledger.stored:
        _, value, _ = played.producer.messages[offset]
        device, seq = played.ledger.texts("device")[index], played.ledger.texts("seq")[index]
        assert f'"device":"{device}",'.encode() in value
        assert f'"seq":{seq},'.encode() in value
        assert (arrived, partition) == (played.producer.times[offset], 0)
        lines[index] += 1
        if index > 300:
            break
    assert len(played.ledger.stored) == played.ledger.rows


def test_what_a_device_kept_while_it_was_offline_comes_in_frames_and_nothing_else_does() -> None:
    device = str(small_day().names.devices[np.bincount(small_day().device).argmax()])
    played = Played(
        Plan(SMALL_EXPO, speed=60, start_at=NOON, seed=1, distortion=Distortion.parse(f"offline={device}:3h"))
    )
    assert set(played.identities.values()) == {1}
    frames = [value.split(b"\n") for _, value, _ in played.producer.messages]
    kept = [lines for lines in frames if len(lines) > 1 and all(f'"{device}"'.encode() in line for line in lines)]
    assert sum(map(len, kept)) > 10
    assert max(map(len, kept)) <= 50


def test_the_clock_is_told_before_anything_is_sent() -> None:
    clocks: list[SiteClock] = []
    played = Played(Plan(SMALL_EXPO, speed=60, start_at=NOON, for_seconds=1, seed=1), at_clock=clocks.append)
    assert clocks == [SiteClock(NOON, 1_000_000, 60)]
    assert played.producer.messages
    Played(Plan(SMALL_EXPO, rate=100, for_seconds=1, seed=1), at_clock=clocks.append)
    assert clocks[1:] == [SiteClock()]


def test_when_stopped_it_ends_with_all_that_has_happened_on_its_way() -> None:
    played = Played(Plan(SMALL_EXPO, speed=60, seed=1), stop=lambda sender: sender.counts.events >= 100)
    assert played.ended.stopped
    assert 100 <= len(played.identities) == played.ledger.rows < 1_000
    assert len(played.ledger.results["ok"]) == played.ledger.rows


def test_sending_waits_for_slow_workers() -> None:
    most = 0

    def committed(played: Played) -> Mapping[tuple[str, int], int]:
        nonlocal most
        most = max(most, played.sender.waiting())
        played.time.wait(0.5)
        stored = len(played.producer.messages)
        return {("turnstile.passages", 0): stored, ("vehicle.passages", 0): stored}

    played = Played(Plan(SMALL_EXPO, start_at=AFTER, seed=1, max_lag=5_000, frame=1), committed=committed)
    assert 5_000 < most < 30_000
    assert len(played.producer.lines) == len(small_day())


def test_workers_that_never_commit_do_not_hang_the_end_of_a_run() -> None:
    played = Played(Plan(SMALL_EXPO, start_at=AFTER, for_seconds=20, seed=1, max_lag=100), committed=lambda _: {})
    assert played.ended.seconds < 120


def test_at_a_rate_events_have_the_present_time_and_go_on_day_after_day() -> None:
    played = Played(Plan(SMALL_EXPO, rate=4_000, for_seconds=12, seed=1))
    ts = np.array(played.ledger.texts("ts"))
    assert len(ts) == pytest.approx(48_000, rel=0.02)
    assert len(ts) > len(small_day())
    assert ts.min() >= 1_001_000
    assert np.diff(np.sort(ts)).max() <= 2
    assert set(played.identities.values()) == {1}


def test_a_plan_that_cannot_be_played_is_refused() -> None:
    with pytest.raises(WrongPlanError, match="rate: events at a rate have the present time"):
        Plan(SMALL_EXPO, rate=10, clock=SiteClock(NOON, 0, 60))


def test_the_ledger_is_told_what_was_played() -> None:
    described = Plan(SMALL_EXPO, seed=3).described(expo(), 17)
    assert json.loads(json.dumps(described))["site"] == "expo"
    assert described["epoch"] == 17
