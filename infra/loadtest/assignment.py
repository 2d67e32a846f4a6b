"""The files between load test and generator: its assignment, and when it is ready and done; next: `generator.py`."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  # msgspec reads annotations when it decodes
from typing import Final

import msgspec

from infra.loadtest.shape import Phase  # noqa: TC001  # msgspec reads annotations when it decodes

READY: Final = "ready"
BEGIN: Final = "begin"
DONE: Final = "done.json"
DUE: Final = "due.npz"


class Curve(msgspec.Struct, frozen=True):
    """The scenario's own curve: from `start_at` (local hh:mm) on for `seconds` real seconds, `times` as many events."""

    times: float
    seconds: float
    start_at: str


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One generator's part of a load.

    It sends the events of the devices whose number leaves `part` when divided by `parts`. Everything it writes is below
    `folder`: `ready` when its events are made up, `done.json` at its end; `begin` is written for it by who started it,
    next to all folders. `ledger` is a new folder for the truth. `group` names the workers that must not fall behind by
    more than `max_lag` events; "": nobody is waited for.
    """

    scenario: str
    site: str
    seed: int
    epoch: int
    load: tuple[Phase, ...] | Curve
    part: int
    parts: int
    distortion: str
    frame: int
    bootstrap: str
    api_version: tuple[int, ...]
    group: str
    max_lag: int
    folder: Path
    ledger: Path

    @property
    def begin(self) -> Path:
        """Where the time to begin is written (ms since 1970 UTC), the same for all parts."""
        return self.folder.parent / BEGIN


def write_assignment(file: Path, assignment: Assignment) -> None:
    """Write an assignment for the process that is to carry it out."""
    file.write_bytes(msgspec.json.encode(assignment, enc_hook=str))


def read_assignment(file: Path) -> Assignment:
    """Read an assignment."""
    return msgspec.json.decode(file.read_bytes(), type=Assignment, dec_hook=lambda kind, text: kind(text))


def write_atomically(file: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_bytes(content)
    fresh.replace(file)
