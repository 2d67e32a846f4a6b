"""All alarms of a site, fed in the order of one log: what is known goes in, changes of episodes come out.

Time is that of the logs of passages, not of a clock: a second is judged once every log is complete up to it. A log that
is behind all others by more than PATIENCE_SECONDS (its worker is being started again) is waited for no longer.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from sinks.rows import Block
from streams.kernels.alarms.episodes import Alarm, Episode, episode_rows
from streams.kernels.alarms.inputs import AlarmInput, Command, LogFlow, Reading
from streams.kernels.alarms.recent import SPAN, Recent
from streams.kernels.alarms.rules import LEAST_REFUSED, OVERLOAD, AlarmPlace
from streams.kernels.alarms.silence import Silence
from streams.kernels.batch import Bools, Rejection
from streams.kernels.live import Measure
from streams.kernels.log import LogName, Tally, check_no_hole

PATIENCE_SECONDS: Final = 15
TOLD_SECONDS: Final = 300
"""Real seconds for which Prometheus is told that an episode was cleared."""
READING_SECONDS: Final = 30
"""Real seconds after which an occupancy that was read from the store is not believed any more."""
HICCUP_SECONDS: Final = 10
"""Real seconds for which a broker or a worker may be away without a silence of the site: matters at high speed only."""
_KEPT: Final = 50
"""Cleared episodes that can still be acknowledged."""
_SECOND: Final = 1000
_MINUTE_SECONDS: Final = 60
_REFUSAL_SECONDS: Final = 300
_OPEN_LANE_SECONDS: Final = 300
_SISTERS: Final = 0.2
"""Sisters go on if they have this share of the minute before, at least."""
_OF_AREAS: Final = ("area-capacity", "drift")
_EVENTS: Final = (Measure.PASSED_IN, Measure.PASSED_OUT, Measure.DENIED)


@dataclass(frozen=True, slots=True)
class AlarmBatch:
    """Inputs of consecutive records; see batch.Batch."""

    first: int
    after: int
    inputs: list[tuple[int, int, AlarmInput]]  # with its offset and its arrival at the broker (ms; 0: not known)
    rejections: list[Rejection] = field(default_factory=list)


@dataclass
class AlarmLog:
    """The one log of alarm inputs; the same life as a PassageLog. `episodes`: the open and the newest cleared ones."""

    name: LogName
    place: AlarmPlace
    next_offset: int
    tally: Tally = field(default_factory=Tally)
    clocks: dict[str, tuple[int, int]] = field(default_factory=dict)  # by log: version, complete to (ms)
    now: int = 0  # the newest moment that was judged, ms of site time
    missing: dict[str, dict[str, int]] = field(default_factory=dict)  # by log: events missing by entrance
    reading: Reading | None = None  # the newest as of `now`
    coming: list[Reading] = field(default_factory=list)  # and those after it, in order
    alarms: dict[tuple[str, str, str], Alarm] = field(default_factory=dict)
    episodes: dict[str, Episode] = field(default_factory=dict)
    was_open: bool = False

    def __post_init__(self) -> None:
        """Begin without having heard anything."""
        self.recent = Recent([gate.id for gate in self.place.gates])
        self.silence = Silence(self.place.gates)
        self._changed: list[Episode] = []
        self._told: list[Episode] = []
        self._rejections: list[Rejection] = []
        self._without = self.silence.gates_without()
        self._zones = {gate.inner: self.place.zone_of_area(gate.inner) for gate in self.place.gates}
        self._judged: set[tuple[str, str, str]] = set()
        self._no_lane: Bools = np.zeros(len(self.silence.numbers), dtype=np.bool_)
        self._nothing = np.zeros(len(self.place.gates), dtype=np.int64)

    # -- the life of a log ---------------------------------------------------------------------------------------------

    def apply(self, batch: AlarmBatch) -> None:
        """Take inputs in, and judge every second that is complete. Raises HoleError."""
        check_no_hole(self.name, self.next_offset, batch.first)
        fresh = [(arrived, each) for offset, arrived, each in batch.inputs if offset >= self.next_offset]
        for arrived, each in fresh:
            self._hear(each, self.place.clock.now(arrived) if arrived > 0 else None)
        unfit = [each for each in batch.rejections if each.position.offset >= self.next_offset]
        self._rejections += unfit
        self.tally = self.tally.plus(
            received=len(fresh) + len(unfit), counted=len(fresh), duplicate=0, rejections=unfit
        )
        self.next_offset = max(self.next_offset, batch.after)

    def take(self) -> list[Block]:
        """Return the rows of the episodes that have changed, a row a change."""
        changed, self._changed = self._changed, []
        self._told += changed
        return [episode_rows(str(self.name), changed)] if changed else []

    def take_changes(self) -> list[Episode]:
        """Return the changes whose rows have been taken, for whoever is told once these are stored."""
        told, self._told = self._told, []
        return told

    def take_rejections(self) -> list[Rejection]:
        """Return what could not be read since the last time."""
        rejections, self._rejections = self._rejections, []
        return rejections

    def to_be_told(self) -> list[Episode]:
        """Return the open episodes, and those that were cleared lately; any thread may ask."""
        since = self.now - round(TOLD_SECONDS * _SECOND * self.place.clock.speed)
        return [each for each in list(self.episodes.values()) if each.open or (each.cleared_at or 0) >= since]

    # -- what is known -------------------------------------------------------------------------------------------------

    def _hear(self, said: AlarmInput, arrived: int | None) -> None:
        """Take in what was said; `arrived` at a moment of site time, and nothing can be complete beyond that."""
        for flow in said.flows:
            self._hear_flow(flow, flow.complete_to if arrived is None else min(flow.complete_to, arrived))
        self.coming = sorted([*self.coming, *said.readings], key=lambda each: each.at)
        self._judge()
        for command in said.commands:
            self._command(command)

    def _hear_flow(self, flow: LogFlow, complete_to: int) -> None:
        version, known = self.clocks.get(flow.log, (0, 0))
        self.clocks[flow.log] = (max(version, flow.version), max(known, complete_to))
        if flow.version >= version:
            self.missing[flow.log] = flow.missing
        self.recent.hear(flow)
        self.silence.hear(flow)

    def _command(self, command: Command) -> None:
        episode = self.episodes.get(command.episode)
        if episode is None:
            return
        alarm = self.alarms.get((episode.rule, episode.subject, episode.kind))
        at = max(self.now, episode.changed_at)
        if alarm is not None and alarm.episode is not None and alarm.episode.episode == episode.episode:
            self._note(alarm.command(command.action, at, command.actor, command.until))
        elif command.action == "ack" and episode.acknowledged_at is None:
            self._note(episode.acknowledged_late(at=at, actor=command.actor))

    def _note(self, episode: Episode | None) -> None:
        if episode is None:
            return
        self.episodes[episode.episode] = episode
        self._changed.append(episode)
        cleared = [name for name, each in self.episodes.items() if not each.open]
        for name in cleared[: max(0, len(cleared) - _KEPT)]:
            del self.episodes[name]

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def complete_to(self) -> int:
        """The moment (ms of site time) up to which every log that can be waited for is complete."""
        if not self.clocks:
            return 0
        times = [complete_to for _, complete_to in self.clocks.values()]
        patient = max(times) - round(PATIENCE_SECONDS * _SECOND * self.place.clock.speed)
        return max(min(times), patient) if len(times) >= self.place.logs else patient

    def _judge(self) -> None:
        """Judge every second that is complete by now."""
        second = (self.complete_to - self.place.grace) // _SECOND
        begun = self.now // _SECOND
        if second - begun > SPAN:  # at the beginning, or after hours without a worker: what was then is over
            begun = second - 1 if begun == 0 else second - SPAN
            self.recent.enter(begun)
        for each in range(begun + 1, second + 1):
            self.recent.enter(each - 1)
            self.now = each * _SECOND
            self._judge_moment(self.now)

    def _judge_moment(self, at: int) -> None:
        is_open = self.place.is_open(at)
        if is_open != self.was_open:
            self.silence.forget_usual()
            self.was_open = is_open
        if at % (_MINUTE_SECONDS * _SECOND) == 0:
            self.silence.minute()
        self._judged.clear()
        unknown = self._unknown_lanes(at)
        gates = np.bincount(self.silence.gate_of, weights=unknown, minlength=len(self.place.gates)) > 0
        self._judge_overload(at, gates)
        self._judge_refusals(at, gates)
        self._judge_silence(at, self.silence.parts_with(unknown), is_open=is_open)
        self._judge_areas(at)
        self._judge_missing(at)
        self._withdraw(at)

    def _unknown_lanes(self, at: int) -> Bools:
        """Tell which lanes belong to a log that was not waited for: what is not known of them is no silence."""
        behind = {log for log, (_, complete_to) in self.clocks.items() if complete_to - self.place.grace < at}
        return self.silence.lanes_of(behind) if behind else self._no_lane

    def _withdraw(self, at: int) -> None:
        """Clear what nobody judges any more: its subject is no longer in the profile."""
        for key in self.alarms.keys() - self._judged:
            if self.reading is not None or key[0] not in _OF_AREAS:
                self._note(self.alarms.pop(key).withdraw(at))

    # -- the rules -----------------------------------------------------------------------------------------------------

    def _judge_overload(self, at: int, unknown: Bools) -> None:
        """Persons or vehicles a minute into an entrance, per open lane: one through which somebody came in lately."""
        passed = self.recent.last(Measure.PASSED_IN, _MINUTE_SECONDS)
        lanes = self.silence.open_lanes(at - _OPEN_LANE_SECONDS * _SECOND)
        for number, gate in enumerate(self.place.gates):
            rule = OVERLOAD[gate.kind]
            if passed[number] or (rule, gate.id, "") in self.alarms:
                value = None if unknown[number] else float(passed[number] / max(1, lanes[number]))
                self._step(rule, gate.id, at, value, zone=gate.zone)

    def _judge_refusals(self, at: int, unknown: Bools) -> None:
        denied = self.recent.last(Measure.DENIED, _REFUSAL_SECONDS)
        unwell = self.recent.last(Measure.UNWELL, _REFUSAL_SECONDS)
        tried = denied + self.recent.last(Measure.PASSED_IN, _REFUSAL_SECONDS)
        share = np.where(denied >= LEAST_REFUSED, 100.0 * denied / np.maximum(tried, 1), 0.0)
        for number, gate in enumerate(self.place.gates):
            for rule, value in (("refusals", share[number]), ("health", unwell[number])):
                if value > 0 or (rule, gate.id, "") in self.alarms:
                    self._step(rule, gate.id, at, None if unknown[number] else float(value), zone=gate.zone)

    def _judge_silence(self, at: int, unknown: Bools, *, is_open: bool) -> None:
        """Judge every part of the site; once raised, it is silent until it is heard from again, or the gates close."""
        seconds = self.silence.at(at, alive_elsewhere=self._alive_elsewhere())
        seconds[seconds < HICCUP_SECONDS * self.place.clock.speed] = 0.0
        newest = self.silence.newest()
        for number, part in enumerate(self.silence.parts):
            alarm = self.alarms.get((part.rule, part.subject, ""))
            if alarm is None and not seconds[number]:
                continue
            value = float(seconds[number])
            if alarm is not None and alarm.episode is not None and newest[number] <= alarm.episode.raised_at:
                value = (at - float(newest[number])) / _SECOND
            known = None if unknown[number] and is_open else value * is_open
            self._step(part.rule, part.subject, at, known, zone=part.zone)

    def _alive_elsewhere(self) -> Bools:
        """Tell for each part of the site whether the gates that are no part of it go on as in the minute before."""
        now, before = (
            sum((self.recent.last(each, _MINUTE_SECONDS, before=ago) for each in _EVENTS), start=self._nothing)
            for ago in (0, _MINUTE_SECONDS)
        )
        others, others_before = self._without @ now, self._without @ before
        answer: Bools = (others > 0) & (others >= _SISTERS * others_before)
        return answer | ~self._without.any(axis=1)

    def _judge_areas(self, at: int) -> None:
        """Judge what the store says is inside; what is too old is unknown, which neither raises nor clears."""
        while self.coming and self.coming[0].at <= at:
            self.reading = self.coming.pop(0)
        reading = self.reading
        if reading is None:
            return
        known = at - reading.at <= READING_SECONDS * _SECOND * self.place.clock.speed
        total: dict[str, float] = {}
        for each in reading.inside:
            total[each.kind] = total.get(each.kind, 0.0) + each.inside
            zone = self._zones.get(each.area, "")
            if each.capacity:
                self._capacity(each.area, each.kind, at, each.inside / each.capacity if known else None, zone)
            if each.inside < 0 or ("drift", each.area, each.kind) in self.alarms:
                self._step("drift", each.area, at, float(-each.inside) if known else None, kind=each.kind, zone=zone)
        for kind, capacity in self.place.capacity.items():
            if kind in total:
                self._capacity(self.place.site, kind, at, total[kind] / capacity if known else None, "")

    def _judge_missing(self, at: int) -> None:
        """Name the entrances from which passages are missing: there the occupancy leaks."""
        sums: Counter[str] = Counter()
        for missing in self.missing.values():
            sums.update(missing)
        for gate in self.place.gates:
            if sums[gate.id] or ("drift-entrance", gate.id, "") in self.alarms:
                self._step("drift-entrance", gate.id, at, float(sums[gate.id]), zone=gate.zone)

    def _capacity(self, area: str, kind: str, at: int, share: float | None, zone: str) -> None:
        self._step("area-capacity", area, at, None if share is None else 100.0 * share, kind=kind, zone=zone)

    def _step(self, rule: str, subject: str, at: int, value: float | None, *, kind: str = "", zone: str) -> None:
        key = (rule, subject, kind)
        self._judged.add(key)
        alarm = self.alarms.get(key)
        if alarm is None:
            alarm = self.alarms[key] = Alarm(self.place.rules[rule], subject, kind, zone)
        self._note(alarm.step(at, value))
        if alarm.episode is None and all(latch.idle for latch in alarm.latches):
            del self.alarms[key]
