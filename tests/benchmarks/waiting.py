"""How long each entry of a day waited until the wall showed it; for `event_to_wall.py` and `event_to_pixel.py`.

Displayed entries are a running number: the k-th entry of the day, by time of passage, is shown by the first look at the
wall that shows at least k.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.site import Site

Integers = NDArray[np.int64]
_QUANTILES: Final = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def entry_times(passages: Mapping[str, Any], site: Site) -> Integers:
    """Return when persons entered over the site's boundary (event times in ms, in order), from a ledger's passages."""
    gates = {each.id for each in site.entrances if each.boundary and each.kind == "person"}
    kept = {"direction": {"in"}, "outcome": {"passed"}, "entrance": gates}
    entered = np.all([passages[name].each(some.__contains__, bool) for name, some in kept.items()], axis=0)
    return np.sort(np.asarray(passages["ts"])[entered])


def first_looks(shown: ArrayLike, entries: int) -> Integers:
    """Return for each entry the index of the first look that shows it; len(shown) if none does.

    `shown` are the entries that each look shows, in order of time.
    """
    return np.searchsorted(np.asarray(shown), np.arange(1, entries + 1), side="left")


def quantiles(milliseconds: Sequence[float] | NDArray[Any]) -> dict[str, int]:
    """Return number, median, p90, p99 and maximum, as whole milliseconds."""
    if not len(milliseconds):
        return {"n": 0}
    found = np.quantile(np.asarray(milliseconds, np.float64), list(_QUANTILES.values()))
    return {"n": len(milliseconds)} | {name: round(value) for name, value in zip(_QUANTILES, found, strict=True)}
