"""Nothing lost, nothing twice: rows first, then the snapshot with its offset in one record, then the commit.

committed offset ≤ offset in the snapshot ≤ what the store has. A crash between any two steps replays records into
the same absolute values. Read `agents` next.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Any, Final, cast

import faust
import msgspec
from faust.types import EventT

from streams.kernels.snapshot import Plain

_HEADER: Final = struct.Struct(">Q")
_encode = msgspec.msgpack.Encoder().encode


def pack(plain: Plain) -> bytes:
    """Write a snapshot as one record: its next offset (8 bytes), then the state, compressed."""
    return _HEADER.pack(plain["next"]) + zlib.compress(_encode(plain), level=1)


def unpack(value: bytes) -> Plain:
    """Undo `pack`."""
    plain: Plain = msgspec.msgpack.decode(zlib.decompress(memoryview(value)[_HEADER.size :]))
    return plain


def next_offset(value: bytes) -> int:
    """Read the offset alone."""
    offset: int = _HEADER.unpack_from(value)[0]
    return offset


class SnapshotTable(faust.Table[bytes, bytes]):
    """A Faust table as a shelf for snapshots: key = source partition, and of two the one that counted further stays.

    A worker that was thought dead may wake up and append an old snapshot behind a newer one.
    """

    def apply_changelog_batch(self, batch: Iterable[EventT[bytes]]) -> None:
        """Take records of the changelog in while the table recovers."""
        newest = {key: next_offset(value) for key, value in self.data.items()}
        kept: dict[Any, EventT[bytes]] = {}
        for event in batch:
            key, value = event.message.key, event.message.value
            if value is not None and next_offset(value) >= newest.get(key, 0):
                newest[key] = next_offset(value)
                kept[key] = event
        super().apply_changelog_batch(list(kept.values()))


def shelf(app: faust.App, name: str, *, partitions: int) -> SnapshotTable:
    """Create a table of snapshots in an app whose tables are SnapshotTables; Faust keeps bytes as they are."""
    table = app.Table(
        name,
        partitions=partitions,
        recovery_buffer_size=1000,
        key_type=bytes,
        value_type=bytes,
    )
    return cast("SnapshotTable", table)


def key_of(partition: int) -> bytes:
    """Name the snapshot of a partition."""
    return str(partition).encode()
