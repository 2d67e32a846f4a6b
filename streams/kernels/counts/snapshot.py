"""Saves and restores the counted state of a partition as plain lists and numbers, for checkpoints."""

from operator import itemgetter
from typing import Any, Final
from zoneinfo import ZoneInfo

from streams.kernels.counts import live
from streams.kernels.counts.admission import Device, Devices
from streams.kernels.counts.calendar import SiteDays
from streams.kernels.counts.cells import MOST_CATEGORIES, MOST_ENTRANCES, Cells
from streams.kernels.counts.columns import Interner
from streams.kernels.counts.identity import Ranges
from streams.kernels.counts.offset_bucket import Flow, Flows, OffsetBucket
from streams.kernels.counts.partition_log import PartitionId, PartitionLog, Tally
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite

FORMAT: Final = 1
FORMAT_OF_PARTS: Final = 2  # of a log that is in another than the first part of its bucket; otherwise the same

CELLS: Final = ("tens", "minutes", "days", "anonymous", "late")
Plain = dict[str, Any]
_first = itemgetter(0)


class SnapshotError(ValueError):
    """A snapshot is of another log or another format than this program's; the message says what to do."""


def check(plain: Plain, name: PartitionId) -> None:
    """Raise SnapshotError unless the snapshot is of this log and of our format."""
    if plain.get("format") not in (FORMAT, FORMAT_OF_PARTS):
        raise SnapshotError(
            f"snapshot of {name} has format {plain.get('format')!r}, this version reads {FORMAT} and "
            f"{FORMAT_OF_PARTS}: run the version of gatepulse that wrote it, "
            "or follow 'The snapshots are lost' in docs/operations.md"
        )
    if plain["log"] != str(name):
        raise SnapshotError(f"snapshot of {plain['log']} found for {name}: a log goes on from its own snapshots only")


def head_of(log: PartitionLog, number: int = FORMAT) -> Plain:
    """Write what the snapshots of all logs begin with, in the format of this number."""
    tally = log.tally
    figures = [tally.received, tally.counted, tally.duplicate, dict(sorted(tally.rejected.items()))]
    return {
        "format": number,
        "log": str(log.name),
        "next": log.next_offset,
        "tally": figures,
        "late": tally.late,
        "first": tally.first,
        "records": tally.records,
    }


def tally_in(plain: Plain) -> Tally:
    """Read a tally."""
    received, counted, duplicate, rejected = plain["tally"]
    first = plain.get("first", 0)  # a version that did not keep it began nearly all of its logs at 0
    records = plain.get("records", plain["next"] - first)
    return Tally(received, counted, duplicate, plain.get("late", 0), rejected, first, records)


def freeze(log: PassageLog) -> Plain:
    """Write the state as of `next_offset`, sorted, so that equal states read alike; without rows not yet drained.

    What was added to the format since its first version stands under keys of its own (`late`, `times`, `live`,
    `site_days`, `closed`): a version that does not know them reads the rest, and one that does not find them goes on
    without. A version that does not know parts of a bucket would write over the first one: so there it is another
    format.
    """
    devices = sorted(log.devices.known.items(), key=_first)
    return {
        **head_of(log, FORMAT_OF_PARTS if log.bucket.part else FORMAT),
        "entrances": list(log.entrances.listed),
        "categories": list(log.categories.listed),
        "reasons": list(log.reasons.listed),
        "device_names": list(log.devices.names.listed),
        "devices": [
            [*key, list(each.ranges.low), list(each.ranges.high), each.entrance, each.last_ts, each.last_seen]
            for key, each in devices
        ],
        "times": [[list(device.ranges.low_ts), list(device.ranges.high_ts)] for _, device in devices],
        "totals": log.totals.plain(),
        "last_ts": dict(sorted(log.last_ts.items())),
        "boundary": dict(sorted(log.boundary.items())),
        "segment": _bucket_out(log.bucket),
        "closed": [[*key, device.ranges.floor, device.ranges.closed] for key, device in devices if device.ranges.floor],
        "live": live.freeze(log.live),
        "site_days": log.days.rule,
    }


def thaw(plain: Plain, name: PartitionId, kind: str, place: CountingSite) -> PassageLog:
    """Take a log up where `freeze` left it. Raises SnapshotError when it is another one's."""
    check(plain, name)
    log = PassageLog(name, kind, place, next_offset=plain["next"])
    log.tally = tally_in(plain)
    log.entrances = Interner(plain["entrances"], limit=MOST_ENTRANCES)
    log.categories = Interner(plain["categories"], limit=MOST_CATEGORIES)
    log.reasons = Interner(plain["reasons"])
    closed = {(number, epoch): (floor, n) for number, epoch, floor, n in plain.get("closed", ())}
    known = {}
    devices, all_times = plain["devices"], plain.get("times")
    for device, times in zip(devices, [None] * len(devices) if all_times is None else all_times, strict=True):
        number, epoch, low, high, entrance, last_ts, last_seen = device
        low_ts, high_ts = times or ([None] * len(low), [None] * len(low))
        ranges = Ranges(list(low), list(high), list(low_ts), list(high_ts), *closed.get((number, epoch), (0, 0)))
        known[number, epoch] = Device(ranges, entrance, last_ts, last_seen)
    log.devices = Devices(Interner(plain["device_names"]), known)
    log.totals = _cells_in(plain["totals"])
    log.last_ts = dict(plain["last_ts"])
    log.boundary = dict(plain["boundary"])
    log.bucket = _bucket_in(plain["segment"])
    log.live = live.thaw(plain.get("live"))
    # The days by which the log was counted; a version before there was a choice knew midnight only.
    zone, starts = plain.get("site_days") or (str(place.days.zone), 0)
    if [zone, starts] != place.days.rule:
        log.days = SiteDays(ZoneInfo(zone), starts)
    return log


def _cells_in(plain: list[list[int]]) -> Cells:
    return Cells(dict(zip(*plain, strict=True)))


def _bucket_out(bucket: OffsetBucket) -> Plain:
    return {
        "number": bucket.number,
        "part": bucket.part,
        "events": bucket.events,
        **{name: getattr(bucket, name).plain() for name in CELLS},
        "refusals": [[number, cells.plain()] for number, cells in sorted(bucket.refusals.items(), key=_first)],
        "flows": [
            [window, area, flow.entered, flow.departed, flow.last_ts]
            for (window, area), flow in sorted(bucket.flows.cells.items(), key=_first)
        ],
    }


def _bucket_in(plain: Plain) -> OffsetBucket:
    plain = {"late": [[], []], **plain}  # the first version had none; of the other cells none may be missing
    flows = Flows({(window, area): Flow(*flow) for window, area, *flow in plain["flows"]})
    return OffsetBucket(
        number=plain["number"],
        part=plain.get("part", 0),
        events=plain.get("events", 0),
        **{name: _cells_in(plain[name]) for name in CELLS},
        refusals={number: _cells_in(cells) for number, cells in plain["refusals"]},
        flows=flows,
        hours=flows.by_hour(),
    )
