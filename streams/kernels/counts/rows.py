"""Builds rows of deliveries, visitors, devices and rejections; `offset_bucket` builds the rows of counts."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np

from streams.kernels.counts.admission import Fate
from streams.kernels.counts.batch import COLUMNS, DIRECTIONS, OUTCOMES, Batch, Ints, Rejection
from streams.kernels.counts.columns import Block, Column, DictColumn
from streams.kernels.counts.counted import Named
from streams.kernels.counts.identity import Ranges
from streams.kernels.counts.offset_bucket import BucketOwner
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.place import EntranceSides

_MADE_OTHERWISE: Final = frozenset({"entrance", "category", "direction", "outcome"})
_AS_THEY_ARE: Final = tuple(name for name in COLUMNS if name not in _MADE_OTHERWISE)
_UNKNOWN: Final = EntranceSides("", "")
NOT_SETTLED: Final = ""
"""What stands in `settled` until a delivery is found to be one of several."""
FATES: Final = tuple(fate.name.lower() for fate in Fate)
"""What a log makes of a delivery, by number of `Fate`, as the store has it."""


class DeviceFacts(Protocol):
    """What a row says of a device in one epoch."""

    ranges: Ranges
    entrance: str
    last_ts: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class AcceptedEvents:
    """Events that a log counted, or that were late; all have the same fate."""

    events: Named
    fate: Fate


def delivery_rows(log: BucketOwner, sides: Mapping[str, EntranceSides], delivered: Sequence[AcceptedEvents]) -> Block:
    """List events that were counted or late, each once, and where their entrances lead."""
    batches = [each.events.batch for each in delivered]
    fate = np.repeat([each.fate.value for each in delivered], list(map(len, batches)))
    entrance = np.concatenate([each.events.entrance for each in delivered])
    ways = [sides.get(name, _UNKNOWN) for name in log.entrances.listed]
    columns = {
        "entrance": DictColumn(entrance, log.entrances.listed),
        "category": DictColumn(np.concatenate([each.events.category for each in delivered]), log.categories.listed),
        "outer": DictColumn(entrance, [way.outer for way in ways]),
        "inner": DictColumn(entrance, [way.inner for way in ways]),
    }
    return _deliveries(log, batches, fate, columns)


def repeat_rows(
    log: BucketOwner, sides: Mapping[str, EntranceSides], repeated: Sequence[tuple[Batch, Ints]]
) -> list[Block]:
    """List events that came again, or that were not believed, with their fates; and where those are that came again."""
    batches = [batch for batch, _ in repeated]
    fate = np.concatenate([fate for _, fate in repeated])
    ways = [sides.get(name, _UNKNOWN) for name in _joined(batches, "entrance")]
    columns = {
        "entrance": _joined(batches, "entrance"),
        "category": _joined(batches, "category"),
        "outer": [way.outer for way in ways],
        "inner": [way.inner for way in ways],
    }
    blocks = [_deliveries(log, batches, fate, columns)]
    again = [batch.select(np.flatnonzero(fate == Fate.DUPLICATE.value)) for batch, fate in repeated]
    if n := sum(map(len, again)):
        places = {name: _joined(again, name) for name in ("offset", "line", "device", "epoch", "seq")}
        blocks.append(Block("repeats", {**places, "log": DictColumn.same(str(log.name), n)}))
    return blocks


def _deliveries(log: BucketOwner, batches: Sequence[Batch], fate: Ints, columns: Mapping[str, Column]) -> Block:
    n = len(fate)
    return Block(
        "deliveries",
        {
            **columns,
            **{name: _joined(batches, name) for name in _AS_THEY_ARE},
            **{name: _appended([each.carried[name] for each in batches]) for name in batches[0].carried},
            "direction": DictColumn(_joined(batches, "direction"), DIRECTIONS),
            "outcome": DictColumn(_joined(batches, "outcome"), OUTCOMES),
            "kind": DictColumn.same(log.kind, n),
            "log": DictColumn.same(str(log.name), n),
            "fate": DictColumn(fate, FATES),
            "settled": DictColumn.same(NOT_SETTLED, n),
            "seen": np.zeros(n, dtype=np.int64),
        },
    )


def _joined(batches: Sequence[Batch], name: str) -> Any:  # noqa: ANN401  # a list or an array, as the column is
    return _appended([getattr(batch, name) for batch in batches])


def _appended(columns: Sequence[Any]) -> Any:  # noqa: ANN401  # as above
    if isinstance(columns[0], list):
        return list(chain.from_iterable(columns))
    return np.concatenate(columns)


def entered_rows(kind: str, entered: Mapping[int, AbstractSet[str]]) -> Block:
    """List who came in from outside, by day."""
    days = [day for day in sorted(entered) for _ in entered[day]]
    credentials = [who for day in sorted(entered) for who in sorted(entered[day])]
    return Block("entered", {"day": days, "kind": [kind] * len(days), "credential": credentials})


def device_rows(
    log: str, names: Sequence[str], epochs: Sequence[int], devices: Sequence[DeviceFacts], version: int
) -> Block:
    """List what was received from each device in each epoch."""
    return Block(
        "devices",
        {
            "log": [log] * len(devices),
            "device": names,
            "epoch": epochs,
            "entrance": [device.entrance for device in devices],
            "ranges": [list(zip(each.ranges.low, each.ranges.high, strict=True)) for each in devices],
            "closed": [device.ranges.closed for device in devices],
            "last_seq": [device.ranges.last for device in devices],
            "last_ts": [device.last_ts for device in devices],
            "last_seen": [device.last_seen for device in devices],
            "version": [version] * len(devices),
        },
    )


def rejection_rows(log: PartitionId, rejections: Sequence[Rejection]) -> Block:
    """Lines that could not be accepted."""
    n = len(rejections)
    return Block(
        "rejections",
        {
            "log": [str(log)] * n,
            "topic": [log.topic] * n,
            "partition": [log.partition] * n,
            "offset": [each.position.offset for each in rejections],
            "line": [each.position.line for each in rejections],
            "at": [each.position.arrived for each in rejections],
            "reason": [each.reason for each in rejections],
            "detail": [each.detail for each in rejections],
            "sha256": [each.sha256 for each in rejections],
        },
    )
