"""Short ways to write events, and a log of a small site that counts them."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from streams.kernels.counts.batch import Batch, LineCounts, Position, Rejection
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.columns import DictColumn
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite, EntranceSides, TimeRules
from streams.kernels.counts.site_clock import SiteClock
from streams.kernels.lines.texts import PackedTexts

SHANGHAI = ZoneInfo("Asia/Shanghai")
NINE = 1_763_600_400_000
"""2025-11-20 09:00:00 in Shanghai."""
SUSPECT, HORIZON = 300_000, 48 * 3_600_000
TIMES = TimeRules(SiteClock(), SUSPECT, HORIZON)
PLACE = CountingSite(
    {
        "N1": EntranceSides("outside", "venue"),
        "N2": EntranceSides("outside", "venue"),
        "H1": EntranceSides("venue", "hall"),
    },
    SiteDays(SHANGHAI),
    TIMES,
)
LOG = PartitionId("test", "turnstile.passages", 0)


@dataclass(frozen=True)
class Event:
    """One accepted event at an offset; the defaults are a visitor who comes in at nine through N1.

    Unless it says when it arrived, it did so shortly after nine, or at its own time if that is later.
    """

    offset: int = 0
    seq: int = 1
    device: str = "N1-L01"
    epoch: int = 0
    ts: int = NINE
    entrance: str = "N1"
    direction: str = "in"
    outcome: str = "passed"
    category: str = "visitor"
    reason: str = ""
    credential: str = "c1"
    line: int = 0
    arrived: int | None = None

    @property
    def arrival(self) -> int:
        """When it arrived, in ms."""
        return max(self.ts, NINE + self.offset) if self.arrived is None else self.arrived

    @property
    def raw(self) -> bytes:
        """A line for it; what is in it matters to nobody here."""
        return f"{self.device}:{self.epoch}:{self.seq} at {self.ts}".encode()


def batch(events: Sequence[Event], *, first: int, after: int, rejections: Sequence[Rejection] = ()) -> Batch:
    """Write events as columns."""

    def ints(values: Sequence[int]) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
        return np.array(values, dtype=np.int64)

    places = [each.offset for each in events] + [each.position.offset for each in rejections]
    return Batch(
        first=first,
        after=after,
        lines=LineCounts(np.arange(first, after), np.bincount(ints(places) - first, minlength=after - first)),
        raw=[each.raw for each in events],
        offset=ints([each.offset for each in events]),
        line=ints([each.line for each in events]),
        arrived=ints([each.arrival for each in events]),
        device=DictColumn.of(each.device for each in events),
        epoch=ints([each.epoch for each in events]),
        seq=ints([each.seq for each in events]),
        ts=ints([each.ts for each in events]),
        entrance=DictColumn.of(each.entrance for each in events),
        direction=ints([("in", "out").index(each.direction) for each in events]),
        outcome=ints([("passed", "granted", "denied").index(each.outcome) for each in events]),
        category=DictColumn.of(each.category for each in events),
        reason=DictColumn.of(each.reason for each in events),
        credential=PackedTexts.of([each.credential for each in events]),
        temperature=np.full(len(events), np.nan),
        health=DictColumn.same("", len(events)),
        rejections=list(rejections),
    )


def log() -> PassageLog:
    """Begin a log of persons at offset 0."""
    return PassageLog(LOG, "person", PLACE, next_offset=0)


def rejection(offset: int, line: int = 0) -> Rejection:
    """Write a rejected line down."""
    return Rejection(Position(offset, line, NINE), "not-json", "made up", "00", b"{")
