"""Chooses a lane for each step and makes people wait their turn, one at a time in a lane; next: `day.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.scenario.day import OUT

if TYPE_CHECKING:
    from simulators.scenario.day import Ints, SiteCodes

_FAR = 1 << 42
"""More milliseconds than any run of events spans (139 years): separates the queues of two devices."""


class LanesOverloadedError(RuntimeError):
    """More people come than the lanes can ever let through: give the site more lanes, or send fewer people."""


def choose_lanes(entrance: Ints, direction: Ints, names: SiteCodes, rng: np.random.Generator) -> Ints:
    """Return a device for each event: the near lanes are a little preferred, from one end in, from the other out."""
    lanes = names.lanes[entrance]
    near = (lanes * rng.random(len(entrance)) ** 1.1).astype(np.int64)
    return names.first_device[entrance] + np.where(direction == OUT, lanes - 1 - near, near)


def wait_in_line(arrival: Ints, device: Ints, service: Ints) -> Ints:
    """Return when each event happens at its device: in order of `arrival`, `service` ms after the one before.

    All arrays have one value an event; `service` must be the same for all events of a device.
    """
    order = np.argsort(arrival + device * _FAR, kind="stable")
    devices = device[order]
    starts = np.flatnonzero(np.diff(devices, prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    spent = place * service[order]
    # Whoever comes i-th goes at max over j <= i of arrival[j] + (i - j) * service.
    base = devices * _FAR
    turn = np.maximum.accumulate(arrival[order] - spent + base) - base + spent
    happens = np.empty_like(arrival)
    happens[order] = turn
    return happens


def in_turn(arrival: Ints, *, who: Ints, device: Ints, service: Ints, least_gap: int, rounds: int = 60) -> Ints:
    """Return when each event happens, so that lanes take one at a time and nobody is in two places at once.

    `arrival` (ms) must be in the right order within each `who`; whoever is held up at one lane comes later to
    the next, at least `least_gap` ms after. Raises `LanesOverloadedError` when that finds no end.
    """
    planned = arrival.copy()
    order = np.lexsort((arrival, who))
    follows = np.flatnonzero(np.diff(who[order]) == 0)
    before, after = order[follows], order[follows + 1]
    for _ in range(rounds):
        happens = wait_in_line(planned, device, service)
        earliest = happens[before] + least_gap
        late = planned[after] < earliest
        if not late.any():
            return happens
        planned[after[late]] = earliest[late]
    raise LanesOverloadedError(
        f"after {rounds} rounds {late.sum()} of {len(arrival)} events still collide; expected lanes that keep up"
    )
