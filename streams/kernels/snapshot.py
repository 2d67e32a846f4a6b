"""The state of a log as plain lists and numbers, and back; what the checkpoint keeps and a restart takes up."""

from collections import Counter
from operator import itemgetter
from typing import Any, Final

from streams.kernels.cells import MOST_CATEGORIES, MOST_ENTRANCES, Cells
from streams.kernels.identity import Ranges
from streams.kernels.log import LogName, Tally
from streams.kernels.names import Names
from streams.kernels.passages import Device, PassageLog
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


def tally_out(tally: Tally) -> list[Any]:
    """Write a tally."""
    return [tally.received, tally.counted, tally.duplicate, dict(sorted(tally.rejected.items()))]


def tally_in(plain: list[Any]) -> Tally:
    """Read a tally."""
    received, counted, duplicate, rejected = plain
    return Tally(received, counted, duplicate, Counter(rejected))


def freeze(log: PassageLog) -> Plain:
    """Write the state as of `next_offset`, sorted, so that equal states read alike; without rows not yet taken."""
    return {
        "format": FORMAT,
        "log": str(log.name),
        "next": log.next_offset,
        "tally": tally_out(log.tally),
        "entrances": list(log.entrances.listed),
        "categories": list(log.categories.listed),
        "reasons": list(log.reasons.listed),
        "device_names": list(log.device_names.listed),
        "devices": [_device_out(key, device) for key, device in sorted(log.devices.items(), key=_first)],
        "totals": _cells_out(log.totals),
        "last_ts": dict(sorted(log.last_ts.items())),
        "boundary": dict(sorted(log.boundary.items())),
        "segment": _segment_out(log.segment),
    }


def thaw(plain: Plain, name: LogName, kind: str, place: Place) -> PassageLog:
    """Take a log up where `freeze` left it. Raises SnapshotError when it is another one's."""
    check(plain, name)
    log = PassageLog(name, kind, place, next_offset=plain["next"])
    log.tally = tally_in(plain["tally"])
    log.entrances = Names(plain["entrances"], limit=MOST_ENTRANCES)
    log.categories = Names(plain["categories"], limit=MOST_CATEGORIES)
    log.reasons = Names(plain["reasons"])
    log.device_names = Names(plain["device_names"])
    log.devices = dict(_device_in(each) for each in plain["devices"])
    log.totals = _cells_in(plain["totals"])
    log.last_ts = dict(plain["last_ts"])
    log.boundary = dict(plain["boundary"])
    log.segment = _segment_in(plain["segment"])
    return log


def _device_out(key: tuple[int, int], device: Device) -> list[Any]:
    ranges = device.ranges
    return [*key, list(ranges.low), list(ranges.high), device.entrance, device.last_ts, device.last_seen]


def _device_in(plain: list[Any]) -> tuple[tuple[int, int], Device]:
    number, epoch, low, high, entrance, last_ts, last_seen = plain
    return (number, epoch), Device(Ranges(list(low), list(high)), entrance, last_ts, last_seen)


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
        refusals={number: _cells_in(cells) for number, cells in plain["refusals"]},
        flows=flows,
        hours=flows.by_hour(),
    )
