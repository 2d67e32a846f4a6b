"""Expands the macros of Grafana's ClickHouse plugin and Grafana's variables as they do, for the ones that we use.

An unknown macro stays and fails in ClickHouse, as it would in Grafana.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Range:
    """What is chosen in Grafana: milliseconds since 1970, both ends; seconds of a bucket; values of variables."""

    start: int
    end: int
    step: int = 60
    chosen: Mapping[str, Sequence[str]] = field(default_factory=dict)


def expand(sql: str, span: Range) -> str:
    """Return what is sent to ClickHouse. KeyError for a variable that the dashboard does not have."""
    for name in re.findall(r"\$\{(\w+):sqlstring\}", sql):
        sql = sql.replace(f"${{{name}:sqlstring}}", ",".join(_quoted(value) for value in span.chosen[name]))
    low, high = f"toDateTime({span.start // 1000})", f"toDateTime({span.end // 1000})"
    low_ms, high_ms = f"fromUnixTimestamp64Milli({span.start})", f"fromUnixTimestamp64Milli({span.end})"
    sql = _call(sql, "timeFilter_ms", lambda of: f"{of} >= {low_ms} AND {of} <= {high_ms}")
    sql = _call(sql, "timeInterval", lambda of: f"toStartOfInterval(toDateTime({of}), INTERVAL {span.step} second)")
    plain = {
        "$__fromTime_ms": low_ms, "$__toTime_ms": high_ms, "$__fromTime": low, "$__toTime": high,
        "$__interval_s": str(span.step),
    }  # fmt: skip
    for macro, text in plain.items():
        sql = sql.replace(macro, text)
    return sql


def _call(sql: str, macro: str, text: Callable[[str], str]) -> str:
    """Replace `$__macro(argument)`; the argument may hold brackets."""
    head = f"$__{macro}("
    while head in sql:
        start = sql.index(head)
        inside = start + len(head)
        depth, place = 1, inside
        while depth:
            depth += {"(": 1, ")": -1}.get(sql[place], 0)
            place += 1
        sql = sql[:start] + text(sql[inside : place - 1]) + sql[place:]
    return sql


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
