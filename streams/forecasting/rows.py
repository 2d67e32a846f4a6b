"""Turns forecasts, queues and advice into rows of the store; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sinks.rows import TABLES
from streams.kernels.counts.columns import Block
from streams.kernels.forecast.calibration import LEADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from streams.forecasting.advice_state import Given
    from streams.forecasting.areas import AreaKind
    from streams.forecasting.queues import QueueNow
    from streams.kernels.forecast.forecast import Forecast


def forecast_blocks(forecasts: Mapping[AreaKind, tuple[int, Forecast]], end: int) -> list[Block]:
    """Write (capacity, forecast) of each area, and the errors of its day so far, as of the moment `end` (ms)."""
    levels = [
        (
            area, kind, each.level, end, capacity, forecast.observed,
            each.minutes, each.earliest, each.latest, forecast.method,
        )
        for (area, kind), (capacity, forecast) in forecasts.items()
        for each in forecast.crossings
    ]  # fmt: skip
    errors = [
        (area, kind, lead, end, *measured)
        for (area, kind), (_, forecast) in forecasts.items()
        for lead, *measured in zip(
            LEADS, forecast.measured.checked, forecast.measured.error, forecast.measured.covered, strict=True
        )
    ]
    return [block("forecasts", levels), block("forecast_errors", errors)]


def queue_block(queues: Iterable[QueueNow], end: int) -> Block:
    """Write the queues as of the moment `end` (ms)."""
    return block(
        "entrance_queues",
        [
            (
                each.entrance.id, end, each.lanes, each.usual.saturated_for, each.usual.waiting,
                each.usual.wait, each.fewer.wait, each.more.wait,
                each.usual.to_clear, each.fewer.to_clear, each.more.to_clear, each.plan_error.mean,
            )
            for each in queues
        ],
    )  # fmt: skip


def advice_block(given: Iterable[Given], end: int) -> Block:
    """Write the advice as of the moment `end` (ms)."""
    return block(
        "advice",
        [
            (
                each.id, each.entrance, each.since, end, each.lanes_before, each.lanes_after, each.wait_before,
                each.wait_after, each.limit, each.zh, each.en, each.needed_at, each.wait_measured, each.over_at,
            )
            for each in given
        ],
    )  # fmt: skip


def block(table: str, rows: Iterable[tuple[Any, ...]]) -> Block:
    """Turn rows, each in the order of the table's columns, into columns."""
    names = TABLES[table].columns
    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return Block(table, dict(zip(names, columns, strict=True)))
