"""Makes rows of every table for tests: name the columns that matter, the rest is filled in."""

import itertools
from typing import Any

from sinks.rows import TABLES
from streams.kernels.counts.columns import Block

NOON = 1_760_875_200_000
"""2025-10-19 12:00:00.000 UTC in milliseconds."""

TODAY = 20_380
"""The same day, in days since 1970-01-01."""

_USUAL: dict[str, Any] = {
    "kind": "person", "device": "lane-1", "epoch": 0, "seq": 1, "ts": NOON + 123, "entrance": "north",
    "direction": "in", "outcome": "passed", "category": "visitor", "reason": "", "temperature": 36.6,
    "health": "normal", "credential": "c1", "log": "demo-1/turnstile.passages/0", "offset": 7, "line": 0,
    "segment": 0, "window_start": NOON, "passages": 1, "version": 1, "day": TODAY, "boundary": 1, "anonymous": 0,
    "refusals": 1, "area": "hall", "entered": 0, "departed": 0, "last_ts": NOON + 123, "ranges": [(1, 1)],
    "closed": 0, "last_seq": 1, "last_seen": NOON + 999, "id": "correction-1", "delta": None, "absolute": None,
    "actor": "duty",
    "topic": "turnstile.passages", "partition": 0, "at": NOON, "detail": "", "sha256": "00ff", "cluster": "demo-1",
    "next_offset": 8, "received": 8, "counted": 8, "duplicate": 0, "late": 0, "rejected": 0, "complete_to": NOON + 1000,
    "worker": "w1", "capacity": 500, "loaded_at": NOON, "table": "passages", "rows": 1, "resolved": 0,
    "episode": "area-capacity:hall1/person:1770000000000", "rule": "area-capacity", "subject": "hall1",
    "zone": "Z-HW", "level": "yellow", "state": "raised", "what": "raised", "change": 1, "value": 81.5, "limit": 80.0,
    "unit": "%", "raised_at": NOON, "changed_at": NOON, "acknowledged_at": None, "cleared_at": None,
    "inside": 250, "minutes": 25, "earliest": 18, "latest": None, "method": "profile", "lead": 15, "checked": 40,
    "error": 12.5, "covered": 0.9, "lanes": 6, "saturated_for": 4, "waiting": 120.0, "wait": 2.0, "wait_low": 1.0,
    "wait_high": 4.0, "to_clear": None, "to_clear_low": None, "to_clear_high": None, "plan_error": None,
    "advice": "N3-202510191200", "since": NOON, "lanes_before": 6, "lanes_after": 9, "wait_before": 24.0,
    "wait_after": 11.0, "zh": "N3 增开 3 条通道", "en": "open 3 lanes at N3", "needed_at": NOON, "wait_measured": None,
    "over_at": None, "decision": "accepted", "decided_at": NOON, "arrived": NOON + 200, "fate": "counted",
    "outer": "outside", "inner": "hall", "settled": "", "seen": 0, "verdict": "repeat", "first_entrance": "north",
    "first_log": "demo-1/turnstile.passages/1", "first_line": 0, "stands": 1, "conflicts": 0,
    "conflicts_in_repeat": 0, "who": 17, "entries": 0, "overlap": 1, "first_offset": 0, "records": 8, "lost": 0,
    "tail": NOON,
}  # fmt: skip

_OWN: dict[str, dict[str, Any]] = {"forecasts": {"level": 80}}
"""Columns that mean something else in one table."""


def block(table: str, *rows: dict[str, Any]) -> Block:
    """Return a block of `rows`, each of which names only the columns that matter."""
    full = [_USUAL | _OWN.get(table, {}) | row for row in rows]
    return Block(table, {name: [row[name] for row in full] for name in TABLES[table].columns})


def flows(*rows: dict[str, Any]) -> tuple[Block, Block]:
    """Return blocks of `rows` for both tables of flows, added up by 10 s and by hour as one worker does."""
    return _flows("area_flows_10s", 10_000, rows), _flows("area_flows_1h", 3_600_000, rows)


def _flows(table: str, width: int, rows: tuple[dict[str, Any], ...]) -> Block:
    def cell(row: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in TABLES[table].key)

    full = [_USUAL | row | {"window_start": row["window_start"] // width * width} for row in rows]
    cells = [list(group) for _, group in itertools.groupby(sorted(full, key=cell), key=cell)]
    added = [
        {name: sum(row[name] for row in group) for name in ("entered", "departed")}
        | {name: max(row[name] for row in group) for name in ("last_ts", "version")}
        for group in cells
    ]
    return block(table, *(group[0] | total for group, total in zip(cells, added, strict=True)))
