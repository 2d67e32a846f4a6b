"""The state of all alarms as plain lists, numbers and bytes, and back; see kernels.snapshot."""

from collections import defaultdict
from dataclasses import asdict
from typing import Final

import numpy as np

from streams.kernels.alarms.episodes import Alarm, Episode
from streams.kernels.alarms.inputs import Inside, Reading
from streams.kernels.alarms.limits import Latch
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.alarms.recent import SPAN
from streams.kernels.alarms.rules import AlarmPlace
from streams.kernels.log import LogName
from streams.kernels.snapshot import FORMAT, Plain, check, tally_in, tally_out

_USUAL: Final = ("rate", "rest_rate", "blamed", "revived", "seen", "rest_then")
_RING: Final = np.dtype("<i4")


def freeze(log: AlarmLog) -> Plain:
    """Write the state as of `next_offset`."""
    recent, silence = log.recent, log.silence
    return {
        "format": FORMAT,
        "log": str(log.name),
        "next": log.next_offset,
        **tally_out(log.tally),
        "clocks": [[name, *clock] for name, clock in sorted(log.clocks.items())],
        "missing": log.missing,
        "now": log.now,
        "was_open": log.was_open,
        "reading": asdict(log.reading) if log.reading else None,
        "readings": [asdict(each) for each in log.coming],
        "alarms": [_alarm_out(alarm) for _, alarm in sorted(log.alarms.items())],
        "episodes": [asdict(each) for each in log.episodes.values()],
        "entrances": list(recent.entrances),
        "entered": recent.entered,
        "ring": recent.ring.astype(_RING).tobytes(),
        "known": [[*cell, count] for cell, count in recent.known.items()],
        "coming": [[second, *cell, n] for second, cells in recent.coming.items() for cell, n in cells.items()],
        "heard": [[*key, *each] for key, each in sorted(silence.heard.items())],
        "lanes": list(silence.numbers),
        "usual": [getattr(silence, name).tolist() for name in _USUAL],
        "marks": [mark.tolist() for mark in silence.marks],
    }


def thaw(plain: Plain, name: LogName, place: AlarmPlace) -> AlarmLog:
    """Take up where `freeze` left it, in a site that may have changed since. Raises SnapshotError."""
    check(plain, name)
    log = AlarmLog(name, place, next_offset=plain["next"])
    log.tally = tally_in(plain)
    log.clocks = {each: (version, complete_to) for each, version, complete_to in plain["clocks"]}
    log.now, log.was_open, log.missing = plain["now"], plain["was_open"], plain["missing"]
    log.reading = _reading_in(plain["reading"]) if plain["reading"] else None
    log.coming = [_reading_in(each) for each in plain["readings"]]
    log.episodes = {each["episode"]: Episode(**each) for each in plain["episodes"]}
    for alarm in (_alarm_in(each, log) for each in plain["alarms"] if each["rule"] in place.rules):
        log.alarms[alarm.rule.name, alarm.subject, alarm.kind] = alarm
    _recent_in(plain, log)
    _silence_in(plain, log)
    return log


def _alarm_out(alarm: Alarm) -> Plain:
    return {
        "rule": alarm.rule.name,
        "subject": alarm.subject,
        "kind": alarm.kind,
        "zone": alarm.zone,
        "latches": {limit.level: [latch.holds, latch.since] for limit, latch in alarm.judged()},
        "episode": alarm.episode.episode if alarm.episode else None,
        "peak": alarm.peak,
        "worst": alarm.worst,
        "told_at": alarm.told_at,
        "shelved_until": alarm.shelved_until,
    }


def _alarm_in(plain: Plain, log: AlarmLog) -> Alarm:
    rule = log.place.rules[plain["rule"]]
    latches = [Latch(*plain["latches"].get(limit.level, ())) for limit in rule.limits]
    return Alarm(
        rule, plain["subject"], plain["kind"], plain["zone"],
        latches=latches, worst=plain["worst"], episode=log.episodes.get(plain["episode"] or ""), peak=plain["peak"],
        told_at=plain["told_at"], shelved_until=plain["shelved_until"],
    )  # fmt: skip


def _reading_in(plain: Plain) -> Reading:
    return Reading(plain["at"], [Inside(**each) for each in plain["inside"]])


def _recent_in(plain: Plain, log: AlarmLog) -> None:
    recent, names = log.recent, plain["entrances"]
    recent.entered = plain["entered"]
    ring = np.frombuffer(plain["ring"], dtype=_RING).reshape(-1, len(names), SPAN)
    numbers: list[int | None] = [recent.numbers.get(name) for name in names]
    for old, new in enumerate(numbers):
        if new is not None:
            recent.ring[: len(ring), new] = ring[:, old]
    recent.known = {(name, second, entrance, measure): n for name, second, entrance, measure, n in plain["known"]}
    for second, old, measure, n in plain["coming"]:
        place = numbers[old]
        if place is not None:
            recent.coming.setdefault(second, defaultdict(int))[place, measure] = n


def _silence_in(plain: Plain, log: AlarmLog) -> None:
    silence = log.silence
    for name, device, last, events, entered in plain["heard"]:
        silence.hear_of(name, device, last, events, entered=entered)
    if plain["lanes"] == list(silence.numbers):  # otherwise what is usual is learnt anew, within minutes
        for attribute, figures in zip(_USUAL, plain["usual"], strict=False):  # older versions kept fewer
            setattr(silence, attribute, np.array(figures, dtype=getattr(silence, attribute).dtype))
        silence.marks = [np.array(mark, dtype=np.int64) for mark in plain["marks"]]
