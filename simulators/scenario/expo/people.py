"""The people of an expo day: parties arrive, walk between the concourse and halls, some go out and come back.

The unit is the party: its members do the same things a few seconds apart. The site must be laid out as an expo.
Next: `refusals.py`, then `expo.py`.
"""

from dataclasses import dataclass

import numpy as np

from simulators.scenario.day import IN, OUT, Floats, Ints, SiteCodes
from simulators.scenario.draws import HOUR, by_hour, numbered, weighted
from simulators.scenario.expo.spec import PeopleSpec
from simulators.scenario.scenario import UnfitSiteError
from simulators.scenario.steps import Steps, passed

_MOST_HALLS = 6
_LEAST_WALK, _LEAST_HALL = 150.0, 300.0
_LEAST_STAY = 20 * 60.0
_LUNCH = 11 * HOUR
_MOST_BY_CHANCE = 5  # of ten times as many visitors, half of whom come in the morning, so few may come by chance
"""Who comes back later in the day came before this; see `_with_returns`."""


class NotAnExpoError(UnfitSiteError):
    """The site is not laid out as an expo: gates from outside into one concourse, and doors from it to halls."""


@dataclass(frozen=True, eq=False)
class Gates:
    """Entrance codes of the gates, and of the doors of each hall (one row a hall, `door_count` of them valid).

    Some are more popular than others: `gate_weights` and `hall_weights`.
    """

    gates: Ints
    gate_weights: Floats
    doors: Ints
    door_count: Ints
    hall_weights: Floats


@dataclass(frozen=True, eq=False)
class Visits:
    """Stays of parties on the site, one row each: from `arrival` to `departure` (seconds after local midnight).

    The members are the persons `first` to `first + size - 1`; `category` is a row of `PeopleSpec.shares`.
    """

    arrival: Floats
    departure: Floats
    first: Ints
    size: Ints
    category: Ints


class TooFewToReturnError(ValueError):
    """The figures ask for more people to come back than have come in the morning."""


def find_gates(names: SiteCodes, rng: np.random.Generator) -> Gates:
    """Return the way into the site and its halls; raises `NotAnExpoError` for another layout."""
    entrances = [each for each in names.site.entrances if each.kind == "person"]
    concourse = {each.inner for each in entrances if each.boundary}
    if len(concourse) != 1 or any(not each.boundary and each.outer not in concourse for each in entrances):
        raise NotAnExpoError(
            f"site {names.site.id}: the person entrances from outside lead to "
            f"{', '.join(sorted(concourse)) or 'nowhere'}; expected one concourse, and doors from it to halls: "
            "use the scenario that fits the profile"
        )
    code = {each.id: number for number, each in enumerate(names.site.entrances)}
    gates = np.array([code[each.id] for each in entrances if each.boundary], np.int64)
    halls: dict[str, list[int]] = {}
    for each in entrances:
        if not each.boundary:
            halls.setdefault(each.inner, []).append(code[each.id])
    most = max(map(len, halls.values()), default=0)
    return Gates(
        gates=gates,
        gate_weights=names.lanes[gates] * rng.uniform(0.75, 1.25, len(gates)),
        doors=np.array([doors + doors[:1] * (most - len(doors)) for doors in halls.values()], np.int64),
        door_count=np.array([len(doors) for doors in halls.values()], np.int64),
        hall_weights=rng.uniform(0.85, 1.1, len(halls)),
    )


def make_visits(spec: PeopleSpec, closing: float, rng: np.random.Generator) -> Visits:
    """Return visits with exactly `spec.entries` members in all; `closing` is in seconds after local midnight."""
    hours = np.asarray(spec.entries_by_hour) / sum(spec.entries_by_hour) * spec.entries
    again = np.where(np.arange(24) >= spec.returns_from, hours, 0.0)
    again *= spec.returning / max(again.sum(), 1.0)
    size = _party_sizes(spec, spec.entries - spec.returning, rng)
    arrival = by_hour(rng, np.maximum(hours - again, 0.0), len(size))
    category = _categories(spec, arrival, rng)
    departure = _departures(spec, arrival, category, closing=closing, rng=rng)
    visits = Visits(arrival, departure, np.cumsum(size) - size, size, category)
    return _with_returns(visits, spec, again, closing=closing, rng=rng) if spec.returning else visits


def walk(visits: Visits, gates: Gates, spec: PeopleSpec, rng: np.random.Generator) -> Steps:
    """Return every passage of every member, all of them passed; categories are rows of `PeopleSpec.shares`."""
    halls = _hall_visits(visits, spec, rng) if len(gates.doors) else np.zeros(len(visits.size), np.int64)
    time = _times(visits, halls, rng)
    column = np.arange(time.shape[1])
    last = column == 2 * halls[:, None] + 1
    inward = ~last & ((column == 0) | (column % 2 == 1))
    entrance = _entrances(halls, last, gates, rng)
    visit, event = np.nonzero(column <= 2 * halls[:, None] + 1)
    row, member = numbered(visits.size[visit])
    visit, event = visit[row], event[row]
    return passed(
        time=time[visit, event] + member * 1.5 + rng.uniform(0, 15, len(row)),
        who=visits.first[visit] + member,
        entrance=entrance[visit, event],
        direction=np.where(inward[visit, event], IN, OUT),
        category=visits.category[visit],
    )


def _party_sizes(spec: PeopleSpec, persons: int, rng: np.random.Generator) -> Ints:
    """Return the sizes of parties that are `persons` people together."""
    sizes = 1 + weighted(rng, spec.party_sizes, persons)
    total = np.cumsum(sizes)
    count = int(np.searchsorted(total, persons)) + 1
    sizes = sizes[:count]
    sizes[-1] -= total[count - 1] - persons
    return sizes


def _categories(spec: PeopleSpec, arrival: Floats, rng: np.random.Generator) -> Ints:
    early = weighted(rng, [spec.early_shares[name] for name in spec.shares], len(arrival))
    later = weighted(rng, list(spec.shares.values()), len(arrival))
    return np.where(arrival < spec.public_from * HOUR, early, later)


def _departures(
    spec: PeopleSpec, arrival: Floats, category: Ints, *, closing: float, rng: np.random.Generator
) -> Floats:
    """Return when each party leaves: the public before closing, who locks up within three hours after it."""
    size = len(arrival)
    median = np.array([spec.stay_hours[name] for name in spec.shares])[category] * HOUR
    locks_up = np.array([name in spec.locking_up for name in spec.shares])[category]
    last = closing + np.where(locks_up, rng.uniform(300, 9000, size), -rng.uniform(300, 4500, size))
    departure = np.minimum(arrival + median * np.exp(rng.normal(0, 0.45, size)), last)
    return np.maximum(departure, arrival + _LEAST_STAY * rng.uniform(1, 1.5, size))


def _with_returns(
    visits: Visits, spec: PeopleSpec, again: Floats, *, closing: float, rng: np.random.Generator
) -> Visits:
    """Let parties of the morning go out for a while, until `spec.returning` persons have come back.

    On a day of a dozen visitors it happens that fewer come in the morning: then all of these come back.
    """
    morning = rng.permutation(np.flatnonzero(visits.arrival <= _LUNCH))
    total = np.cumsum(visits.size[morning])
    came = int(total[-1]) if len(total) else 0
    if came < spec.returning > _MOST_BY_CHANCE:
        raise TooFewToReturnError(
            f"returning: {spec.returning}, but only {came} persons come before 11:00; "
            "expected fewer to return than come in the morning"
        )
    returning = min(spec.returning, came)
    if not returning:
        return visits
    count = int(np.searchsorted(total, returning)) + 1
    chosen = morning[:count]
    size = visits.size[chosen]
    size[-1] -= total[count - 1] - returning
    arrival = by_hour(rng, again, count)
    category = visits.category[chosen]
    first_departure = visits.departure.copy()
    # Away for 20 to 80 minutes: from 11:25 at the earliest, so everybody has been there for 25 minutes.
    first_departure[chosen] = arrival - rng.uniform(1200, 4800, count)
    departure = _departures(spec, arrival, category, closing=closing, rng=rng)
    return Visits(
        arrival=np.concatenate([visits.arrival, arrival]),
        departure=np.concatenate([first_departure, departure]),
        first=np.concatenate([visits.first, visits.first[chosen]]),
        size=np.concatenate([visits.size, size]),
        category=np.concatenate([visits.category, category]),
    )


def _hall_visits(visits: Visits, spec: PeopleSpec, rng: np.random.Generator) -> Ints:
    """Return how many halls each party visits: as many as fit into its stay, `spec.scans` scans on average."""
    stay = visits.departure - visits.arrival
    most = ((0.8 * stay - _LEAST_WALK) / (_LEAST_WALK + _LEAST_HALL)).astype(np.int64).clip(0, _MOST_HALLS)
    mean = (spec.scans - 2) / 2
    halls: Ints = np.minimum(rng.poisson(mean, len(stay)), most)
    # Short stays cut the mean: those with time to spare make up for it.
    while (missing := mean * visits.size.sum() - halls @ visits.size) > _MOST_HALLS:
        room = rng.permutation(np.flatnonzero(halls < most))
        room = room[np.cumsum(visits.size[room]) <= missing]
        if not len(room):
            break
        halls[room] += 1
    return halls


def _times(visits: Visits, halls: Ints, rng: np.random.Generator) -> Floats:
    """Return the times of each party's 2 + 2 * halls passages, one row a party (what follows them is padding).

    A stay is cut into walks and times in halls, at least a few minutes each, in random proportions.
    """
    part = np.arange(2 * _MOST_HALLS + 1)
    used = part <= 2 * halls[:, None]
    in_hall = part % 2 == 1
    least = np.where(used, np.where(in_hall, _LEAST_HALL, _LEAST_WALK), 0.0)
    weight = rng.standard_gamma(2.0, used.shape) * np.where(in_hall, 2.2, 1.0) * used
    spare = visits.departure - visits.arrival - least.sum(axis=1)
    duration = least + weight * (spare / weight.sum(axis=1))[:, None]
    start = np.zeros((len(halls), 1))
    time: Floats = visits.arrival[:, None] + np.cumsum(np.hstack([start, duration]), axis=1)
    return time


def _entrances(halls: Ints, last: Ints, gates: Gates, rng: np.random.Generator) -> Ints:
    """Return the entrance of each passage, in the form of `_times`; most leave by the gate they came through."""
    parties, columns = last.shape
    entrance = np.empty((parties, columns), np.int64)
    if len(gates.doors):
        hall = weighted(rng, gates.hall_weights, parties * _MOST_HALLS).reshape(parties, _MOST_HALLS)
        visited = np.repeat(hall, 2, axis=1)
        door = (rng.random(visited.shape) * gates.door_count[visited]).astype(np.int64)
        entrance[:, 1:-1] = gates.doors[visited, door]
    came = gates.gates[weighted(rng, gates.gate_weights, parties)]
    other = gates.gates[weighted(rng, gates.gate_weights, parties)]
    entrance[:, 0] = came
    left = np.where(rng.random(parties) < 0.7, came, other)
    entrance[np.arange(parties), 2 * halls + 1] = left
    return entrance
