"""The snapshots of a partition as chains of records: a whole one, then what has changed since, record by record.

A whole snapshot has the partition's key, as it always had: a version that knows no changes takes it up and counts the
rest again. Changes have the keys of a ring of slots, so that compaction deletes those of former chains. Each names the
very bytes of the record before it by their digest. So a chain ends, and never goes on with something else, where a
record is missing, damaged, deleted by compaction, or of another writer. What lies behind that is counted again: a state
is a function of its log. Read `checkpoint` next, which reads these records.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from streams.kernels.counts.snapshot import Plain

SLOTS: Final = 120
"""Records of changes of a chain, at most: with one a second two minutes. So much is counted again, at most, if all of
them are lost."""
SHARE: Final = 2
"""Bytes of the changes of a chain, at most, as a multiple of those of the whole snapshot: what a start has to read."""
_CHAINS: Final = 3
"""Chains of a partition that are kept while its records are read: a worker that was thought dead may write one, too."""
_DIGEST: Final = 16  # bytes
_NOTHING: Final = bytes(_DIGEST)
_SEPARATOR: Final = b"/"
Pack = Callable[[Plain, bytes], bytes]


def key_of(partition: int, slot: int = 0) -> bytes:
    """Name the place of a partition's whole snapshot, or of changes in a slot, from 1."""
    return f"{partition}/{slot}".encode() if slot else str(partition).encode()


def place_of(key: bytes) -> tuple[int, int]:
    """Undo `key_of`. Raises ValueError."""
    partition, _, slot = key.partition(_SEPARATOR)
    place = int(partition), int(slot or 0)
    if key_of(*place) != key:
        raise ValueError("no partition has such a key")
    return place


def digest_of(value: bytes) -> bytes:
    """Name a record by what it contains."""
    return hashlib.blake2b(value, digest_size=_DIGEST).digest()


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """A record of the changelog."""

    key: bytes
    value: bytes


@dataclass(slots=True)
class ChainWriter:
    """Links the snapshots that one worker writes of one partition since it was assigned to it."""

    partition: int
    tip: bytes = b""  # the digest of the record before; empty: nothing was written
    slot: int = 0
    whole_bytes: int = 0
    changed_bytes: int = 0
    written_at: int = -1  # the offset of the record before

    @property
    def wants_whole(self) -> bool:
        """Whether the next snapshot is to be a whole one."""
        return not self.tip or self.slot >= SLOTS or self.changed_bytes > SHARE * self.whole_bytes

    def record(self, plain: Plain, pack: Pack, *, whole: bool) -> SnapshotRecord:
        """Return the next record. `pack` is given what it follows on: no bytes before a whole snapshot.

        Changes may have been made before it was known that nothing can follow on the record before: they follow on
        nothing, and the next snapshot is a whole one.
        """
        value = pack(plain, b"" if whole else self.tip or _NOTHING)
        self.tip = digest_of(value) if whole or self.tip else b""
        if whole:
            self.slot, self.whole_bytes, self.changed_bytes = 0, len(value), 0
        else:
            self.slot, self.changed_bytes = self.slot + 1, self.changed_bytes + len(value)
        return SnapshotRecord(key_of(self.partition, self.slot), value)

    def note_written(self, offset: int) -> None:
        """Note at which offset the last record is; one that is not behind the one before is in another changelog.

        The topic was made anew, or the broker has come back from an older copy: the next snapshot is a whole one.
        """
        if offset <= self.written_at:
            self.tip = b""
        self.written_at = offset


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A record that was read. `version`: of two the one with the higher has counted further, see `checkpoint`."""

    digest: bytes
    before: bytes  # the digest of the record that it follows on; empty for a whole snapshot
    root: bytes  # the digest of the whole snapshot of its chain
    value: bytes
    version: int
    number: int  # in the order of reading


@dataclass(slots=True)
class Chains:
    """The chains of one partition, as far as its records have been read; these come in the order of the changelog.

    A record of changes is written once the one before it is known to be there. So whatever comes without that one has
    no chain, and is passed over.
    """

    links: dict[bytes, ChainLink] = field(default_factory=dict)
    proven: bytes = b""  # the digest of the newest record that could be loaded
    _read: int = 0

    def add(self, value: bytes, *, before: bytes, version: int) -> bool:
        """Add a record that follows on another, or on none; return whether it has a chain."""
        if before and before not in self.links:
            return False
        digest = digest_of(value)
        if digest in self.links:  # read again
            return True
        self._read += 1
        root = self.links[before].root if before else digest
        self.links[digest] = ChainLink(digest, before, root, value, version, self._read)
        return True

    def newest(self) -> ChainLink | None:
        """Return the record that has counted furthest; of several the last one."""
        return max(self.links.values(), key=lambda each: (each.version, each.number), default=None)

    def path(self, link: ChainLink) -> list[ChainLink]:
        """Return all records up to this one, the whole snapshot first."""
        found = [link]
        while found[-1].before:
            found.append(self.links[found[-1].before])
        return found[::-1]

    def drop(self, some: Collection[ChainLink]) -> None:
        """Forget records, and all that follow on them."""
        lost = {each.digest for each in some}
        for each in sorted(self.links.values(), key=lambda link: link.number):
            if each.digest in lost or each.before in lost:
                lost.add(each.digest)
                del self.links[each.digest]

    def prune(self) -> None:
        """Forget all chains but those that have counted furthest."""
        furthest: dict[bytes, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for each in self.links.values():
            furthest[each.root] = max(furthest[each.root], (each.version, each.number))
        roots = sorted(furthest, key=lambda root: furthest[root])[-_CHAINS:]
        self.links = {digest: each for digest, each in self.links.items() if each.root in roots}
