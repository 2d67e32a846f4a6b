"""Adds refusals, lanes released for nobody, temperatures and unread credentials to an expo day.

Only steps that passed move a count; these are counted apart. Next: `expo.py`, which puts the day together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from simulators.scenario.day import DENIED, GRANTED, HEALTH, IN, REASONS, Coded, Floats, Ints
from simulators.scenario.draws import by_hour, some, weighted
from simulators.scenario.expo.people import Gates
from simulators.scenario.expo.spec import PeopleSpec
from simulators.scenario.steps import Steps, joined, passed

_NORMAL, _ABNORMAL, _UNKNOWN = (HEALTH.index(name) for name in ("normal", "abnormal", "unknown"))
_AT_FIRST = {"face-mismatch": 70, "wrong-zone": 20, "already-inside": 10}
"""Why the first try is refused of somebody who passes at the second (percent, assumed)."""
_FOR_GOOD = {"health-abnormal": 40, "expired": 20, "not-valid-today": 25, "unknown-credential": 15}
"""Why somebody is turned away (percent, assumed)."""


def with_refusals(steps: Steps, gates: Gates, spec: PeopleSpec, rng: np.random.Generator) -> Steps:
    """Return the steps with those that led nowhere before them, and the people who never came in."""
    inward = steps.direction == IN
    entry = np.isin(steps.entrance, gates.gates) & inward
    entries = np.flatnonzero(entry)
    anonymous = steps.anonymous.copy()
    anonymous[entries[some(rng, spec.anonymous, len(entries))]] = True
    first_try = _before(steps, entries[some(rng, spec.read_fails, len(entries))], (20, 90), rng)
    parts = [
        replace(steps, anonymous=anonymous),
        _denied(first_try, _reasons(rng, _AT_FIRST, len(first_try))),
        _released(steps, spec, rng),
        _turned_away(steps, gates, spec, rng),
    ]
    if len(gates.doors):
        parts.append(_wrong_doors(steps, np.flatnonzero(inward & ~entry), gates, spec=spec, rng=rng))
    return _measured(joined(parts), gates, spec, rng)


def vehicles_turned_away(time: Floats, who: Ints, *, entrance: Ints, category: Ints, rng: np.random.Generator) -> Steps:
    """Return vehicles that a barrier refuses; all arrays have one value a vehicle."""
    steps = passed(time=time, who=who, entrance=entrance, direction=np.full(len(who), IN), category=category)
    return _denied(steps, _reasons(rng, {"no-permit": 70, "expired": 20, "not-valid-today": 10}, len(steps)))


def _reasons(rng: np.random.Generator, shares: Mapping[str, float], size: int) -> Ints:
    codes = np.array([REASONS.index(name) for name in shares])
    return codes[weighted(rng, list(shares.values()), size)]


def _before(steps: Steps, rows: Ints, seconds: Sequence[float], rng: np.random.Generator) -> Steps:
    """Return the steps of `rows`, moved to some seconds earlier."""
    earlier = steps.take(rows)
    return replace(earlier, time=earlier.time - rng.uniform(seconds[0], seconds[1], len(rows)))


def _denied(steps: Steps, reason: Ints) -> Steps:
    return replace(steps, outcome=np.full(len(steps), DENIED)).with_optional(reason=Coded(reason, REASONS))


def _released(steps: Steps, spec: PeopleSpec, rng: np.random.Generator) -> Steps:
    """Return lanes released for nobody: they are tried again some seconds later."""
    earlier = _before(steps, some(rng, spec.not_passed, len(steps)), (6, 15), rng)
    return replace(earlier, outcome=np.full(len(earlier), GRANTED))


def _wrong_doors(steps: Steps, rows: Ints, gates: Gates, *, spec: PeopleSpec, rng: np.random.Generator) -> Steps:
    """Return refusals at another door of people who then enter their hall."""
    earlier = _before(steps, rows[some(rng, spec.wrong_doors, len(rows))], (40, 100), rng)
    doors = np.unique(gates.doors)
    other = doors[rng.integers(0, len(doors), len(earlier))]
    wrong = np.full(len(earlier), REASONS.index("wrong-zone"))
    return _denied(replace(earlier, entrance=other), wrong)


def _turned_away(steps: Steps, gates: Gates, spec: PeopleSpec, rng: np.random.Generator) -> Steps:
    """Return people who are refused and never come in; who has no valid credential shows none."""
    size = spec.turned_away
    shares = list(spec.shares.values())
    refused = passed(
        time=by_hour(rng, spec.entries_by_hour, size),
        who=steps.who.max(initial=-1) + 1 + np.arange(size),
        entrance=gates.gates[weighted(rng, gates.gate_weights, size)],
        direction=np.full(size, IN),
        category=weighted(rng, shares, size),
    )
    reason = _reasons(rng, _FOR_GOOD, size)
    return replace(_denied(refused, reason), anonymous=reason == REASONS.index("unknown-credential"))


def _measured(steps: Steps, gates: Gates, spec: PeopleSpec, rng: np.random.Generator) -> Steps:
    """Add temperature and health where they are checked: on the way in from outside.

    Of those refused for their health, some have a fever and the others a record of it.
    """
    checked = np.isin(steps.entrance, gates.gates) & (steps.direction == IN)
    ill = checked & steps.reads("reason", "health-abnormal")
    size = len(steps)
    usual = np.minimum(rng.normal(36.4, 0.25, size), spec.fever)
    fever = spec.fever + 0.1 + rng.gamma(2.0, 0.35, size)
    feverish = ill & (rng.random(size) < 0.6)
    temperature = np.where(feverish, fever, usual).round(1)
    known = np.where(rng.random(size) < spec.unknown_health, _UNKNOWN, _NORMAL)
    health = np.where(ill, _ABNORMAL, known)
    return steps.with_optional(
        temperature=np.where(checked, temperature, np.nan), health=Coded(np.where(checked, health, 0), HEALTH)
    )
