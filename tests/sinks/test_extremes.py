"""Extreme values of valid lines come back from the server unchanged, column by column."""

import datetime as dt
from typing import Any

from clickhouse_driver import Client

from sinks.rows import TABLES
from sinks.sink import as_list, merged
from streams.contract.events import EARLIEST_MS, Topic
from tests.streams.contract.test_valid_lines import LARGEST, NOW, begun, recorded, written
from tests.support.stores import Server

GOOD: dict[str, Any] = {
    "device": "d",
    "seq": 1,
    "ts": NOW,
    "entrance": "N1",
    "direction": "in",
    "outcome": "passed",
    "category": "visitor",
}
EXTREMES: list[dict[str, Any]] = [
    {"seq": LARGEST, "epoch": LARGEST},
    {"seq": 2, "ts": EARLIEST_MS},
    {"seq": 3, "outcome": "denied", "reason": "\0\"\\👩‍👩‍👧\u2028'; DROP"},
    {"seq": 4, "temperature": 1.7e308, "health": "unknown", "credential": "👩" * 64},
    {"seq": 5, "temperature": -(10**300)},
    {"device": "e" * 64, "epoch": 7, "seq": 2**53 + 1, "ts": NOW - 172_800_000},
]


def test_the_server_gives_back_what_extreme_lines_became(server: Server, client: Client) -> None:
    handler, log = begun(Topic.TURNSTILES)
    lines = [written(GOOD | each, escaped=True) for each in EXTREMES]
    log.apply(handler.read(recorded(*lines)))
    assert log.tally.rejected == {}
    for block in merged(log.drain()):
        server.write(block)
        names = TABLES[block.table].columns
        sent = sorted(zip(*(as_list(block.columns[name]) for name in names), strict=True), key=repr)
        found = client.execute(f"SELECT {', '.join(names)} FROM gatepulse_store.{block.table}")
        assert sorted((tuple(map(_plain, row)) for row in found), key=repr) == sent


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days
    return value
