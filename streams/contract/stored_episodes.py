"""The columns by which alarm episodes are read from the store's views: one list for wall, replay and operators."""

from collections.abc import Collection
from typing import Final

from streams.kernels.alarms.episodes import COLUMNS

_TIMES: Final = {name for name in COLUMNS if name.endswith("_at")}
_MOMENT: Final = "if({0} IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull({0})))"


def episode_columns(*, missing: Collection[str] = ()) -> str:
    """Return what a query selects so that `Episode(*row)` reads its rows; `missing`: what the view does not have."""
    columns = {name: _MOMENT.format(name) if name in _TIMES else name for name in COLUMNS}
    nothing = {name: "NULL" if name in _TIMES else "''" for name in missing}
    return ", ".join((columns | nothing).values())
