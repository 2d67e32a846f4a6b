"""Random draws that people and vehicles share: by weights, by the hour. Next: `people.py`."""

from collections.abc import Sequence

import numpy as np

from simulators.scenario.day import Floats, Ints

HOUR = 3600.0
"""Seconds."""


def weighted(rng: np.random.Generator, weights: Sequence[float] | Floats | Ints, size: int) -> Ints:
    """Return `size` indexes into `weights`, each drawn in proportion to its weight."""
    edges = np.cumsum(np.asarray(weights, float))
    indexes: Ints = np.searchsorted(edges, rng.random(size) * edges[-1], side="right").astype(np.int64)
    return indexes


def by_hour(rng: np.random.Generator, shares: Sequence[float] | Floats, size: int) -> Floats:
    """Return `size` times of day in seconds, by shares of the 24 hours, with the steps between hours smoothed."""
    hours = weighted(rng, shares, size)
    return (hours + rng.random(size)) * HOUR + np.clip(rng.normal(0, 300, size), -900, 900)


def some(rng: np.random.Generator, share: float, size: int) -> Ints:
    """Return the rows that a draw with probability `share` picks out of `size`."""
    return np.flatnonzero(rng.random(size) < share)


def numbered(sizes: Ints) -> tuple[Ints, Ints]:
    """Return for each member of groups with these sizes: its group, and its number (from 0) within it."""
    group = np.repeat(np.arange(len(sizes)), sizes)
    return group, np.arange(len(group)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
