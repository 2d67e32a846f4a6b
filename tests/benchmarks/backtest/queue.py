"""Simulates a peak at five gates with and without people following the advice, and compares the waits.

A model of its own, person by person and first come, first served, so that the fluid queue of the kernels is not judged
by itself. Arrivals are by chance around a plan that is wrong; the advice knows the plan and counts upstream, not the
day.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from streams.kernels.forecast.advice import READY_AFTER, Advice, EntranceLoad, Link, advise

if TYPE_CHECKING:
    import numpy.typing as npt

    from streams.kernels.forecast.paths import Floats

MINUTES: Final = 180
"""Length of a peak; who still waits then is let in after it."""
_GATES: Final = {"N1": (6, 4), "N2": (7, 5), "N3": (6, 4), "N4": (5, 3), "N5": (5, 3)}
"""Open and spare lanes of five gates side by side (assumed: six in ten are open)."""
_WALK: Final = 5.0
"""Minutes on foot between neighbours (assumed)."""
_RATE: Final = 10.4
"""Persons per minute that a lane lets through (assumed: a little below the planning rate)."""
_EVERY: Final = 5
"""Minutes between two reviews of the advice."""
_AHEAD: Final = 45
"""Minutes of plan that the advice is given."""
_FOLLOWED: Final = 0.7
"""Share of those asked to walk on who do (assumed)."""


@dataclass(frozen=True)
class Peak:
    """One peak without and with advice; minutes from arrival (before a walk) to passing the gate."""

    seed: int
    people: int
    longest_before: int
    longest_after: int
    mean_before: float
    mean_after: float
    over_before: int
    over_after: int
    lanes_opened: int
    walked: int


@dataclass(eq=False)
class _Gate:
    """A gate with its queue of (minute of arrival, persons); `comes_later` are on foot from elsewhere."""

    lanes: int
    spare: int
    queue: deque[list[int]] = field(default_factory=deque)
    ready: list[tuple[int, int]] = field(default_factory=list)
    sends: list[tuple[str, float]] = field(default_factory=list)
    served: float = 0.0
    comes_later: dict[int, list[list[int]]] = field(default_factory=dict)

    @property
    def waiting(self) -> int:
        return sum(count for _, count in self.queue)

    def pass_minute(self, minute: int, waits: list[tuple[int, int]]) -> None:
        """Open what is ready, and let through as many as the lanes can."""
        self.lanes += sum(lanes for at, lanes in self.ready if at == minute)
        self.served = min(self.served + self.lanes * _RATE, self.lanes * _RATE + 1)
        while self.queue and self.served >= 1:
            came, count = self.queue[0]
            gone = min(count, int(self.served))
            self.served -= gone
            waits.append((minute - came, gone))
            self.queue[0][1] -= gone
            if gone == count:
                self.queue.popleft()


def play_peak(seed: int, *, limit: float = 10.0) -> Peak:
    """Play a peak twice with the same arrivals."""
    rng = np.random.default_rng([seed, 13])
    plan = _plan(rng)
    wrong = {name: float(np.exp(rng.normal(0, 0.15))) for name in _GATES}
    came = {name: rng.poisson(plan[name] * wrong[name]) for name in _GATES}
    before, _, _ = _play(came, plan, np.random.default_rng([seed, 17]), limit=None)
    after, opened, walked = _play(came, plan, np.random.default_rng([seed, 17]), limit=limit)
    return Peak(
        seed=seed,
        people=int(sum(each.sum() for each in came.values())),
        longest_before=max(wait for wait, _ in before),
        longest_after=max(wait for wait, _ in after),
        mean_before=_mean(before),
        mean_after=_mean(after),
        over_before=sum(count for wait, count in before if wait > limit),
        over_after=sum(count for wait, count in after if wait > limit),
        lanes_opened=opened,
        walked=walked,
    )


def _plan(rng: np.random.Generator) -> dict[str, Floats]:
    """Return the planned arrivals: at the top 85 % of what all lanes can do, one gate with far more than its share."""
    minute = np.arange(MINUTES)
    bump = 0.25 + 0.75 * np.exp(-(((minute - 80) / 30) ** 2))
    lanes = {name: opened + spare for name, (opened, spare) in _GATES.items()}
    shares = {name: count * rng.uniform(0.8, 1.2) for name, count in lanes.items()}
    shares[rng.choice(list(lanes))] *= 1.8
    top = 0.85 * _RATE * sum(lanes.values())
    return {name: bump * top * share / sum(shares.values()) for name, share in shares.items()}


def _play(
    came: dict[str, npt.NDArray[np.int64]], plan: dict[str, Floats], rng: np.random.Generator, *, limit: float | None
) -> tuple[list[tuple[int, int]], int, int]:
    """Return the waits as (minutes, persons), the lanes opened and the persons who walked; None: no advice."""
    gates = {name: _Gate(*lanes) for name, lanes in _GATES.items()}
    waits: list[tuple[int, int]] = []
    walked = minute = 0
    while minute < MINUTES or any(gate.waiting or gate.comes_later for gate in gates.values()):
        if limit is not None and minute < MINUTES and minute % _EVERY == 0:
            _follow(gates, came, plan, minute, limit=limit)
        for name, gate in gates.items():
            arriving = int(came[name][minute]) if minute < MINUTES else 0
            walked += _arrive(name, gates, minute, arriving, rng)
            gate.pass_minute(minute, waits)
        minute += 1
    return waits, sum(lanes for gate in gates.values() for _, lanes in gate.ready), walked


def _arrive(name: str, gates: dict[str, _Gate], minute: int, arriving: int, rng: np.random.Generator) -> int:
    """Let people come to a gate, and those walk on who are asked to and do; return how many."""
    gate, asked = gates[name], arriving
    for to, share in gate.sends:
        goes = min(int(rng.binomial(asked, share * _FOLLOWED)), arriving)
        arriving -= goes
        gates[to].comes_later.setdefault(minute + round(_WALK), []).append([minute, goes])
    walkers = gate.comes_later.pop(minute, [])
    gate.queue.extend(group for group in [*walkers, [minute, arriving]] if group[1])
    return asked - arriving


def _follow(
    gates: dict[str, _Gate],
    came: dict[str, npt.NDArray[np.int64]],
    plan: dict[str, Floats],
    minute: int,
    *,
    limit: float,
) -> None:
    """Ask for advice and do it: lanes open READY_AFTER minutes later, people are sent until the next look."""
    entrances = [_seen(name, gates[name], came[name][:minute], plan[name], minute) for name in gates]
    for gate in gates.values():
        gate.sends = []
    for advice in advise(entrances, limit=limit):
        _do(advice, gates[advice.entrance], minute)


def _do(advice: Advice, gate: _Gate, minute: int) -> None:
    opened = advice.lanes_after - advice.lanes_before
    if opened:
        gate.ready.append((minute + READY_AFTER, opened))
        gate.spare -= opened
    gate.sends = [(each.to, each.share) for each in advice.diversions]


def _seen(name: str, gate: _Gate, came: npt.NDArray[np.int64], plan: Floats, minute: int) -> EntranceLoad:
    """Return what is known of a gate: its queue by upstream counts, and the plan scaled to the last 15 minutes."""
    planned = plan[max(0, minute - 15) : minute].sum()
    scale = (came[-15:].sum() + 50) / (planned + 50)
    ahead = scale * np.concatenate([plan[minute : minute + _AHEAD], np.zeros(_AHEAD)])[:_AHEAD]
    for at, groups in gate.comes_later.items():
        if 0 <= at - minute < _AHEAD:
            ahead[at - minute] += sum(count for _, count in groups)
    row = list(_GATES).index(name)
    near = [each for each in (row - 1, row + 1) if 0 <= each < len(_GATES)]
    opening = sum(lanes for at, lanes in gate.ready if at > minute)
    return EntranceLoad(
        id=name,
        inner="venue",
        open_lanes=gate.lanes + opening,
        spare_lanes=gate.spare,
        waiting=float(gate.waiting),
        arrivals=tuple(ahead.tolist()),
        rate=_RATE,
        links=tuple(Link(list(_GATES)[each], _WALK) for each in near),
    )


def _mean(waits: list[tuple[int, int]]) -> float:
    return round(sum(wait * count for wait, count in waits) / sum(count for _, count in waits), 1)
