"""The columns by which alarm episodes are read from the store's views: one list for wall, replay and operators."""

from collections.abc import Collection
from typing import Final

from streams.kernels.alarms.episodes import COLUMNS

_TIMES: Final = {name for name in COLUMNS if name.endswith("_at")}


def episode_columns(*, missing: Collection[str] = ()) -> str:
    """Return what a query selects so that `Episode(*row)` reads its rows; `missing`: what the view does not have."""
    return ", ".join(_nothing(name) if name in missing else _column(name) for name in COLUMNS)


def _column(name: str) -> str:
    if name not in _TIMES:
        return name
    return f"if({name} IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull({name})))"


def _nothing(name: str) -> str:
    return "NULL" if name in _TIMES else "''"
