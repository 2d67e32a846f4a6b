"""Snapshots of earlier versions can be restored: the format gains keys and loses none."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streams.kernels.counts import corrections
from streams.kernels.counts.admission import Fate
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.partition_log import PartitionId, Tally
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.snapshot import SnapshotError, freeze, thaw
from tests.support.events import HORIZON, LOG, NINE, PLACE, TIMES, Event, batch, log
from tests.support.lines import correction, records
from tests.support.lines import corrections as codec

FIRST: dict[str, Any] = json.loads(Path(__file__).with_name("snapshot_format_1.json").read_text())
"""Written by the first version: two logs, and what it made of them after some further events."""
CORRECTIONS = PartitionId("test", "corrections", 0)
DAY = 86_400_000


def as_first(plain: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the first version did not know."""
    added = {"late", "times", "live", "first", "records", "site_days", "closed"}
    old = {name: value for name, value in plain.items() if name not in added}
    if "segment" in old:
        old["segment"] = {
            name: value for name, value in old["segment"].items() if name not in {"late", "part", "events"}
        }
    return json.loads(json.dumps(old))  # type: ignore[no-any-return]


def go_on(counting: PassageLog) -> None:
    """Count what the first version counted: a hole filled, a repetition, a new event, another hole filled."""
    events = [
        Event(6, 3, ts=NINE + 8000),
        Event(7, 4, ts=NINE + 12_000),
        Event(8, 5, ts=NINE + 40_000, direction="out"),
        Event(9, 2, device="H1-L01", entrance="H1", ts=NINE + 25_000),
    ]
    counting.apply(batch([replace(each, arrived=NINE + each.offset) for each in events], first=6, after=10))


def test_a_log_of_the_first_version_is_taken_up_and_counts_on_as_it_would_have() -> None:
    counting = thaw(FIRST["passages"], LOG, "person", PLACE)
    assert as_first(freeze(counting)) == FIRST["passages"]
    go_on(counting)
    assert as_first(freeze(counting)) == FIRST["passages_after"]
    assert counting.tally.unaccounted == 0


@pytest.mark.parametrize("part", [None, "segment"])
def test_a_snapshot_that_lacks_a_part_is_refused(part: str | None) -> None:
    """Otherwise its log would go on with lower counts under a higher version."""
    whole = FIRST["passages"]
    for name in whole if part is None else whole[part]:
        if name in ("closed", "format"):
            continue
        lacking = json.loads(json.dumps(whole))
        del (lacking if part is None else lacking[part])[name]
        with pytest.raises((KeyError, SnapshotError)):
            thaw(lacking, LOG, "person", PLACE)


def test_times_of_some_devices_only_are_refused() -> None:
    plain = freeze(thaw(FIRST["passages"], LOG, "person", PLACE))
    assert len(plain["devices"]) > 1
    fewer: list[list[Any]] = [[], plain["times"][1:]]
    for times in fewer:
        with pytest.raises(ValueError, match="shorter"):
            thaw(plain | {"times": times}, LOG, "person", PLACE)


def test_so_are_corrections() -> None:
    counting = corrections.thaw(FIRST["corrections"], CORRECTIONS, TIMES)
    assert as_first(corrections.freeze(counting)) == FIRST["corrections"]
    counting.apply(codec().read(records(correction(id="c-2"), correction(id="c-4"), first=4)))
    assert as_first(corrections.freeze(counting)) == FIRST["corrections_after"]


def test_where_the_first_version_noted_no_times_none_are_compared() -> None:
    counting = thaw(FIRST["passages"], LOG, "person", PLACE)
    back = Event(6, 5, ts=NINE - DAY)
    assert counting.devices.admit(batch([back], first=6, after=7), rules=TIMES).number(Fate.COUNTED) == 1
    further = Event(7, 6, ts=NINE - 2 * DAY, arrived=NINE)
    assert counting.devices.admit(batch([further], first=7, after=8), rules=TIMES).number(Fate.SUSPECT) == 1


def test_times_and_the_late_account_are_kept() -> None:
    counting = log()
    late = Event(0, 1, ts=NINE - HORIZON - 1, arrived=NINE)
    counting.apply(batch([late, Event(1, 3)], first=0, after=2))
    again = thaw(json.loads(json.dumps(freeze(counting))), LOG, "person", PLACE)
    assert again.tally == Tally(received=2, counted=1, late=1)
    assert again.bucket.late == type(counting.bucket.late)(counting.bucket.late.counts)
    again.apply(batch([Event(2, 2, ts=NINE + DAY, arrived=NINE + DAY)], first=2, after=3))  # contradicts number 3
    assert again.tally.rejected == {"suspect-time": 1}


def test_a_log_goes_on_with_its_days_until_it_is_told_to_change() -> None:
    """Half past three in the morning: this date's, and the one's before for a site whose days begin at four."""
    early = NINE - 5 * 3_600_000 - 1_800_000
    later = replace(PLACE, days=SiteDays(PLACE.days.zone, 240))
    before = log()
    before.apply(batch([Event(0, 1, ts=early)], first=0, after=1))

    counting = thaw(json.loads(json.dumps(freeze(before))), LOG, "person", later)
    counting.apply(batch([Event(1, 2, ts=early + 1000)], first=1, after=2))
    counting.change_days()
    counting = thaw(json.loads(json.dumps(freeze(counting))), LOG, "person", PLACE)
    counting.apply(batch([Event(2, 3, ts=early + 2000)], first=2, after=3))

    blocks = {block.table: block.columns for block in counting.drain()}
    day = PLACE.days.number(early)
    assert [list(blocks["counts_day"][name]) for name in ("day", "passages")] == [[day - 1], [1]]
    assert (counting.days, counting.place.days) == (later.days, PLACE.days)
