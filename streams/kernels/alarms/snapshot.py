"""Saves and restores the state of all alarms as plain lists, numbers and bytes; see `kernels.counts.snapshot`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np

from streams.kernels.alarms.episodes import Alarm, Episode, Latch
from streams.kernels.alarms.inputs import Inside, OccupancyReading, SourceProblem
from streams.kernels.alarms.log import AlarmLog
from streams.kernels.alarms.recent import CellCounts, RecentCounts
from streams.kernels.alarms.rules import AlarmSite
from streams.kernels.counts.batch import Ints
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.snapshot import Plain, check, head_of, tally_in

FEW_ENTRANCES: Final = 256
"""Up to so many, a state is written as versions take it up that know neither steps nor numbers of entrances."""
USUAL: Final = ("rate", "rest_rate", "blamed", "revived", "seen", "rest_then")
KEYS: Final = np.dtype("<i8")
COUNTS: Final = np.dtype("<i4")


def freeze(log: AlarmLog) -> Plain:
    """Write the state as of `next_offset`."""
    recent, silence = log.recent, log.silence
    columns = {
        "kept": counts_out(recent.window()),
        "known": {name: counts_out(_sorted(known)) for name, known in sorted(recent.known.items())},
        "coming": counts_out(recent.coming),
    }
    return {
        **freeze_small(log),
        "entrances": list(recent.entrances),
        # Neighbouring keys differ little, and steps from key to key that repeat take little room.
        **({"steps": in_steps(columns)} if _is_large(log) else columns),
        "heard": [[*key, *each] for key, each in sorted(silence.lane_reports.items())],
        "lanes": list(silence.numbers),
        "usual": [getattr(silence, name).tolist() for name in USUAL],
        "marks": [totals.tolist() for totals in silence.minute_totals],
    }


def freeze_small(log: AlarmLog) -> Plain:
    """Write what does not grow with the traffic, nor with the lanes while these are well."""
    recent, large = log.recent, _is_large(log)
    return {
        **head_of(log),
        "clocks": [[name, *clock] for name, clock in sorted(log.clocks.items())],
        "missing": dict(log.leaks.missing),  # it is encoded later, and may have changed by then
        "set_aside": [[name, *each] for name, each in sorted(log.set_aside.logs.items())],
        "now": log.now,
        "was_open": log.was_open,
        "reading": _reading_out(log.areas.reading, recent, large=large) if log.areas.reading else None,
        "readings": [_reading_out(each, recent, large=large) for each in log.areas.coming],
        "alarms": [_alarm_out(alarm) for _, alarm in sorted(log.alarms.items())],
        "episodes": [asdict(each) for each in log.episodes.values()],
        "entered": recent.entered,
    }


def _is_large(log: AlarmLog) -> bool:
    return len(log.recent.entrances) > FEW_ENTRANCES


def thaw(plain: Plain, name: PartitionId, place: AlarmSite) -> AlarmLog:
    """Take up where `freeze` left it, in a site that may have changed since. Raises SnapshotError."""
    check(plain, name)
    log = AlarmLog(name, place, next_offset=plain["next"])
    log.tally = tally_in(plain)
    log.clocks = {each: (version, complete_to) for each, version, complete_to in plain["clocks"]}
    log.now, log.was_open = plain["now"], plain["was_open"]
    log.leaks.restore(plain["missing"])
    log.set_aside.logs = {each: (total, before, at) for each, total, before, at in plain.get("set_aside", ())}
    log.areas.restore(_reading_in(plain["reading"], plain["entrances"]) if plain["reading"] else None)
    log.areas.coming = [_reading_in(each, plain["entrances"]) for each in plain["readings"]]
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
        "told_at": alarm.notified_at,
        "shelved_until": alarm.shelved_until,
    }


def _alarm_in(plain: Plain, log: AlarmLog) -> Alarm:
    rule = log.place.rules[plain["rule"]]
    latches = [Latch(*plain["latches"].get(limit.level, ())) for limit in rule.limits]
    return Alarm(
        rule, plain["subject"], plain["kind"], plain["zone"],
        latches=latches, worst=plain["worst"], episode=log.episodes.get(plain["episode"] or ""), peak=plain["peak"],
        notified_at=plain["told_at"], shelved_until=plain["shelved_until"],
    )  # fmt: skip


def _reading_out(reading: OccupancyReading, recent: RecentCounts, *, large: bool) -> Plain:
    """Write a reading, at a large site entrances by their numbers; those that the profile lacks are of no use."""
    if not large:
        return asdict(reading)

    def by_number(figures: Mapping[str, int]) -> list[list[int]]:
        return [[recent.numbers[name], n] for name, n in figures.items() if name in recent.numbers]

    return {
        "at": reading.at,
        "inside": [[each.area, each.kind, each.inside, each.capacity] for each in reading.inside],
        "missing": None if reading.missing is None else by_number(reading.missing),
        "conflicts": None if reading.conflicts is None else by_number(reading.conflicts),
        "problems": [asdict(each) for each in reading.problems],
    }


def _reading_in(plain: Plain, entrances: Sequence[str]) -> OccupancyReading:
    def by_name(figures: dict[str, int] | list[list[int]] | None) -> dict[str, int] | None:
        if figures is None or isinstance(figures, dict):  # of a site with few entrances
            return figures
        return {entrances[number]: n for number, n in figures}

    inside = [Inside(**each) if isinstance(each, dict) else Inside(*each) for each in plain["inside"]]
    problems = [SourceProblem(**each) for each in plain.get("problems", ())]
    return OccupancyReading(
        plain["at"], inside, by_name(plain.get("missing")), by_name(plain.get("conflicts")), problems
    )


def counts_out(counts: CellCounts) -> list[bytes]:
    """Write keys and counts, a column each."""
    return [counts.keys.astype(KEYS).tobytes(), counts.counts.astype(COUNTS).tobytes()]


def _sorted(known: Mapping[int, int]) -> CellCounts:
    keys = np.fromiter(known.keys(), dtype=np.int64, count=len(known))
    counts = np.fromiter(known.values(), dtype=np.int64, count=len(known))
    order = np.argsort(keys)
    return CellCounts(keys[order], counts[order])


def in_steps(columns: Plain) -> Plain:
    """Write each key of counts as the step from the one before."""
    return _with_keys(columns, lambda keys: np.diff(keys, prepend=0))


def out_of_steps(columns: Plain) -> Plain:
    """Undo `in_steps`."""
    return _with_keys(columns, np.cumsum)


def _with_keys(columns: Plain, change: Callable[[Ints], Ints]) -> Plain:
    def changed(keys_and_counts: list[bytes]) -> list[bytes]:
        keys, counts = keys_and_counts
        return [change(np.frombuffer(keys, dtype=KEYS)).astype(KEYS).tobytes(), counts]

    known = {name: changed(each) for name, each in columns["known"].items()}
    return {"kept": changed(columns["kept"]), "coming": changed(columns["coming"]), "known": known}


def _recent_in(plain: Plain, log: AlarmLog) -> None:
    recent, names = log.recent, plain["entrances"]
    columns = out_of_steps(plain["steps"]) if "steps" in plain else plain
    window, coming = (_counts_in(columns[name], names, recent) for name in ("kept", "coming"))
    recent.restore(plain["entered"], window)
    recent.coming = coming
    for name, written in columns["known"].items():
        known = _counts_in(written, names, recent)
        recent.known[name] = dict(zip(known.keys.tolist(), known.counts.tolist(), strict=True))


def _counts_in(plain: list[bytes], names: list[str], recent: RecentCounts) -> CellCounts:
    """Read counts at a site with entrances of these names, some of which may no longer be there."""
    keys = np.frombuffer(plain[0], dtype=KEYS).astype(np.int64)
    counts = CellCounts(keys, np.frombuffer(plain[1], dtype=COUNTS).astype(np.int64))
    if names == list(recent.entrances) or not len(keys):
        return counts
    numbers = np.array([recent.numbers.get(name, -1) for name in names], dtype=np.int64)
    rows, number = keys // len(names), numbers[keys % len(names)]  # a row a second and measure
    return CellCounts(rows * len(recent.entrances) + number, counts.counts).where(number >= 0)


def _silence_in(plain: Plain, log: AlarmLog) -> None:
    silence = log.silence
    for name, device, last, events, entered in plain["heard"]:
        silence.ingest(name, device, last, events, entered=entered)
    if plain["lanes"] == list(silence.numbers):  # otherwise what is usual is learnt anew, within minutes
        for attribute, figures in zip(USUAL, plain["usual"], strict=False):  # older versions wrote fewer
            setattr(silence, attribute, np.array(figures, dtype=getattr(silence, attribute).dtype))
        silence.minute_totals = [np.array(totals, dtype=np.int64) for totals in plain["marks"]]
