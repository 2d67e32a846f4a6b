"""Checkpoints: a snapshot and its offset in one record, written after the rows and before the commit.

committed offset ≤ offset in the snapshot ≤ what the store has. A crash between any two steps replays records into
the same absolute values. Most snapshots say what has changed since the one before: see `snapshot_chain`. Read `takeup`
next.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import faust
from faust.types import TP, EventT

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import SnapshotHeader
from streams.worker.snapshot_chain import ChainLink, Chains, place_of
from streams.worker.snapshot_records import (
    Join,
    follows_on,
    join_records,
    loadable,
    offset_in,
    version,
    without_collection,
)


def snapshot_of(plain: Plain) -> SnapshotHeader:
    """Return what a snapshot says of itself."""
    return SnapshotHeader(PartitionId.parse(plain["log"]), plain["next"], plain.get("era", 0), plain.get("tail", 0))


class SnapshotTable(faust.Table[bytes, bytes]):
    """A Faust table of snapshots: of the chains of a partition the one that counted further stays.

    A worker that was thought dead may wake up and append old snapshots behind newer ones. One that cannot be loaded is
    dropped, whatever its version, with all that follow on it: an older one does, and without any the log begins anew.
    Faust reads the changelog; the records are in `chains`, and nothing is in Faust's own store.
    """

    chains: dict[int, Chains]
    """By partition."""
    unreadable: dict[int, int]
    """By partition, the newest version of those that cannot be loaded."""
    check: Callable[[Plain], object]
    """Raises for a snapshot that cannot be loaded."""
    join_plain: Join
    on_unreadable: Callable[[int, Exception], None]

    def apply_changelog_batch(self, batch: Iterable[EventT[bytes]]) -> None:
        """Take records of the changelog in while the table recovers. Faust drops a batch on which this raises."""
        added: set[int] = set()
        for event in batch:
            key, value = event.message.key or b"", event.message.value
            if value is None:
                continue
            try:
                partition, slot = place_of(key)
            except ValueError as error:
                self.on_unreadable(event.message.partition, error)
                continue
            before = follows_on(value) if slot else b""
            if self.chains.setdefault(partition, Chains()).add(value, before=before, version=version(value)):
                added.add(partition)
        for partition in sorted(added):
            self._prove(partition)

    def newest(self, partition: int) -> Plain | None:
        """Return the newest snapshot that can be loaded, with all changes; None if there is none."""
        chains = self.chains.get(partition)
        link = None if chains is None else chains.newest()
        return None if chains is None or link is None else self._joined(chains.path(link))

    def unreadable_after(self, partition: int) -> int:
        """Return up to which offset a snapshot had counted that is newer than the loaded one; 0 without one."""
        lost, chains = self.unreadable.get(partition), self.chains.get(partition)
        current = None if chains is None else chains.newest()
        if lost is None or (current is not None and current.version > lost):
            return 0
        return max(1, offset_in(lost))

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Forget the records of partitions that are another worker's now."""
        await super().on_recovery_completed(active_tps, standby_tps)
        name = self.changelog_topic.get_topic_name()
        mine = {tp.partition for tp in active_tps if tp.topic == name}
        self.chains = {partition: each for partition, each in self.chains.items() if partition in mine}

    def _prove(self, partition: int) -> None:
        """Drop what cannot be loaded until the newest snapshot can be."""
        chains = self.chains[partition]
        while (newest := chains.newest()) is not None and newest.digest != chains.proven:
            path = chains.path(newest)
            try:
                plain = self._joined(path)
                with without_collection():
                    self.check(plain)
            except Exception as error:  # noqa: BLE001  # garbage, or a state on which our own code fails
                self.unreadable[partition] = max(newest.version, self.unreadable.get(partition, 0))
                self.on_unreadable(partition, error)
                chains.drop(path[loadable([each.value for each in path]) :])
            else:
                chains.proven = newest.digest
        chains.prune()

    def _joined(self, path: Sequence[ChainLink]) -> Plain:
        return join_records([each.value for each in path], self.join_plain)


def snapshot_table(
    app: faust.App,
    name: str,
    *,
    partitions: int,
    check: Callable[[Plain], object],
    join: Join,
    on_unreadable: Callable[[int, Exception], None],
) -> SnapshotTable:
    """Create a table of snapshots in an app whose tables are SnapshotTables; Faust keeps bytes as they are."""
    made = app.Table(name, partitions=partitions, recovery_buffer_size=1000, key_type=bytes, value_type=bytes)
    table = cast("SnapshotTable", made)
    table.chains, table.unreadable = {}, {}
    table.check, table.join_plain, table.on_unreadable = check, join, on_unreadable
    return table
