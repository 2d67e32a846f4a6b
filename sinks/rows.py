"""Declares the tables that workers write, as in `schema/*.sql`, and the form of their rows. Next: `sink.py`.

Times are whole milliseconds since 1970-01-01 UTC, in columns of the type DateTime in whole seconds; days are days since
1970-01-01.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sinks.tables import TableSpec, declared

_WRITTEN: Final = (
    "site_areas", "deliveries", "passages", "repeats", "counts_10s", "counts_1m", "counts_day", "late_day",
    "refusals_1m", "area_flows_10s", "area_flows_1h", "entered", "devices", "corrections", "rejections",
    "parked_batches", "alarm_changes", "forecasts", "forecast_errors", "entrance_queues", "advice",
    "advice_decisions", "verdicts", "conflicts", "verdicts_by_log", "unentered", "settled_devices",
    "settled_repeats", "log_progress",
)  # fmt: skip

TABLES: Mapping[str, TableSpec] = MappingProxyType({name: declared()[name] for name in _WRITTEN})
"""Every table that workers write, by name, in the order in which a sink writes them: the claim that all is
stored (`log_progress`) comes after what it claims."""

PROGRESS_TABLE = "log_progress"
"""The table that says up to which moment all other rows are stored."""
