"""Makes a day of the steps of people and vehicles: lanes, turns, pseudonyms, sequence numbers; next: `day.py`."""

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from simulators.scenario.day import OUT, VEHICLE, Coded, Day, Ints, SiteCodes, ranks
from simulators.scenario.steps import Steps, joined
from streams.text import Kind

_FAR = 1 << 42
"""More milliseconds than any run of events spans (139 years): separates the queues of two devices."""


class LanesOverloadedError(RuntimeError):
    """More people come than the lanes can ever let through: give the site more lanes, or send fewer people."""


def assemble(
    people: Steps,
    vehicles: Steps | None,
    names: SiteCodes,
    *,
    rng: np.random.Generator,
    date: dt.date,
    seed: int,
    epoch: int,
    begins: int,
    service_ms: Mapping[Kind, int],
    least_gap_ms: int,
) -> Day:
    """Return the day of these steps, sorted by time. Raises LanesOverloadedError.

    People and vehicles are numbered from 0 each; their times are seconds after `begins` (ms since 1970 UTC). A lane
    takes `service_ms` for each of a kind, and nobody gets from one lane to the next in less than `least_gap_ms`.
    """
    persons, plates = _number(people), _number(vehicles)
    steps = people if vehicles is None else joined([people, replace(vehicles, who=vehicles.who + persons)])
    key = hmac.digest(str(seed).encode(), date.isoformat().encode(), "sha256")
    words = np.array([*_pseudonyms(key, "card", persons), *_pseudonyms(key, "plate", plates)], dtype=object)
    device = _choose_lanes(steps.entrance, steps.direction, names, rng)
    by_vehicle = names.kind_of[steps.entrance] == VEHICLE
    happens = begins + in_turn(
        (steps.time * 1000).astype(np.int64),
        who=steps.who,
        device=device,
        service=np.where(by_vehicle, service_ms["vehicle"], service_ms["person"]),
        least_gap=least_gap_ms,
    )
    day = Day(
        names=names,
        epoch=epoch,
        device=device,
        seq=np.zeros(len(steps), np.int64),
        true_ts=happens,
        ts=happens,
        entrance=steps.entrance,
        direction=steps.direction,
        outcome=steps.outcome,
        category=steps.category,
        optional={**steps.optional, "credential": Coded(np.where(steps.anonymous, -1, steps.who), words)},
    )
    day = day.take(np.lexsort((day.device, day.true_ts)))
    return replace(day, seq=ranks(day.device) + 1)


def _number(steps: Steps | None) -> int:
    """Return how many people or vehicles take these steps."""
    return 0 if steps is None else int(steps.who.max(initial=-1)) + 1


def _pseudonyms(key: bytes, prefix: str, count: int) -> list[str]:
    """Return the keyed pseudonyms (32 hex digits each) of `prefix-0`, `prefix-1`, ..., as a device would send them.

    Low-entropy numbers need a keyed hash: whoever lacks the key, which changes daily, cannot try all numbers.
    """
    return [hmac.digest(key, f"{prefix}-{number}".encode(), "sha256")[:16].hex() for number in range(count)]


def _choose_lanes(entrance: Ints, direction: Ints, names: SiteCodes, rng: np.random.Generator) -> Ints:
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
    spent = ranks(devices) * service[order]
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
