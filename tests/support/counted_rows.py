"""Rows of a day as the kernels count them, for tests that compare the store with them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.columns import Block
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import EntranceSides
from tests.support.events import PLACE, Event, batch

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY = dt.date(2025, 11, 19)
DAYS = SiteDays(SHANGHAI)
MIDNIGHT = DAYS.begin(DAY)
GATES = {**PLACE.sides, "P1": EntranceSides("outside", "park")}


def rows_of(
    events: Sequence[Event], kind: str = "person", *, zone: ZoneInfo = SHANGHAI, day_starts: int = 0, partition: int = 0
) -> list[Block]:
    """Return what a worker stores of a log of these events, each a second after it happened."""
    numbered = [replace(event, offset=offset) for offset, event in enumerate(events)]
    one = batch(numbered, first=0, after=len(events))
    place = replace(PLACE, sides=GATES, days=SiteDays(zone, day_starts))
    log = PassageLog(PartitionId("demo", f"{kind}.passages", partition), kind, place, next_offset=0)
    log.apply(replace(one, arrived=one.ts + 1000))
    return log.drain()
