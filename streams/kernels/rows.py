"""Rows of single facts: passages, credentials, devices, rejections; the counts' rows are made in `segment`."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from typing import Any, Protocol

import numpy as np

from sinks.rows import Block, Coded
from streams.kernels.batch import DIRECTIONS, OUTCOMES, Batch, Rejection
from streams.kernels.identity import Ranges
from streams.kernels.log import LogName

_AS_THEY_ARE = (
    "device", "epoch", "seq", "ts", "entrance", "category", "reason", "temperature", "health", "credential", "offset",
    "line",
)  # fmt: skip


class Heard(Protocol):
    """What a row says of a device in one epoch."""

    ranges: Ranges
    entrance: str
    last_ts: int
    last_seen: int


def passage_rows(log: str, kind: str, batches: Sequence[Batch]) -> Block:
    """Raw passages, each accepted event once."""

    def joined(name: str) -> Any:  # noqa: ANN401  # a list or an array, as the column is
        columns = [getattr(batch, name) for batch in batches]
        if isinstance(columns[0], list):
            return list(chain.from_iterable(columns))
        return np.concatenate(columns)

    n = sum(map(len, batches))
    columns = {name: joined(name) for name in _AS_THEY_ARE}
    columns["direction"] = Coded(joined("direction"), DIRECTIONS)
    columns["outcome"] = Coded(joined("outcome"), OUTCOMES)
    return Block("passages", {**columns, "kind": Coded.same(kind, n), "log": Coded.same(log, n)})


def entered_rows(kind: str, entered: Mapping[int, AbstractSet[str]]) -> Block:
    """List who came in from outside, by day."""
    days = [day for day in sorted(entered) for _ in entered[day]]
    credentials = [who for day in sorted(entered) for who in sorted(entered[day])]
    return Block("entered", {"day": days, "kind": [kind] * len(days), "credential": credentials})


def device_rows(log: str, names: Sequence[str], epochs: Sequence[int], devices: Sequence[Heard], version: int) -> Block:
    """List what was received from each device in each epoch."""
    return Block(
        "devices",
        {
            "log": [log] * len(devices),
            "device": names,
            "epoch": epochs,
            "entrance": [device.entrance for device in devices],
            "ranges": [list(zip(each.ranges.low, each.ranges.high, strict=True)) for each in devices],
            "last_seq": [device.ranges.last for device in devices],
            "last_ts": [device.last_ts for device in devices],
            "last_seen": [device.last_seen for device in devices],
            "version": [version] * len(devices),
        },
    )


def rejection_rows(log: LogName, rejections: Sequence[Rejection]) -> Block:
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
