"""Computes which lanes to open and where to divert people, so that no wait exceeds a limit.

Lanes come first, as opening one moves nobody; who must still wait too long is sent to an entrance nearby into the same
area. Nothing is advised that is not there (lanes), that would move the queue (an entrance that would exceed the limit
itself), or that would serve those who walk worse than waiting. Effects are those of the fluid queue of `queueing.py`;
an entrance whose queue cannot be known gets no advice, and nobody is sent there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from streams.kernels.forecast.paths import Floats
from streams.kernels.forecast.queueing import LONGEST_WAIT, PERSONS_A_MINUTE, lane_rate, run

READY_AFTER: Final = 5
"""Minutes until an advised lane is open or people are being sent elsewhere (assumed: staff walk there)."""
_STEP: Final = 0.05  # shares of people to send elsewhere are multiples of this


@dataclass(frozen=True)
class Link:
    """A way on foot to another entrance `to`, `minutes` long."""

    to: str
    minutes: float


@dataclass(frozen=True)
class EntranceLoad:
    """An entrance now."""

    id: str
    inner: str  # the area it leads to
    open_lanes: int
    spare_lanes: int
    waiting: float | None  # persons; None: not known
    arrivals: tuple[float, ...]  # expected in each of the next minutes: of all as many, more than READY_AFTER
    rate: float | None = None  # persons per minute and lane as measured, None for the planning rate
    rated: float = PERSONS_A_MINUTE  # the planning rate, which caps `rate`
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Diversion:
    """The `share` of an entrance's arrivals to be sent `to` another."""

    to: str
    share: float
    people: float  # a minute on average
    walk: float  # minutes
    wait_before: float  # the longest there, minutes
    wait_after: float


@dataclass(frozen=True)
class Advice:
    """What to do at one entrance. Waits are the longest of those who arrive from READY_AFTER minutes on, in minutes."""

    entrance: str
    lanes_before: int
    lanes_after: int
    diversions: tuple[Diversion, ...]
    wait_before: float
    wait_after: float
    limit: float

    @property
    def enough(self) -> bool:
        """Whether the wait is brought under the limit; otherwise people must be held back before they come."""
        return self.wait_after <= self.limit

    def text(self) -> str:
        """Return it as a sentence."""
        opened = self.lanes_after - self.lanes_before
        parts = [f"open {opened} {'lane' if opened == 1 else 'lanes'} at {self.entrance}"] * bool(opened)
        parts += [
            f"send {each.share:.0%} of {self.entrance} ({each.people:.0f}/min) to {each.to}, {each.walk:.0f} min on"
            f" foot (wait there {each.wait_before:.0f} → {each.wait_after:.0f} min)"
            for each in self.diversions
        ]
        effect = f"wait {self.wait_before:.0f} → {self.wait_after:.0f} min"
        if not parts:
            return f"{self.entrance}: no lane is spare and no entrance nearby has room: hold people back ({effect})"
        rest = "" if self.enough else f"; still above {self.limit:.0f} min: hold people back"
        return f"{' and '.join(parts)}: {effect}{rest}"

    def text_zh(self) -> str:
        """Return it as a sentence in Chinese."""
        opened = self.lanes_after - self.lanes_before
        parts = [f"{self.entrance} 增开 {opened} 条通道"] * bool(opened)
        parts += [
            f"将 {self.entrance} {each.share:.0%} 的来人（{each.people:.0f} 人/分钟）引导至 {each.to}，"
            f"步行 {each.walk:.0f} 分钟（该处等候 {each.wait_before:.0f} → {each.wait_after:.0f} 分钟）"
            for each in self.diversions
        ]
        effect = f"等候 {self.wait_before:.0f} → {self.wait_after:.0f} 分钟"
        if not parts:
            return f"{self.entrance}：无备用通道，邻近入口亦无余量，请在外围限流（{effect}）"
        rest = "" if self.enough else f"；仍超过 {self.limit:.0f} 分钟，请在外围限流"
        return f"{'，并'.join(parts)}：{effect}{rest}"


@dataclass(frozen=True, eq=False)
class _Course:
    """An entrance as advised so far: persons coming, and lanes open once that takes effect."""

    at: EntranceLoad
    coming: Floats
    lanes: int

    def worst_wait(self, *, since: int = 0) -> float:
        """Return the longest wait of those who arrive from minute `since` on."""
        rate = lane_rate(self.at.rate, rated=self.at.rated)
        open_now = np.arange(len(self.coming)) < READY_AFTER
        served = rate * np.where(open_now, self.at.open_lanes, self.lanes)
        queue = run(self.coming, served, waiting=self.at.waiting or 0.0)
        return float(queue.wait[since:].max())


def advise(entrances: Iterable[EntranceLoad], *, limit: float = LONGEST_WAIT) -> tuple[Advice, ...]:
    """Return what to do where people would wait for more than `limit` minutes, the longest wait first."""
    courses = {each.id: _Course(each, np.array(each.arrivals, np.float64), each.open_lanes) for each in entrances}
    known = [course for course in courses.values() if course.at.waiting is not None]
    waits = {course.at.id: course.worst_wait(since=READY_AFTER) for course in known}
    over = sorted((name for name in waits if waits[name] > limit), key=lambda name: (-waits[name], name))
    # Lanes first, everywhere: an entrance that is itself to get lanes can then take people from another.
    for name in over:
        courses[name] = _with_lanes(courses[name], limit)
    diverted = {name: _divert(name, courses, limit=limit) for name in over}
    return tuple(
        Advice(
            entrance=name,
            lanes_before=courses[name].at.open_lanes,
            lanes_after=courses[name].lanes,
            diversions=diverted[name],
            wait_before=waits[name],
            wait_after=courses[name].worst_wait(since=READY_AFTER),
            limit=limit,
        )
        for name in over
    )


def _with_lanes(course: _Course, limit: float) -> _Course:
    """Return the course with the fewest spare lanes open that keep the limit, or else that help most."""
    best = course
    for spare in range(course.at.spare_lanes + 1):
        more = replace(course, lanes=course.at.open_lanes + spare)
        if more.worst_wait(since=READY_AFTER) < best.worst_wait(since=READY_AFTER):
            best = more
        if best.worst_wait(since=READY_AFTER) <= limit:
            break
    return best


def _divert(name: str, courses: dict[str, _Course], *, limit: float) -> tuple[Diversion, ...]:
    """Send as few as possible elsewhere, the nearest entrance first, and change `courses` accordingly."""
    diversions: list[Diversion] = []
    for link in sorted(courses[name].at.links, key=lambda link: (link.minutes, link.to)):
        wait = courses[name].worst_wait(since=READY_AFTER)
        other = courses.get(link.to)
        if wait <= limit or other is None or other.at.waiting is None or other.at.inner != courses[name].at.inner:
            continue
        sent = _smallest(courses[name], other, link, already=sum(each.share for each in diversions), limit=limit)
        if sent is not None:
            share, here, there = sent
            people = float(share * np.mean(courses[name].at.arrivals))
            diversions.append(Diversion(link.to, share, people, link.minutes, other.worst_wait(), there.worst_wait()))
            courses[name], courses[link.to] = here, there
    return tuple(diversions)


def _smallest(
    here: _Course, there: _Course, link: Link, *, already: float, limit: float
) -> tuple[float, _Course, _Course] | None:
    """Return the smallest share that is enough, or else the largest that the other entrance can take (None: none)."""
    before = here.worst_wait(since=READY_AFTER)
    found = None
    for step in range(1, round((1 - already) / _STEP) + 1):
        share = round(step * _STEP, 2)
        less, more = _moved(here, there, share, link)
        wait, wait_there = less.worst_wait(since=READY_AFTER), more.worst_wait()
        if wait_there > limit or link.minutes + wait_there >= before:
            break
        if wait < (before if found is None else found[1].worst_wait(since=READY_AFTER)):
            found = share, less, more
        if wait <= limit:
            break
    return found


def _moved(here: _Course, there: _Course, share: float, link: Link) -> tuple[_Course, _Course]:
    """Return both entrances when a share of those who would come here from READY_AFTER minutes on walks there."""
    coming = np.array(here.at.arrivals, np.float64)
    sent = np.where(np.arange(len(coming)) < READY_AFTER, 0.0, share * coming)
    walk = min(round(link.minutes), len(sent))
    arriving = np.concatenate([np.zeros(walk), sent[: len(sent) - walk]])
    stays = np.maximum(here.coming - sent, 0.0)  # all of them may be sent: rounding must not leave fewer than nobody
    return replace(here, coming=stays), replace(there, coming=there.coming + arriving)
