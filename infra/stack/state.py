"""The state directory of a demo: its lock, its days one after the other, and the addresses of its servers.

    lock            held while a demo runs        endpoints.json  addresses while it runs, no passwords
    clickhouse/     data and credentials.json     ledgers/        0001-day, 0002-closing, 0002-day ...
    broker/ logs/   what the servers print        faust/          the workers' own folders
    kafka/          data of a real broker, which outlive its process (else broker/)

`demo.py` fills it.
"""

import datetime as dt
import fcntl
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.process.files import write_private
from infra.servers.clickhouse import require_room
from simulators.ledger.ledger import META, cut_short
from streams.clock import real_now
from streams.site.model import Site

_DRAINED: Final = "drained"


class StateError(RuntimeError):
    """The directory given with --state cannot be used; the message has the reason, and what to do."""


@dataclass(frozen=True)
class Run:
    """One demo on a state; each plays the day after the one before, under its own device epoch."""

    number: int
    date: dt.date
    ledgers: Path
    persistent: bool = False
    """Whether what was sent outlives the run: then the next one's workers count what these had not read."""

    @property
    def ledger(self) -> Path:
        """Where this run's truth is stored."""
        return self.ledgers / f"{self.number:04}-day"

    @property
    def closing_ledger(self) -> Path:
        """Where the corrections that close the day before are stored."""
        return self.ledgers / f"{self.number:04}-closing"

    def end(self, *, drained: bool) -> None:
        """Note whether the workers had stored everything: what they had not is gone with the embedded broker."""
        if self.persistent or not self.ledgers.exists():
            return
        for ledger in sorted(found.parent for found in self.ledgers.glob(f"{self.number:04}-*/{META}")):
            if drained:
                (ledger / _DRAINED).touch()
            else:
                cut_short(ledger)


def next_run(state: Path, site: Site, *, broker: str = "embedded", date: dt.date | None = None) -> Run:
    """Return the run that follows the ones in `state`; runs that were killed are ended as not drained.

    It plays the day after the last one, or `date`; the first one plays today.

    With a real `broker` ("kafka") they need no such mark: what it has confirmed will be counted, and verify insists on
    it; a ledger that was not closed is marked as perhaps incomplete. Raises StateError for another kind of broker
    than the state began with, as the runs before would be waiting in the wrong one, for another site, and for a date
    that is not later than theirs.
    """
    ledgers, persistent = state / "ledgers", broker == "kafka"
    begun = sorted(ledgers.glob("[0-9]*-*"))
    if begun and (state / "kafka").exists() != persistent:
        other = "embedded" if persistent else "kafka"
        raise StateError(f"--state {state} was begun with --broker {other}: give the same, or another directory.")
    for number in sorted({_number(each) for each in begun if not (each / _DRAINED).exists() and not persistent}):
        Run(number, dt.date.min, ledgers).end(drained=False)
    number = 1 + max(map(_number, begun), default=0)
    days = [each / META for each in begun if each.name.endswith("-day") and (each / META).exists()]
    if not days:
        return Run(number, date or site.days.day(real_now()), ledgers, persistent)
    meta = json.loads(days[-1].read_text())["meta"]
    if meta["site"] != site.id:
        raise StateError(
            f"--state {state} is of the site '{meta['site']}', the scenario of '{site.id}'. Give another directory."
        )
    last = dt.date.fromisoformat(meta["date"])
    if date is not None and date <= last:
        raise StateError(
            f"--date {date}: --state {state} has played {last} already. Give a later date, or leave it out."
        )
    return Run(number, date or last + dt.timedelta(days=1), ledgers, persistent)


def _number(ledger: Path) -> int:
    return int(ledger.name.split("-")[0])


@contextmanager
def open_state(path: Path | None) -> Iterator[Path]:
    """Give a directory to one demo: `path`, created if missing, or a temporary one that goes away with it.

    Raises StateError, and ClickHouseError where there is too little room.
    """
    if path is None:
        with tempfile.TemporaryDirectory(prefix="gatepulse-demo-", ignore_cleanup_errors=True) as scratch:
            require_room(Path(scratch))
            yield Path(scratch)
        return
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("a")
    except OSError as error:
        raise StateError(
            f"--state {path}: {error.strerror}. Give a directory that you may write to, or leave --state out."
        ) from error
    with lock:  # the kernel lets go of it when this process ends, however it ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateError(
                f"--state {path}: another demo runs on it. End that one first, or give this one another directory."
            ) from error
        require_room(path)
        yield path.resolve()


@contextmanager
def endpoints(state: Path, addresses: Mapping[str, str]) -> Iterator[None]:
    """Keep addresses in `state`/endpoints.json for the time of a block."""
    file = state / "endpoints.json"
    write_private(file, json.dumps(dict(addresses), indent=1) + "\n")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
