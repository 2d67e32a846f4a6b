"""Spreads the queries of an audit over time, so that they hold up neither flushes nor the wall. Next: `watch.py`."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sinks.sink import StoreReader

SHARE: Final = 0.25
"""Of the time that an audit takes, how much the store may work for it."""

_MAY_SET: Final = "SELECT getSetting('readonly') != 1"
_ONE_THREAD: Final = " SETTINGS max_threads = 1"


@dataclass(eq=False)
class PacedReader:
    """A reader of rows that rests after each query, so that the store works for it for `share` of the time at most.

    A query has one thread of the server, where its user may say so (`readonly` is not 1). It compares both sides of a
    view at one moment, so it does not matter to a verdict how long the rests between queries are.
    """

    reader: StoreReader
    share: float = SHARE
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _ending: str | None = field(default=None, init=False)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Return the rows of an answer after a rest. Raises StoreError."""
        if self._ending is None:
            ((may_set,),) = self.reader.query(_MAY_SET)
            self._ending = _ONE_THREAD if may_set else ""
        began = self.clock()
        rows = self.reader.query(sql + self._ending, params)
        self.sleep((self.clock() - began) * (1 / self.share - 1))
        return rows

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return the columns of an answer, without a rest. Raises StoreError."""
        return self.reader.columns(sql, params)
