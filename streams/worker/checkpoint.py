"""Checkpoints: a snapshot and its offset in one record, written after the rows and before the commit.

committed offset ≤ offset in the snapshot ≤ what the store has. A crash between any two steps replays records into
the same absolute values. Read `takeup` next.
"""

import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

import faust
import msgspec
from faust.types import EventT

from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.snapshot import Plain
from streams.kernels.counts.takeup import SnapshotHeader

_HEADER: Final = struct.Struct(">Q")
_ERA: Final = 48
"""Bits of an offset; those above say how many logs of the partition ended before this one."""
_encode = msgspec.msgpack.Encoder().encode


def pack(plain: Plain) -> bytes:
    """Write a snapshot as one record: its version (8 bytes), then the state, compressed."""
    return _HEADER.pack(plain.get("era", 0) << _ERA | plain["next"]) + zlib.compress(_encode(plain), level=1)


def unpack(value: bytes) -> Plain:
    """Undo `pack`."""
    plain: Plain = msgspec.msgpack.decode(zlib.decompress(memoryview(value)[_HEADER.size :]))
    return plain


def snapshot_of(plain: Plain) -> SnapshotHeader:
    """Return what a snapshot says of itself."""
    return SnapshotHeader(PartitionId.parse(plain["log"]), plain["next"], plain.get("era", 0), plain.get("tail", 0))


def version(value: bytes) -> int:
    """Read the version alone, 0 if there is none: of two snapshots of a partition the one with the higher is newer."""
    return int.from_bytes(value[: _HEADER.size], "big") if len(value) >= _HEADER.size else 0


class SnapshotTable(faust.Table[bytes, bytes]):
    """A Faust table of snapshots: key = source partition, and of two the one that counted further stays.

    A worker that was thought dead may wake up and append an old snapshot behind a newer one. One that cannot be
    loaded is dropped, whatever its version: an older one does, and without any the log begins anew.
    """

    def apply_changelog_batch(self, batch: Iterable[EventT[bytes]]) -> None:
        """Take records of the changelog in while the table recovers. Faust drops a batch on which this raises."""
        newest = {key: version(value) for key, value in self.data.items()}
        found: dict[Any, list[EventT[bytes]]] = {}
        for event in batch:
            key, value = event.message.key, event.message.value
            if value is not None and version(value) >= newest.get(key, 0):
                found.setdefault(key, []).append(event)
        readable = (self._newest_readable(events) for events in found.values())
        super().apply_changelog_batch([event for event in readable if event is not None])

    def _newest_readable(self, events: list[EventT[bytes]]) -> EventT[bytes] | None:
        events.sort(key=lambda each: version(each.message.value or b""))
        for event in reversed(events):
            key, value = event.message.key or b"", event.message.value or b""
            try:
                if key_of(int(key)) != key:
                    raise ValueError("no partition has such a key")  # noqa: TRY301  # it is handled like any other
                self.check(unpack(value))
            except Exception as error:  # noqa: BLE001  # garbage, or a state on which our own code fails
                self.unreadable[key] = max(value, self.unreadable.get(key, b""), key=version)
                self.on_unreadable(event.message.partition, error)
            else:
                return event
        return None

    unreadable: dict[bytes, bytes]
    """By key, the newest of those that cannot be loaded."""
    check: Callable[[Plain], object]
    """Raises for a snapshot that cannot be loaded."""
    on_unreadable: Callable[[int, Exception], None]

    def unreadable_after(self, partition: int) -> int:
        """Return up to which offset a snapshot had counted that is newer than the loaded one; 0 without one."""
        key = key_of(partition)
        lost, current = self.unreadable.get(key), self.data.get(key)
        if lost is None or (current is not None and version(current) > version(lost)):
            return 0
        return max(1, version(lost) & ((1 << _ERA) - 1))


def snapshot_table(
    app: faust.App,
    name: str,
    *,
    partitions: int,
    check: Callable[[Plain], object],
    on_unreadable: Callable[[int, Exception], None],
) -> SnapshotTable:
    """Create a table of snapshots in an app whose tables are SnapshotTables; Faust keeps bytes as they are."""
    made = app.Table(name, partitions=partitions, recovery_buffer_size=1000, key_type=bytes, value_type=bytes)
    table = cast("SnapshotTable", made)
    table.unreadable, table.check, table.on_unreadable = {}, check, on_unreadable
    return table


def key_of(partition: int) -> bytes:
    """Name the snapshot of a partition."""
    return str(partition).encode()
