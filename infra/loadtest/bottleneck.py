"""Finds which process or resource was at its limit when a rate did not hold; next: `target.py`. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["generator", "process", "machine", "waiting"]

FULL: Final = 0.9
"""Share of a core from which a process with one busy thread, or of all cores from which a machine, can do no more."""
_LATE_MS: Final = 500
"""A generator whose events reach the broker later than this after they were due does not put on the load it should."""
GENERATOR: Final = "generator"
OTHERS: Final = "other programs"


@dataclass(frozen=True)
class Use:
    """What one process used: `cores` on average and `most_cores` in the busiest second; memory in MB at most."""

    name: str
    cores: float
    most_cores: float
    memory_mb: int


@dataclass(frozen=True)
class Bottleneck:
    """What was at its limit. `name`: the process, if it was one; `users`: who used a full machine most."""

    kind: Kind
    name: str = ""
    users: tuple[str, ...] = ()


def find_bottleneck(
    uses: Sequence[Use], *, machine_share: float, sent_late_ms: int | None, target: float, ceiling: float
) -> Bottleneck:
    """Return what was at its limit.

    `machine_share` is the share of all cores that was used by whomever; `sent_late_ms` the p99 of the time from when an
    event was due until the broker had it. `target` and `ceiling` are events a second: what the generators were to send,
    and what they can do.
    """
    if target >= FULL * ceiling:
        return Bottleneck("generator", GENERATOR)
    ours = [use for use in uses if use.name != OTHERS]
    busiest = max(ours, key=lambda use: use.cores, default=None)
    if busiest is not None and busiest.cores >= FULL:
        return Bottleneck("generator" if busiest.name.startswith(GENERATOR) else "process", busiest.name)
    if machine_share >= FULL:
        most = sorted(uses, key=lambda use: -use.cores)[:3]
        return Bottleneck("machine", users=tuple(f"{use.name} {use.cores:.0%}" for use in most))
    if sent_late_ms is not None and sent_late_ms > _LATE_MS:
        return Bottleneck("generator", GENERATOR)
    return Bottleneck("waiting")
