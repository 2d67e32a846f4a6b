"""The vehicles of an expo day: they drive in, stay, and drive out, shuttles many times. Next: `expo.py`."""

import numpy as np

from simulators.scenario.day import IN, OUT, Floats, Ints, SiteCodes
from simulators.scenario.draws import by_hour, numbered, weighted
from simulators.scenario.expo.refusals import vehicles_turned_away
from simulators.scenario.expo.spec import VehicleSpec, VehicleTraffic
from simulators.scenario.steps import Steps, joined, passed

_END = 23.5 * 3600
_BETWEEN = 240.0
"""Seconds that a vehicle is away between two trips, at least."""


def drive(spec: VehicleSpec, names: SiteCodes, rng: np.random.Generator) -> Steps | None:
    """Return the passages of all vehicles, numbered from 0; None when no vehicle entrance fits the figures.

    Categories are codes of `names.categories`.
    """
    parts: list[Steps] = []
    for code, category in enumerate(names.categories):
        traffic = spec.traffic.get(category)
        gates = _gates(names, traffic) if traffic else []
        if traffic and gates:
            first = max((int(part.who.max(initial=-1)) + 1 for part in parts), default=0)
            parts.append(_trips(traffic, code, np.array(gates, np.int64), first=first, names=names, rng=rng))
    return _with_refusals(joined(parts), spec, rng) if parts else None


def _gates(names: SiteCodes, traffic: VehicleTraffic) -> list[int]:
    """Return the entrances into the areas a class of vehicles goes to."""
    entrances = enumerate(names.site.entrances)
    return [n for n, each in entrances if each.kind == "vehicle" and each.boundary and each.inner in traffic.areas]


def _trips(
    traffic: VehicleTraffic, category: int, gates: Ints, *, first: int, names: SiteCodes, rng: np.random.Generator
) -> Steps:
    """Return the ways in and out of one class; a vehicle with more than one trip starts again when it is back."""
    vehicles = -(-traffic.entries // traffic.trips)
    vehicle, trip = numbered(np.full(vehicles, traffic.trips))
    vehicle, trip = vehicle[: traffic.entries], trip[: traffic.entries]
    size = len(vehicle)
    stay = 60 * traffic.stay_minutes * np.exp(rng.normal(0, 0.35, size))
    arrival = by_hour(rng, traffic.by_hour, size)
    order = np.lexsort((arrival, vehicle))
    arrival, departure = _one_after_the_other(arrival[order], stay, trip)
    entered = gates[weighted(rng, names.lanes[gates], size)]
    left = _exits(entered, gates, names, rng)
    return passed(
        time=np.concatenate([arrival, departure]),
        who=first + np.concatenate([vehicle, vehicle]),
        entrance=np.concatenate([entered, left]),
        direction=np.repeat([IN, OUT], size),
        category=np.full(2 * size, category),
    )


def _one_after_the_other(arrival: Floats, stay: Floats, trip: Ints) -> tuple[Floats, Floats]:
    """Return arrivals and departures such that each trip begins after the one before; rows are sorted by both."""
    arrival = arrival.copy()
    departure = np.minimum(arrival + stay, _END)
    for number in range(1, int(trip.max(initial=0)) + 1):
        rows = np.flatnonzero(trip == number)
        arrival[rows] = np.maximum(arrival[rows], departure[rows - 1] + _BETWEEN)
        departure[rows] = arrival[rows] + stay[rows]
    return arrival, np.maximum(departure, arrival + 60)


def _exits(entered: Ints, gates: Ints, names: SiteCodes, rng: np.random.Generator) -> Ints:
    """Return an entrance out of the same area for each vehicle."""
    inner = [each.inner for each in names.site.entrances]
    left = entered.copy()
    for area in dict.fromkeys(inner[gate] for gate in gates):
        rows = np.flatnonzero(np.isin(entered, [gate for gate in gates if inner[gate] == area]))
        ways = np.array([gate for gate in gates if inner[gate] == area])
        left[rows] = ways[weighted(rng, names.lanes[ways], len(rows))]
    return left


def _with_refusals(steps: Steps, spec: VehicleSpec, rng: np.random.Generator) -> Steps:
    """Add vehicles that come to the barrier at the same times as others, and are refused."""
    rows = rng.integers(0, len(steps), min(spec.turned_away, len(steps)))
    who = int(steps.who.max()) + 1 + np.arange(len(rows))
    like = steps.take(rows)
    time = like.time + rng.uniform(30, 300, len(rows))
    refused = vehicles_turned_away(time, who, entrance=like.entrance, category=like.category, rng=rng)
    return joined([steps, refused])
