"""Makes a day of the steps of people and vehicles: lanes, turns, pseudonyms, sequence numbers; next: `day.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from simulators.scenario.day import VEHICLE, Coded, Day, SiteCodes
from simulators.scenario.lanes import choose_lanes, in_turn
from simulators.scenario.pseudonyms import day_key, pseudonyms
from simulators.scenario.steps import Steps, joined

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from simulators.scenario.day import Ints
    from streams.text import Kind


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
    last_seq: Ints | None,
) -> Day:
    """Return the day of these steps, sorted by time. Raises LanesOverloadedError.

    People and vehicles are numbered from 0 each; their times are seconds after `begins` (ms since 1970 UTC). A lane
    takes `service_ms` for each of a kind, and nobody gets from one lane to the next in less than `least_gap_ms`.
    Devices count on from `last_seq`, or from 0.
    """
    persons, plates = _number(people), _number(vehicles)
    steps = people if vehicles is None else joined([people, vehicles.changed(who=vehicles.who + persons)])
    key = day_key(seed, date)
    words = np.concatenate([pseudonyms(key, "card", persons), pseudonyms(key, "plate", plates)])
    device = choose_lanes(steps.entrance, steps.direction, names, rng)
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
    return day.with_columns(seq=count_by_device(day.device, last_seq, names))


def count_by_device(device: Ints, last_seq: Ints | None, names: SiteCodes) -> Ints:
    """Return the sequence number of each event: they grow by one at each device, in the order of the rows."""
    order = np.argsort(device, kind="stable")
    starts = np.flatnonzero(np.diff(device[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    before = np.zeros(len(names.devices), np.int64) if last_seq is None else last_seq
    seq = np.empty(len(order), np.int64)
    seq[order] = place + 1
    return seq + before[device]


def _number(steps: Steps | None) -> int:
    """Return how many people or vehicles take these steps."""
    return 0 if steps is None else int(steps.who.max(initial=-1)) + 1
