"""Stores the offsets at which a worker ended for an unknown reason, so that the next one rehearses them.

A worker that is killed, as by a kernel that is out of memory, cannot write anything. So the offsets in work are in
another file meanwhile. Read `isolation` next.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

OffsetRange = tuple[int, int]
"""First offset, and the one behind the last."""


def replace_json(file: Path, value: object) -> None:
    """Write a file as a whole: who reads it meanwhile, or after a crash, sees the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.{os.getpid()}")
    fresh.write_text(json.dumps(value, sort_keys=True))
    fresh.replace(file)


@dataclass(frozen=True)
class Suspects:
    """The suspect offsets of each log, by its name, in a file of the workers of one name."""

    file: Path

    def read(self) -> dict[str, OffsetRange]:
        """Read them; a file that cannot be read names none, so that a worker ends once more and writes it anew."""
        try:
            return {
                str(log): (int(first), int(after)) for log, (first, after) in json.loads(self.file.read_text()).items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def note(self, stretches: Mapping[str, OffsetRange]) -> None:
        """Add stretches; one that overlaps what is known of its log is joined with it, another takes its place."""
        known = self.read()
        for log, (first, after) in stretches.items():
            begun, ended = known.get(log, (first, after))
            overlaps = begun <= after and first <= ended
            known[log] = (min(first, begun), max(after, ended)) if overlaps else (first, after)
        replace_json(self.file, known)


class AtWork:
    """What a worker is at right now, in a file that its successor finds; a write takes some microseconds."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.left: dict[str, OffsetRange] = Suspects(file).read()
        """The offsets in work of the predecessor that was killed."""
        self._file = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.begin({})

    def begin(self, stretches: Mapping[str, OffsetRange]) -> None:
        """Write the offsets in work; none once they are done."""
        with suppress(OSError):  # a full disk must not keep a worker from its work
            encoded = json.dumps(stretches).encode()
            os.ftruncate(self._file, os.pwrite(self._file, encoded, 0))
