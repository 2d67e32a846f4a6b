"""Judges all alarm rules of a site, second by second, from the inputs of one partition; changes of episodes come out.

Time is that of the logs of passages, not of a clock: a second is judged once every log is complete up to it. A log that
is behind all others by more than PATIENCE_SECONDS (its worker is being started again) is waited for no longer.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.kernels.alarms.areas import LATELY_SECONDS, Areas, Leaks, SetAside
from streams.kernels.alarms.episodes import Alarm, Episode, episode_rows
from streams.kernels.alarms.inputs import AlarmInput, Command, LogFlow, OccupancyReading
from streams.kernels.alarms.recent import SPAN, RecentCounts
from streams.kernels.alarms.rules import LEAST_REFUSED, OVERLOAD, AlarmSite
from streams.kernels.alarms.silence import SilenceDetector
from streams.kernels.counts.batch import Bools, Ints, Rejection
from streams.kernels.counts.calendar import SECOND_MS
from streams.kernels.counts.columns import Block
from streams.kernels.counts.live import Measure
from streams.kernels.counts.partition_log import PartitionId, PartitionLog

PATIENCE_SECONDS: Final = 15
READING_SECONDS: Final = 30
"""Real seconds after which an occupancy that was read from the store is not believed any more."""
CLOCK_SECONDS: Final = 60
"""Real seconds by which the clocks of workers and brokers may differ and be believed, as for `broker-clock`."""
HICCUP_SECONDS: Final = 10
"""Real seconds for which a broker or a worker may be away without a silence of the site: matters at high speed only."""
_MOST_CLEARED: Final = 50  # cleared episodes that can still be acknowledged
_MINUTE_SECONDS: Final = 60
_REFUSAL_SECONDS: Final = 300
_OPEN_LANE_SECONDS: Final = 300
_AT_ONCE: Final = SPAN - _REFUSAL_SECONDS
"""Seconds that are added up together: the window of the first of them still holds at the last one."""
_STORED: Final = ("area-capacity", "drift", "source-unread", "source-time")  # rules about what is read from the store
_SET_ASIDE: Final = "unprocessable"
_EVENTS: Final = (Measure.PASSED_IN, Measure.PASSED_OUT, Measure.DENIED)


@dataclass(frozen=True, slots=True)
class AlarmBatch:
    """Inputs of consecutive records; see batch.Batch."""

    first: int
    after: int
    inputs: list[tuple[int, int, AlarmInput]]  # with its offset and its arrival at the broker (ms; 0: not known)
    rejections: list[Rejection] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SavedAlarms:
    """What the last snapshot was of; see `changes`."""

    next_offset: int
    entered: int  # the newest second that counted
    usual: list[NDArray[Any]]  # by part of the site: what the silence detector has learnt
    minute_totals: list[Ints]


class AlarmLog(PartitionLog):
    """The one log of alarm inputs."""

    def __init__(self, name: PartitionId, place: AlarmSite, *, next_offset: int) -> None:
        super().__init__(name, next_offset=next_offset)
        self.place = place
        self.clocks: dict[str, tuple[int, int]] = {}  # by log: version, complete to (ms)
        self.now = 0  # the newest moment that was judged, ms of site time
        self.alarms: dict[tuple[str, str, str], Alarm] = {}  # by rule, subject, kind
        self.episodes: dict[str, Episode] = {}  # the open and the newest cleared ones
        self.was_open = False
        self.recent = RecentCounts([entrance.id for entrance in place.entrances])
        self.silence = SilenceDetector(place.entrances)
        self.leaks = Leaks(place.entrances)
        self.areas = Areas(place)
        self.set_aside = SetAside()
        self.saved: SavedAlarms | None = None  # None: there is no snapshot on which one of changes could follow
        self._changed: list[Episode] = []
        self._unpublished: list[Episode] = []
        self._numbers = {entrance.id: number for number, entrance in enumerate(place.entrances)}
        self._parts = {(part.rule, part.subject): number for number, part in enumerate(self.silence.parts)}
        self._judged: set[tuple[str, str, str]] = set()
        self._nothing_unknown = self.silence.active_through(())

    # -- the life of a log ---------------------------------------------------------------------------------------------

    def apply(self, batch: AlarmBatch) -> None:
        """Take inputs in, and judge every second that is complete. Raises OffsetGapError."""
        self._check_no_gap(batch.first)
        fresh = [(arrived, each) for offset, arrived, each in batch.inputs if offset >= self.next_offset]
        for arrived, each in fresh:
            self._ingest(each, self.place.clock.now(arrived) if arrived > 0 else None)
        unfit = [each for each in batch.rejections if each.position.offset >= self.next_offset]
        self._advance(
            batch.after,
            received=len(fresh) + len(unfit),
            records=max(0, batch.after - max(self.next_offset, batch.first)),
            counted=len(fresh),
            rejections=unfit,
        )

    def drain(self) -> list[Block]:
        """Return the rows of the episodes that have changed, a row a change."""
        changed, self._changed = self._changed, []
        return [episode_rows(str(self.name), changed)] if changed else []

    def unpublished(self) -> list[Episode]:
        """Return the changes that are not published yet, in order."""
        return list(self._unpublished)

    def drain_changes(self, most: int | None = None) -> list[Episode]:
        """Return the oldest changes, all or so many, and count them as published."""
        changes = self._unpublished[:most]
        del self._unpublished[:most]
        return changes

    def open_episodes(self) -> list[Episode]:
        """Return the open episodes; any thread may ask."""
        return [each for each in list(self.episodes.values()) if each.open]

    # -- what is known -------------------------------------------------------------------------------------------------

    def _ingest(self, line: AlarmInput, arrived: int | None) -> None:
        """Process one line of input; `arrived` at a moment of site time, and nothing can be complete beyond that."""
        for flow in line.flows:
            self._ingest_flow(flow, flow.complete_to if arrived is None else min(flow.complete_to, arrived))
        self.areas.ingest([self._as_of(each, arrived) for each in line.readings])
        self.set_aside.count(line.unprocessable)
        self._judge()
        for command in line.commands:
            self._command(command)

    def _as_of(self, reading: OccupancyReading, arrived: int | None) -> OccupancyReading:
        """Return a reading as of now if its clock contradicts the brokers': it would wait, or be too old, for ever."""
        most = CLOCK_SECONDS * SECOND_MS * self.place.clock.speed
        now = max(self.now, self.complete_to)
        if arrived is None or not now or abs(reading.at - arrived) <= most:
            return reading
        problems = [replace(each, since=each.since - reading.at + now) for each in reading.problems]
        return replace(reading, at=now, problems=problems)

    def _ingest_flow(self, flow: LogFlow, complete_to: int) -> None:
        if flow.log not in self.clocks:  # a partition that was made anew: nothing comes in its other logs any more
            place = flow.log.partition("@")[0]
            self.clocks = {name: clock for name, clock in self.clocks.items() if name.partition("@")[0] != place}
        version, known = self.clocks.get(flow.log, (0, 0))
        self.clocks[flow.log] = (max(version, flow.version), max(known, complete_to))
        if flow.version >= version:
            self.leaks.ingest(flow)
        self.recent.ingest(flow)
        for device, _, last, events, entered in flow.lanes:
            self.silence.ingest(flow.log, device, last, events, entered=entered)

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
        self._unpublished.append(episode)
        cleared = [name for name, each in self.episodes.items() if not each.open]
        for name in cleared[: max(0, len(cleared) - _MOST_CLEARED)]:
            del self.episodes[name]

    # -- time ----------------------------------------------------------------------------------------------------------

    @property
    def complete_to(self) -> int:
        """The moment (ms of site time) up to which every log that can be waited for is complete."""
        if not self.clocks:
            return 0
        times = [complete_to for _, complete_to in self.clocks.values()]
        patient = max(times) - round(PATIENCE_SECONDS * SECOND_MS * self.place.clock.speed)
        return max(min(times), patient) if len(times) >= self.place.logs else patient

    def _judge(self) -> None:
        second = (self.complete_to - self.place.grace) // SECOND_MS
        begun = self.now // SECOND_MS
        if second - begun > SPAN:  # at the beginning, or after hours without a worker: what was then is over
            begun = second - 1 if begun == 0 else second - SPAN
            self.recent.enter(begun)
        for first in range(begun + 1, second + 1, _AT_ONCE):
            after = min(first + _AT_ONCE, second + 1)
            self.recent.enter(after - 2)
            for each in range(first, after):
                self.now = each * SECOND_MS
                self._judge_moment()

    def _judge_moment(self) -> None:
        is_open = self.place.is_open(self.now)
        if is_open != self.was_open:
            self.silence.forget_usual()
            self.was_open = is_open
        if self.now % (_MINUTE_SECONDS * SECOND_MS) == 0:
            self.silence.minute()
        self._judged.clear()
        # What has lanes of a log that is behind is unknown: that is no silence.
        behind = {log for log, (_, complete_to) in self.clocks.items() if complete_to - self.place.grace < self.now}
        entrances, parts = self.silence.active_through(behind) if behind else self._nothing_unknown
        self._judge_overload(entrances)
        self._judge_refusals(entrances)
        self._judge_silence(parts, is_open=is_open)
        self._judge_stored()
        self._judge_set_aside()
        for key in sorted(self.alarms.keys() - self._judged):  # its subject is no longer in the profile
            if self.areas.reading is not None or key[0] not in _STORED:
                self._note(self.alarms.pop(key).withdraw(self.now))

    # -- the rules -----------------------------------------------------------------------------------------------------

    def _judge_overload(self, unknown: Bools) -> None:
        """Persons or vehicles a minute into an entrance, per open lane: one through which somebody came in lately."""
        passed = self._last(Measure.PASSED_IN, _MINUTE_SECONDS)
        values = passed / np.maximum(1, self.silence.open_lanes(self.now - _OPEN_LANE_SECONDS * SECOND_MS))
        candidates = (values > 0) & (values >= min(self._least(rule) for rule in OVERLOAD.values()))
        for number in self._to_judge(candidates, OVERLOAD.values()):
            rule = OVERLOAD[self.place.entrances[number].kind]
            self._step_entrance(rule, number, values[number], known=not unknown[number])

    def _judge_refusals(self, unknown: Bools) -> None:
        denied, unwell = (self._last(each, _REFUSAL_SECONDS) for each in (Measure.DENIED, Measure.UNWELL))
        tried = denied + self._last(Measure.PASSED_IN, _REFUSAL_SECONDS)
        share = np.where(denied >= LEAST_REFUSED, 100.0 * denied / np.maximum(tried, 1), 0.0)
        candidates = (share >= self._least("refusals")) | (unwell >= self._least("health"))
        for number in self._to_judge(((share > 0) | (unwell > 0)) & candidates, ("refusals", "health")):
            self._step_entrance("refusals", number, share[number], known=not unknown[number])
            self._step_entrance("health", number, unwell[number], known=not unknown[number])

    def _judge_silence(self, unknown: Bools, *, is_open: bool) -> None:
        """Judge every part of the site; once raised, it is silent until it sends an event, or the site closes."""
        seconds, newest = self.silence.at(self.now), self.silence.newest
        seconds[seconds < HICCUP_SECONDS * self.place.clock.speed] = 0.0
        if seconds.any():
            seconds *= self.silence.alive_elsewhere(self._events(), self._events(ago=_MINUTE_SECONDS))
        alarmed = {self._parts[rule, of] for rule, of, _ in self.alarms if (rule, of) in self._parts}
        for number in sorted(alarmed.union(seconds.nonzero()[0].tolist())):
            part = self.silence.parts[number]
            alarm = self.alarms.get((part.rule, part.subject, ""))
            value = float(seconds[number])
            if alarm is not None and alarm.episode is not None and newest[number] <= alarm.episode.raised_at:
                value = (self.now - float(newest[number])) / SECOND_MS
            self._step(
                part.rule, part.subject, None if unknown[number] and is_open else value * is_open, zone=part.zone
            )

    def _judge_stored(self) -> None:
        """Judge what the store says; what is too old is unknown, which neither raises nor clears."""
        self.areas.go_on(self.now)
        newest = self.areas.reading
        known = newest is not None and self.now - newest.at <= READING_SECONDS * SECOND_MS * self.place.clock.speed
        for key, figure in self.areas.figures.items():
            if figure.exceeds or key in self.alarms:
                rule, subject, kind = key
                self._step(rule, subject, figure.value if known else None, kind=kind, zone=figure.zone)
        # From where passages are missing, the occupancy leaks.
        if newest is None or newest.missing is None:
            self._judge_entrances("drift-entrance", self.leaks.by_entrance, known=True)
        else:
            self._judge_entrances("drift-entrance", self.leaks.in_order(newest.missing), known=known)
        conflicts = None if newest is None else newest.conflicts
        self._judge_entrances("conflicts", self.leaks.in_order(conflicts or {}), known=known and conflicts is not None)

    def _judge_entrances(self, rule: str, figures: Ints, *, known: bool) -> None:
        for number in self._to_judge(figures > 0, (rule,)):
            self._step_entrance(rule, number, figures[number], known=known)

    def _judge_set_aside(self) -> None:
        """Name the partitions with lines on which the platform itself fails."""
        lately = round(LATELY_SECONDS * SECOND_MS * self.place.clock.speed)
        for subject, lines in self.set_aside.at(self.now, lately=lately).items():
            self._step(_SET_ASIDE, subject, float(lines))
        for rule, subject, kind in list(self.alarms):
            if rule == _SET_ASIDE and (rule, subject, kind) not in self._judged:
                self._step(_SET_ASIDE, subject, 0.0)

    def _last(self, measure: Measure, seconds: int, *, ago: int = 0) -> Ints:
        """Sum so many seconds before the moment that is judged, or before some seconds ago: one figure an entrance."""
        return self.recent.last(measure, seconds, before=self.recent.entered + 1 - self.now // SECOND_MS + ago)

    def _events(self, *, ago: int = 0) -> Ints:
        """Count the events of a minute, whatever became of them: one figure an entrance."""
        events: Ints = np.sum([self._last(each, _MINUTE_SECONDS, ago=ago) for each in _EVENTS], axis=0)
        return events

    def _to_judge(self, candidates: Bools, rules: Collection[str]) -> list[int]:
        """List the entrances that may exceed a limit of these rules, and those with an alarm of them."""
        alarmed = {self._numbers[of] for rule, of, _ in self.alarms if rule in rules and of in self._numbers}
        return sorted(alarmed.union(candidates.nonzero()[0].tolist()))

    def _least(self, rule: str) -> float:
        """Tell the lowest limit of a rule: what is below it asks for nothing where there is no alarm."""
        return self.place.rules[rule].limits[0].value

    def _step_entrance(self, rule: str, number: int, value: float, *, known: bool) -> None:
        entrance = self.place.entrances[number]
        self._step(rule, entrance.id, float(value) if known else None, zone=entrance.zone)

    def _step(self, rule: str, subject: str, value: float | None, *, kind: str = "", zone: str = "") -> None:
        """Go on with an alarm at the moment that is judged; None: the value is not known."""
        key, judged_by = (rule, subject, kind), self.place.rules[rule]
        alarm = self.alarms.get(key)
        if alarm is None:
            if value is None or not judged_by.exceeds(value, judged_by.limits[0]):
                return
            alarm = self.alarms[key] = Alarm(judged_by, subject, kind, zone)
        self._judged.add(key)
        self._note(alarm.step(self.now, value))
        if alarm.episode is None and all(latch.idle for latch in alarm.latches):
            del self.alarms[key]
