"""The expo's peak day, made up from a seed: 227,000 entries and some 1.6 million events in a few seconds.

`spec.py` has the figures and where they come from; `people.py`, `vehicles.py` and `refusals.py` make the steps,
`lanes.py` gives each its lane and its turn. The same seed, date and site give the same day.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

import numpy as np

from simulators.scenario.day import VEHICLE, Day, Names
from simulators.scenario.expo.gates import find_gates
from simulators.scenario.expo.people import make_visits, walk
from simulators.scenario.expo.refusals import with_refusals
from simulators.scenario.expo.spec import ExpoSpec
from simulators.scenario.expo.vehicles import drive
from simulators.scenario.lanes import choose_lanes, in_turn
from simulators.scenario.pseudonyms import day_key, pseudonyms
from simulators.scenario.steps import Steps, joined
from streams.kernels.counts.calendar import DAY_MINUTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulators.scenario.day import Floats, Ints
    from streams.site.model import Site

PEAK_DAY = dt.date(2019, 11, 6)
"""A day of the edition with the peak of 227,000 entries; the documents do not say which of the six it was."""


_HOURS: Final = (7 * 60, 20 * 60)
"""When the doors open and close on the day that the figures are of, in minutes after midnight."""


def expo_day(
    site: Site,
    *,
    date: dt.date = PEAK_DAY,
    seed: int = 0,
    epoch: int = 0,
    spec: ExpoSpec | None = None,
    last_seq: Ints | None = None,
) -> Day:
    """Return one day; devices count on from `last_seq` (one value a device), or from 0.

    Everybody who comes has left when the day ends. Raises `NotAnExpoError` for a site laid out otherwise.
    """
    spec = spec or ExpoSpec()
    names = Names(site)
    rng = np.random.default_rng([seed, date.toordinal()])
    people = _people(site, names, spec, date=date, rng=rng)
    vehicles = drive(spec.vehicles, names, rng)
    persons = int(people.who.max(initial=-1)) + 1
    steps = people
    plates = 0
    if vehicles is not None:
        plates = int(vehicles.who.max(initial=-1)) + 1
        steps = joined([people, vehicles.changed(who=vehicles.who + persons)])
    key = day_key(seed, date)
    words = np.concatenate([pseudonyms(key, "card", persons), pseudonyms(key, "plate", plates)])
    opens = (site.opening.on(date) or _HOURS)[0]
    midnight = site.days.moment(date, opens) - opens * 60_000  # as far as those who come then are concerned
    steps = steps.changed(time=_at_night(steps.time, site, date, midnight=midnight))
    device, happens = _take_turns(steps, names, spec, rng)
    day = Day(
        names=names,
        epoch=epoch,
        pseudonyms=words,
        device=device,
        seq=np.zeros(len(steps), np.int64),
        true_ts=happens + midnight,
        ts=happens,
        entrance=steps.entrance,
        direction=steps.direction,
        outcome=steps.outcome,
        category=steps.category,
        reason=steps.reason,
        credential=np.where(steps.anonymous, -1, steps.who),
        temperature=steps.temperature,
        health=steps.health,
    )
    day = day.take(np.lexsort((day.device, day.true_ts)))
    return day.with_columns(ts=day.true_ts, seq=count_by_device(day.device, last_seq, names))


def expo_days(
    site: Site,
    *,
    date: dt.date = PEAK_DAY,
    seed: int = 0,
    epoch: int = 0,
    spec: ExpoSpec | None = None,
) -> Iterator[Day]:
    """Yield the day of `date`, the next one, and so on without end; devices keep counting."""
    last: Ints | None = None
    while True:
        day = expo_day(site, date=date, seed=seed, epoch=epoch, spec=spec, last_seq=last)
        yield day
        last = day.last_seq if last is None else np.maximum(last, day.last_seq)
        date += dt.timedelta(days=1)


def count_by_device(device: Ints, last_seq: Ints | None, names: Names) -> Ints:
    """Return the sequence number of each event: they grow by one at each device, in the order of the rows."""
    order = np.argsort(device, kind="stable")
    starts = np.flatnonzero(np.diff(device[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    before = np.zeros(len(names.devices), np.int64) if last_seq is None else last_seq
    seq = np.empty(len(order), np.int64)
    seq[order] = place + 1
    return seq + before[device]


def _people(site: Site, names: Names, spec: ExpoSpec, *, date: dt.date, rng: np.random.Generator) -> Steps:
    """Return all steps of persons, with categories as codes of `names.categories`."""
    gates = find_gates(names, rng)
    _, closes = site.opening.on(date) or _HOURS
    closing = 60.0 * (_HOURS[1] if closes > DAY_MINUTES else closes)
    visits = make_visits(spec.people, closing, rng)
    steps = with_refusals(walk(visits, gates, spec.people, rng), gates, spec.people, rng)
    known = {category: code for code, category in enumerate(names.categories)}
    codes = np.array([known[name] for name in spec.people.shares], np.int64)
    return steps.changed(category=codes[steps.category])


def _at_night(time: Floats, site: Site, date: dt.date, *, midnight: int) -> Floats:
    """Move the times of a day (s after `midnight`, ms) into that of a site which is open past midnight."""
    hours, day, opening = site.hours(date), site.days.bounds(date), site.opening.on(date)
    if hours is None or opening is None or opening[1] <= DAY_MINUTES:
        return time
    moments = np.array([day[0], *hours, day[1]])
    moved: Floats = np.interp(time, [0, *(60 * each for each in _HOURS), 86_400], (moments - midnight) / 1000)
    return moved


def _take_turns(steps: Steps, names: Names, spec: ExpoSpec, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Return the device of each step, and when it happens there (ms after local midnight)."""
    device = choose_lanes(steps.entrance, steps.direction, names, rng)
    by_vehicle = names.kind_of[steps.entrance] == VEHICLE
    happens = in_turn(
        (steps.time * 1000).astype(np.int64),
        who=steps.who,
        device=device,
        service=np.where(by_vehicle, spec.vehicles.service_ms, spec.people.service_ms),
        least_gap=spec.walk_ms,
    )
    return device, happens
