"""A small expo day that is made quickly, and doubles of a simulator's clock, ledger and producer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from simulators.ledger.ledger import LedgerWriter, Result
from simulators.scenario.day import Coded, Day, Ints
from simulators.scenario.expo.expo import EXPO, expo_day
from simulators.scenario.expo.spec import ExpoSpec, PeopleSpec, VehicleSpec
from simulators.sending.pace import MachineTime
from simulators.sending.producer import NotStoredError, OnAnswer, Producer, Stored
from streams.site.model import Site
from streams.site.reader import load_site

SMALL = ExpoSpec(PeopleSpec(entries=3_000, returning=300, turned_away=20), VehicleSpec(turned_away=3))
SMALL_EXPO = replace(EXPO, make_day=partial(expo_day, spec=SMALL))


@cache
def expo() -> Site:
    return load_site("expo")


@cache
def small_day(seed: int = 1) -> Day:
    return expo_day(expo(), seed=seed, spec=SMALL, epoch=9)


class ManualTime(MachineTime):
    """Real time that passes only when somebody waits."""

    def __init__(self, now_ms: int = 1_000_000) -> None:
        self.ms = float(now_ms)

    def now_ms(self) -> int:
        """Milliseconds since 1970 UTC."""
        return int(self.ms)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += seconds * 1000


class MemoryLedger(LedgerWriter):
    """Keeps what would stand in a ledger."""

    def __init__(self) -> None:
        self.columns: list[Mapping[str, Any]] = []
        self.rows = 0
        self.results: dict[str, list[int]] = {"ok": [], "fail": [], "info": []}
        self.stored: list[tuple[int, tuple[int, int, int]]] = []
        self.broken: list[tuple[str, str, str]] = []
        self.gaps: list[tuple[str, int, int]] = []

    def passages(self, columns: Mapping[str, Any]) -> Ints:
        """Keep passages."""
        first, self.rows = self.rows, self.rows + len(columns["ts"])
        self.columns.append(columns)
        return np.arange(first, self.rows)

    def attempts(
        self, index: Ints | Sequence[int], result: Result, *, at_ms: int, stored: Mapping[str, Any] | None = None
    ) -> None:
        """Keep what became of attempts, and where they are stored."""
        assert at_ms > 0
        index = np.asarray(index)
        self.results[result] += index.tolist()
        if stored is not None and "offset" in stored:
            places = zip(*(stored[name].tolist() for name in ("arrived_ms", "partition", "offset")), strict=True)
            self.stored += zip(index.tolist(), places, strict=True)

    def malformed(self, *, topic: str, sha256: Sequence[str], reason: Sequence[str], result: Result) -> None:
        """Keep malformed lines."""
        assert topic.endswith(".passages")
        self.broken += [(name, why, result) for name, why in zip(sha256, reason, strict=True)]

    def skipped(self, *, device: str, epoch: int, count: int) -> None:
        """Keep a gap."""
        self.gaps.append((device, epoch, count))

    def texts(self, column: str) -> list[Any]:
        """Return a column of all passages."""
        return [value for columns in self.columns for value in columns[column].tolist()]


_ON_THE_WAY_MS = 2


class MemoryProducer(Producer):
    """Stores every message in a single partition, with its own time; every `fails_every`-th remains unanswered for.

    `final`: and sending it again would change nothing.
    """

    def __init__(self, *, fails_every: int = 0, final: bool = True) -> None:
        self.messages: list[tuple[str, bytes, bytes]] = []
        self.times: list[int] = []
        self._fails_every, self._final = fails_every, final

    def send(self, topic: str, value: bytes, key: bytes, *, timestamp_ms: int, on_answer: OnAnswer) -> None:
        """Store a message, or do not answer."""
        self.times.append(timestamp_ms + _ON_THE_WAY_MS)
        self.messages.append((topic, value, key))
        if self._fails_every and len(self.messages) % self._fails_every == 0:
            on_answer(NotStoredError("no answer", final=self._final))
        else:
            on_answer(Stored(0, len(self.messages) - 1, self.times[-1]))

    def settle(self, seconds: float = 0.0) -> None:
        """Everything has been answered."""

    def flush(self, seconds: float = 0.0) -> None:
        """Return at once: everything has been answered."""

    @property
    def lines(self) -> list[bytes]:
        """Return the lines of all messages."""
        return [line for _, value, _ in self.messages for line in value.split(b"\n")]


def coded(day: Day, name: str) -> Coded:
    """Return an optional field of text."""
    column = day.optional[name]
    assert isinstance(column, Coded)
    return column
