"""Reads from the store up to which offset and time each partition is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sinks.sink import StoreReader

_PROGRESS: Final = (
    "SELECT log, cluster, next_offset, received, toUnixTimestamp64Milli(complete_to) FROM gatepulse.progress "
    "WHERE topic != 'alarm.inputs'"
)


Row = Mapping[str, Any]
"""A row of a table of the store, by column."""


@dataclass(frozen=True)
class StoredProgress:
    """How far a partition was stored at the moment of the query; `complete_to` in real milliseconds UTC."""

    name: str
    cluster: str
    next_offset: int
    received: int
    complete_to: int


def live_progress(reader: StoreReader) -> list[StoredProgress]:
    """Return the partitions of the live cluster, the one that was stored last; those of older ones never move again."""
    partitions = [StoredProgress(*row) for row in reader.query(_PROGRESS)]
    newest = max(partitions, key=lambda one: one.complete_to, default=None)
    return [one for one in partitions if newest is not None and one.cluster == newest.cluster]
