"""Decides when the group must rebalance although no member joined or left: its assignment is out of date.

A member that returns within its session gets its partitions back without a rebalance. If it leads the group, aiokafka
does not tell it so, and then no member watches for partitions that were added or are gone.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from streams.sources.brokers import PartitionKey

FIRST_REBALANCE: Final = 3
"""Polls until the first rebalance: another worker may only be slow to start."""
BACKOFF: Final = 4
"""Each further rebalance comes after so many times as many polls."""


@dataclass
class Unassigned:
    """Partitions that no worker has ever read (`unread`), and assigned ones that cannot be read.

    gone: their topic no longer has them. apart: their snapshots are with another worker, or with none.
    """

    unread: frozenset[PartitionKey] = frozenset()
    gone: frozenset[PartitionKey] = frozenset()
    elsewhere: frozenset[PartitionKey] = frozenset()
    _polls: int = 0
    _next: int = FIRST_REBALANCE

    def begin(self, unread: frozenset[PartitionKey]) -> None:
        """Count anew: the topics have other partitions than before."""
        self.unread, self._polls, self._next = unread, 0, FIRST_REBALANCE

    def poll(self, read: AbstractSet[PartitionKey]) -> bool:
        """Count a poll of a worker that reads these partitions; return whether the group must rebalance.

        A worker without partitions leaves it to those that have some.
        """
        self.unread -= read
        if not (self.gone or self.elsewhere or (self.unread and read)):
            self.begin(self.unread)
            return False
        self._polls += 1
        if self._polls < self._next:
            return False
        self._next *= BACKOFF
        return True
