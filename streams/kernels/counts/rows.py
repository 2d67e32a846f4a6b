"""Builds rows of deliveries, visitors, devices and rejections; `offset_bucket` builds the rows of counts."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, Final

import numpy as np

from streams.kernels.counts.admission import Devices, Fate
from streams.kernels.counts.batch import COLUMNS, DIRECTIONS, OUTCOMES, Batch, Ints, Rejection
from streams.kernels.counts.cells import Named
from streams.kernels.counts.columns import Block, Column, DictColumn
from streams.kernels.counts.offset_bucket import BucketOwner
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.place import EntranceSides
from streams.kernels.lines.texts import PackedTexts

_MADE_OTHERWISE: Final = frozenset({"entrance", "category", "direction", "outcome"})
_AS_THEY_ARE: Final = tuple(name for name in COLUMNS if name not in _MADE_OTHERWISE)
_UNKNOWN: Final = EntranceSides("", "")
NOT_SETTLED: Final = ""  # what stands in `settled` until a delivery is found to be one of several
FATES: Final = tuple(fate.name.lower() for fate in Fate)
"""What a log makes of a delivery, by number of `Fate`, as the store has it."""


def delivery_rows(
    log: BucketOwner, sides: Mapping[str, EntranceSides], delivered: Sequence[tuple[Named, Fate]]
) -> Block:
    """List events that were counted or late, each once, and where their entrances lead."""
    batches = [events.batch for events, _ in delivered]
    fates = np.repeat([fate.value for _, fate in delivered], list(map(len, batches)))
    entrance = np.concatenate([events.entrance for events, _ in delivered])
    category = np.concatenate([events.category for events, _ in delivered])
    ways = [sides.get(name, _UNKNOWN) for name in log.entrances.listed]
    columns = {
        "entrance": DictColumn(entrance, log.entrances.listed),
        "category": DictColumn(category, log.categories.listed),
        "outer": DictColumn(entrance, [way.outer for way in ways]),
        "inner": DictColumn(entrance, [way.inner for way in ways]),
    }
    return _deliveries(log, batches, fates, columns)


def repeat_rows(
    log: BucketOwner, sides: Mapping[str, EntranceSides], repeated: Sequence[tuple[Batch, Ints]]
) -> list[Block]:
    """List events that came again, or that were not believed, with their fates; and where those are that came again."""
    batches = [batch for batch, _ in repeated]
    fates = np.concatenate([fate for _, fate in repeated])
    entrance = _joined(batches, "entrance")
    ways = [sides.get(name, _UNKNOWN) for name in entrance]
    columns = {
        "entrance": entrance,
        "category": _joined(batches, "category"),
        "outer": [way.outer for way in ways],
        "inner": [way.inner for way in ways],
    }
    blocks = [_deliveries(log, batches, fates, columns)]
    again = [batch.select(np.flatnonzero(fate == Fate.DUPLICATE.value)) for batch, fate in repeated]
    if n := sum(map(len, again)):
        places = {name: _joined(again, name) for name in ("offset", "line", "device", "epoch", "seq")}
        blocks.append(Block("repeats", {**places, "log": DictColumn.same(str(log.name), n)}))
    return blocks


def _deliveries(log: BucketOwner, batches: Sequence[Batch], fates: Ints, columns: Mapping[str, Column]) -> Block:
    n = len(fates)
    return Block(
        "deliveries",
        {
            **columns,
            **{name: _joined(batches, name) for name in _AS_THEY_ARE},
            **{name: appended([each.carried[name] for each in batches]) for name in batches[0].carried},
            "direction": DictColumn(_joined(batches, "direction"), DIRECTIONS),
            "outcome": DictColumn(_joined(batches, "outcome"), OUTCOMES),
            "kind": DictColumn.same(log.kind, n),
            "log": DictColumn.same(str(log.name), n),
            "fate": DictColumn(fates, FATES),
            "settled": DictColumn.same(NOT_SETTLED, n),
            "seen": np.zeros(n, dtype=np.int64),
        },
    )


def _joined(batches: Sequence[Batch], name: str) -> Any:  # noqa: ANN401  # a list or an array, as the column is
    return appended([getattr(batch, name) for batch in batches])


def appended(columns: Sequence[Any]) -> Any:  # noqa: ANN401  # as above
    """Put columns behind each other."""
    if isinstance(columns[0], list):
        return list(chain.from_iterable(columns))
    if isinstance(columns[0], (DictColumn, PackedTexts)):
        return type(columns[0]).joined(columns)
    return np.concatenate(columns)


def entered_rows(kind: str, entered: Mapping[int, AbstractSet[str]]) -> Block:
    """List who came in from outside, by day."""
    days = [day for day in sorted(entered) for _ in entered[day]]
    credentials = [who for day in sorted(entered) for who in sorted(entered[day])]
    return Block("entered", {"day": days, "kind": [kind] * len(days), "credential": credentials})


def device_rows(log: str, devices: Devices, version: int) -> Block:
    """List what was received from each device, in each epoch, that has changed."""
    keys = sorted(devices.changed)
    changed = [devices.known[key] for key in keys]
    return Block(
        "devices",
        {
            "log": [log] * len(keys),
            "device": [devices.names.listed[number] for number, _ in keys],
            "epoch": [epoch for _, epoch in keys],
            "entrance": [device.entrance for device in changed],
            "ranges": [list(zip(each.ranges.low, each.ranges.high, strict=True)) for each in changed],
            "closed": [device.ranges.closed for device in changed],
            "last_seq": [device.ranges.last for device in changed],
            "last_ts": [device.last_ts for device in changed],
            "last_seen": [device.last_seen for device in changed],
            "version": [version] * len(keys),
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
