"""The state of a log as plain lists and numbers, and back; what the checkpoint keeps and a restart takes up."""

from operator import itemgetter
from typing import Any, Final

from streams.kernels import live
from streams.kernels.admission import Device, Devices
from streams.kernels.cells import MOST_CATEGORIES, MOST_ENTRANCES, Cells
from streams.kernels.identity import Ranges, Reference
from streams.kernels.log import LogName, Tally
from streams.kernels.names import Names
from streams.kernels.passages import PassageLog
from streams.kernels.place import Place
from streams.kernels.segment import Flow, Flows, Segment

FORMAT: Final = 1

Plain = dict[str, Any]
_first = itemgetter(0)


class SnapshotError(ValueError):
    """A snapshot is of another log or another format than this program's; the message says what to do."""


def check(plain: Plain, name: LogName) -> None:
    """Raise SnapshotError unless the snapshot is of this log and of our format."""
    if plain.get("format") != FORMAT:
        raise SnapshotError(
            f"snapshot of {name} has format {plain.get('format')!r}, this version reads {FORMAT}: "
            "run the version of gatepulse that wrote it, or delete the changelog to count the log anew"
        )
    if plain["log"] != str(name):
        raise SnapshotError(
            f"snapshot of {plain['log']} found for {name}: set kafka.cluster back to the name it had, "
            "or its events would be counted a second time under the new one"
        )


def tally_out(tally: Tally) -> Plain:
    """Write a tally."""
    figures = [tally.received, tally.counted, tally.duplicate, dict(sorted(tally.rejected.items()))]
    return {"tally": figures, "late": tally.late}


def tally_in(plain: Plain) -> Tally:
    """Read a tally."""
    received, counted, duplicate, rejected = plain["tally"]
    return Tally(received, counted, duplicate, plain.get("late", 0), rejected)


def freeze(log: PassageLog) -> Plain:
    """Write the state as of `next_offset`, sorted, so that equal states read alike; without rows not yet taken.

    What was added to the format since its first version stands under keys of its own (`late`, `times`, `live`): a
    version that does not know them reads the rest, and one that does not find them goes on without.
    """
    devices = sorted(log.devices.known.items(), key=_first)
    return {
        "format": FORMAT,
        "log": str(log.name),
        "next": log.next_offset,
        **tally_out(log.tally),
        "entrances": list(log.entrances.listed),
        "categories": list(log.categories.listed),
        "reasons": list(log.reasons.listed),
        "device_names": list(log.devices.names.listed),
        "devices": [_device_out(key, device) for key, device in devices],
        "times": [[list(device.ranges.low_ts), list(device.ranges.high_ts)] for _, device in devices],
        "totals": _cells_out(log.totals),
        "last_ts": dict(sorted(log.last_ts.items())),
        "boundary": dict(sorted(log.boundary.items())),
        "segment": _segment_out(log.segment),
        "live": live.freeze(log.live),
    }


def thaw(plain: Plain, name: LogName, kind: str, place: Place) -> PassageLog:
    """Take a log up where `freeze` left it. Raises SnapshotError when it is another one's."""
    check(plain, name)
    log = PassageLog(name, kind, place, next_offset=plain["next"])
    log.tally = tally_in(plain)
    log.entrances = Names(plain["entrances"], limit=MOST_ENTRANCES)
    log.categories = Names(plain["categories"], limit=MOST_CATEGORIES)
    log.reasons = Names(plain["reasons"])
    devices, times = plain["devices"], plain.get("times")
    known = dict(map(_device_in, devices, [None] * len(devices) if times is None else times))
    log.devices = Devices(Names(plain["device_names"]), known)
    log.totals = _cells_in(plain["totals"])
    log.last_ts = dict(plain["last_ts"])
    log.boundary = dict(plain["boundary"])
    log.segment = _segment_in(plain["segment"])
    log.live = live.thaw(plain.get("live"))
    return log


def _device_out(key: tuple[int, int], device: Device) -> list[Any]:
    ranges = device.ranges
    return [*key, list(ranges.low), list(ranges.high), device.entrance, device.last_ts, device.last_seen]


def _device_in(plain: list[Any], times: list[list[Reference]] | None) -> tuple[tuple[int, int], Device]:
    number, epoch, low, high, entrance, last_ts, last_seen = plain
    unknown: list[Reference] = [None] * len(low)
    low_ts, high_ts = times or (unknown, unknown)
    ranges = Ranges(list(low), list(high), list(low_ts), list(high_ts))
    return (number, epoch), Device(ranges, entrance, last_ts, last_seen)


def _cells_out(cells: Cells) -> list[list[int]]:
    keys = sorted(cells.counts)
    return [keys, cells.of(keys)]


def _cells_in(plain: list[list[int]]) -> Cells:
    return Cells(dict(zip(*plain, strict=True)))


def _segment_out(segment: Segment) -> Plain:
    return {
        "number": segment.number,
        "tens": _cells_out(segment.tens),
        "minutes": _cells_out(segment.minutes),
        "days": _cells_out(segment.days),
        "anonymous": _cells_out(segment.anonymous),
        "late": _cells_out(segment.late),
        "refusals": [[number, _cells_out(cells)] for number, cells in sorted(segment.refusals.items(), key=_first)],
        "flows": [
            [window, area, flow.entered, flow.departed, flow.last_ts]
            for (window, area), flow in sorted(segment.flows.cells.items(), key=_first)
        ],
    }


def _segment_in(plain: Plain) -> Segment:
    flows = Flows({(window, area): Flow(*flow) for window, area, *flow in plain["flows"]})
    return Segment(
        number=plain["number"],
        tens=_cells_in(plain["tens"]),
        minutes=_cells_in(plain["minutes"]),
        days=_cells_in(plain["days"]),
        anonymous=_cells_in(plain["anonymous"]),
        late=_cells_in(plain.get("late", [[], []])),
        refusals={number: _cells_in(cells) for number, cells in plain["refusals"]},
        flows=flows,
        hours=flows.by_hour(),
    )
