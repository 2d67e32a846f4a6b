"""Fault scenarios for alarms: a plant raises the same episodes as the kernels, with a worker killed meanwhile.

What should be raised, and when, is proven by the labelled set (`simulators/incidents`) without any server; here the
same events go through Kafka, and the same must come out. How messages reach people is in `tests/infra/alerting`.
"""

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from simulators.incidents.evaluate import judge
from simulators.incidents.labelled import INCIDENTS, PROFILE, Incident, ground
from simulators.incidents.stage import Stage
from simulators.incidents.traffic import Ground, Traffic
from simulators.scenario.day import SiteCodes
from tests.faults.by_hand import Hand, Passage, by_hand
from tests.faults.catalogue import Layout, fault
from tests.faults.trial import Trial

_HAND: Final = 0.1  # seconds between two handfuls
_AFTER: Final = 30.0  # seconds until the alarms are at the end of the story
_OF_ENTRANCES: Final = ("entrance-overload", "silence-lane", "silence-entrance", "silence-gateway", "drift-entrance")
"""Rules that depend on the events alone; occupancy begins with nobody here."""
_SAMPLED: Final = 8.0
"""Silence and missing events are as of a worker's telling, so they may be apart for as long as a killed worker is away:
so many real seconds. An overload is the same to the millisecond."""
_CHANGES: Final = """
SELECT rule, subject, what, level, toUnixTimestamp64Milli(changed_at) FROM gatepulse.alarm_changes
WHERE rule IN %(rules)s AND what != 'repeated' ORDER BY changed_at, episode, change
"""
_SITE: Final = {"SITE": str(PROFILE)}
Change = tuple[str, str, str, str, int]


@fault("T29", layout=Layout(speed=20.0, start_at=dt.time(10), scenario="expo", settings=_SITE))
def overloads(trial: Trial) -> None:
    """An entrance is overloaded for 29 s, 31 s, and around the limit; the on-delay is 30 s; the worker is killed."""
    _play_all(trial, ["overload-31s"] if trial.quick else ["overload-29s", "overload-31s", "flapping"])


@fault("T30", layout=Layout(speed=5.0, start_at=dt.time(10), scenario="expo", settings=_SITE))
def entrance_goes_silent(trial: Trial) -> None:
    """An entrance sends nothing for five minutes, and the worker is killed meanwhile: one alarm within two minutes."""
    _play_all(trial, ["gate-outage"], minutes=30)


@fault("T31", layout=Layout(speed=20.0, start_at=dt.time(10), scenario="expo", settings=_SITE))
def exits_are_missed(trial: Trial) -> None:
    """1 % of the exits at one entrance are lost on the way: an alarm names it; the worker is killed meanwhile."""
    _play_all(trial, ["leak"])


def _play_all(trial: Trial, names: Sequence[str], *, minutes: float | None = None) -> None:
    on = ground()
    stories = {each.name: each for each in (make(on) for make in INCIDENTS)}
    with by_hand(trial) as hand:
        for name in names:
            trial.say(name)
            _play(trial, hand, stories[name], on, minutes or stories[name].minutes)


def _play(trial: Trial, hand: Hand, story: Incident, on: Ground, minutes: float) -> None:
    """Play a story from the next full minute of the site's clock on; its events have passed when this returns."""
    clock = trial.plant.clock
    begin = (clock.now(_now()) // 60_000 + 2) * 60_000
    until = on.begin + round(minutes * 60_000)
    traffic = story.traffic.where(story.traffic.ts < until)
    before = len(_found(trial))
    with trial.fault("the worker is killed in the middle of it"):
        _give(trial, hand, SiteCodes(on.site), traffic, shift=begin - on.begin)
    end = clock.real(begin + until - on.begin) / 1000 + 1
    trial.wait(max(0.0, end - time.time()))
    expected = _expected(on, traffic, until, shift=begin - on.begin)
    trial.until(lambda: len(_found(trial)) - before >= len(expected), f"episodes of {story.name}", _AFTER)
    trial.wait(3.0)  # and no more than these
    found = _found(trial)[before:]
    same = len(found) == len(expected) and all(_same(*pair, clock.speed) for pair in zip(found, expected, strict=True))
    trial.expect(f"{story.name}: the kernels' episodes", same, f"expected {expected}, found {found}")
    trial.expect(f"{story.name}: as labelled", judge(story, on).well)
    apart = max((abs(a[-1] - b[-1]) for a, b in zip(found, expected, strict=False)), default=0)
    trial.note(f"{story.name}: {len(expected)} changes, {apart} ms apart at most")


def _give(trial: Trial, hand: Hand, names: SiteCodes, traffic: Traffic, *, shift: int) -> None:
    """Hand each event in as it happens, and kill the worker in the middle."""
    clock, given, killed = trial.plant.clock, 0, False
    middle = len(traffic) // 2
    while given < len(traffic):
        ready = int(np.searchsorted(traffic.ts, clock.now(_now()) - shift))
        if ready > given:
            _hand_in(hand, names, traffic, range(given, ready), shift=shift)
            given = ready
        if not killed and given >= middle:
            trial.kill(trial.plant.worker)
            killed = True
        time.sleep(_HAND)


def _hand_in(hand: Hand, names: SiteCodes, traffic: Traffic, rows: range, *, shift: int) -> None:
    passages: list[Passage] = []
    for row in rows:
        device, number = str(names.devices[traffic.device[row]]), int(names.entrance_of[traffic.device[row]])
        entrance = names.site.entrances[number]
        if traffic.lost[row]:
            hand.give(passages)
            passages = []
            hand.skip(device)
            continue
        category = names.site.categories_of(entrance.kind)[0].id
        direction = "out" if traffic.direction[row] else "in"
        ts = int(traffic.ts[row]) + shift
        passages.append(Passage(ts, device, entrance.id, direction, entrance.kind, category))
    hand.give(passages)


def _expected(on: Ground, traffic: Traffic, until: int, *, shift: int) -> list[Change]:
    changes = Stage(on.site).play(traffic, until=until)
    return [
        (each.rule, each.subject, each.what, each.level, each.changed_at + shift)
        for each in changes
        if each.rule in _OF_ENTRANCES and each.what != "repeated"
    ]


def _same(found: Change, expected: Change, speed: float) -> bool:
    allowed = 0 if found[0] == "entrance-overload" else 1000 * _SAMPLED * speed
    return found[:-1] == expected[:-1] and abs(found[-1] - expected[-1]) <= allowed


def _found(trial: Trial) -> list[Change]:
    reader = trial.plant.reader()
    try:
        rows: list[tuple[Any, ...]] = reader.query(_CHANGES, {"rules": list(_OF_ENTRANCES)})
    finally:
        reader.close()
    return [(str(rule), str(subject), str(what), str(level), int(at)) for rule, subject, what, level, at in rows]


def _now() -> int:
    return time.time_ns() // 1_000_000
