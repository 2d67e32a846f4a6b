"""Plays several fault scenarios on one plant, with one verdict; `make test` plays these.

A plant takes a quarter of a minute to start; its scenarios in their quick sizes take less than that each. What no round
has is in docs/tests.md, with the tests that cover it. Next: `run.py`, which plays each scenario on a plant of its own.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast

from streams.logging import kafka_writes_into
from tests.faults.catalogue import Fault, Layout, Limits, Play
from tests.faults.oracle import judge
from tests.faults.outcome import Outcome
from tests.faults.plant import Plant
from tests.faults.trial import Trial

ROUNDS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "processes die, servers go away, the profile changes": ("T01", "T07", "T05", "T25"),
    }
)
"""Scenarios of one round start from what the one before has left: first those that need the fewest workers."""


class UnlikeLayoutsError(ValueError):
    """Scenarios of one round need plants that cannot be one."""


def shared(layouts: Sequence[Layout]) -> Layout:
    """Return the plant on which all scenarios can be played; it has the workers of the first.

    Raises UnlikeLayoutsError if two want a different speed, worker or setting.
    """
    usual, common = Layout(), layouts[0]
    for layout in layouts[1:]:
        merged: dict[str, Any] = {}
        for name in (each.name for each in fields(Layout) if each.name != "workers"):
            one, other, default = getattr(common, name), getattr(layout, name), getattr(usual, name)
            if one != other and default not in (one, other):
                raise UnlikeLayoutsError(f"{name}: {one!r} and {other!r}; put these scenarios into different rounds")
            merged[name] = other if one == default else one
        common = replace(common, **merged)
    return common


@contextmanager
def round_of(
    name: str, faults: Sequence[Fault], *, seed: int, patience: float
) -> Iterator[tuple[Trial, Callable[[], Outcome]]]:
    """Play scenarios on one plant, and yield it with what judges it as it then is.

    All may take `patience` times as long as usual. Raises what a scenario raises.
    """
    place = Path(tempfile.mkdtemp(prefix="gatepulse-round-"))
    layout = shared([fault.layout for fault in faults])
    with kafka_writes_into(place / "logs" / "harness.log"), Plant(layout, place) as plant:
        trial = Trial(plant, seed=seed, quick=True, patience=patience)
        for fault in faults:
            while len(plant.workers) < fault.layout.workers:
                plant.add_worker()
            trial.begin(fault.id)
            try:
                cast("Play", fault.play)(trial)
            except Exception as error:
                error.add_note(f"in {fault.id}; logs: {place}/logs")
                raise
        recovery = max(fault.limits.recovery for fault in faults)
        limits = Limits(recovery, max(fault.limits.memory for fault in faults))

        def judged() -> Outcome:
            judgement = judge(trial, limits)
            checks = (*judgement.checks, *trial.checks)
            return Outcome(
                name, name, seed, quick=True, figures=judgement.figures, checks=checks, notes=judgement.notes,
                place=str(place),
            )  # fmt: skip

        yield trial, judged
