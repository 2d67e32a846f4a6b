"""A day at three gates, drawn at random, in a real store; and the same passages as numpy arrays, to count by hand.

The day's data end at END, in the middle of a minute; what comes after it is stored already and must not show as flow.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from clickhouse_driver import Client

from simulators.ledger.ledger import LedgerWriter, read_ledger
from tests.simulators.verify.reference import fill
from tests.support.small_site import MIDNIGHT, SITE, at, columns, correction, passage

SIZE = 4000
HOUR, MINUTE = 3_600_000, 60_000
START, STOP = at("01:00:20"), at("12:00:00")
END = at("11:37:23.456")
LANES = ("N1-L01", "N1-L02", "H1-L01", "P1-L01")

Passages = Mapping[str, Any]
"""Columns of the drawn passages: numbers and arrays of texts."""


def draw() -> list[dict[str, Any]]:
    """Draw passages over two UTC days, most of them on the first before noon."""
    random = np.random.default_rng(20211105)
    return [_row(random, number) for number in range(SIZE)]


def _row(random: np.random.Generator, number: int) -> dict[str, Any]:
    device = LANES[random.integers(len(LANES))]
    outcome = str(random.choice(["passed", "passed", "passed", "granted", "denied"]))
    person = not device.startswith("P1")
    hours = 12 if random.random() < 0.8 else 40
    return passage(
        f"0:0:{random.integers(0, hours * HOUR) / 1000}",
        device=device,
        seq=number + 1,  # of all lanes together: every lane has holes
        direction=str(random.choice(["in", "in", "out"])),
        outcome=outcome,
        category=str(random.choice(["visitor", "staff"])) if person else "car",
        reason=str(random.choice(["ticket", "health"])) if outcome == "denied" else "",
        credential=str(random.choice(["", *(f"c{n}" for n in range(40))])),
    )


def arrays(rows: list[dict[str, Any]]) -> Passages:
    """Return the passages by column."""
    return {name: np.array(column) for name, column in columns(rows).items()}


def store(client: Client, rows: list[dict[str, Any]], folder: Path) -> None:
    """Store the passages as workers would have, with a correction of the hall, and progress up to END."""
    with LedgerWriter(folder / "ledger", meta={"site": "small"}) as writer:
        writer.attempts(writer.passages(columns(rows)), "ok", at_ms=MIDNIGHT)
        writer.corrections([correction("b", "10:00:03", area="hall", delta=-5)])
    fill(client, read_ledger(folder / "ledger"), SITE)
    logs = [
        # An older cluster never moves again, and alarms have a log of their own: neither says how old figures are.
        ("old/turnstile.passages/0", "old", "turnstile.passages", 9, END - HOUR),
        ("live/turnstile.passages/0", "live", "turnstile.passages", 9, END + MINUTE),
        ("live/vehicle.passages/0", "live", "vehicle.passages", 9, END),
        ("live/alarm.inputs/0", "live", "alarm.inputs", 9, END - MINUTE),
    ]
    client.execute("TRUNCATE TABLE gatepulse_store.log_progress")
    _insert(client, "log_progress", "log cluster topic next_offset complete_to", logs)


def store_judgements(client: Client) -> None:
    """Store alarms, forecasts and queues, as of END."""
    change = ("entrance-overload", "N1", "person", "Z", 14.26, 11.0, "persons/min/lane")
    _insert(
        client, "alarm_changes",
        "rule subject kind zone value limit unit episode change level state raised_at changed_at cleared_at",
        [
            (*change, "open", 1, "orange", "raised", END - MINUTE, END - MINUTE, None),
            (*change, "open", 2, "red", "escalated", END - MINUTE, END - 1000, None),
            (*change, "over", 1, "orange", "raised", END - HOUR, END - HOUR, None),
            (*change, "over", 2, "orange", "cleared", END - HOUR, END - MINUTE, END - MINUTE),
            (*change, "before", 1, "red", "cleared", START - HOUR, START - 1000, START - 1000),
            ("drift", "hall", "person", "", -6.0, -5.0, "persons", "lasting", 1, "orange", "raised",
             START - HOUR, START - HOUR, None),
        ],
    )  # fmt: skip
    _insert(
        client, "forecasts", "area kind level at capacity inside minutes earliest latest method",
        [
            ("venue", "person", 80, END - MINUTE, 100, 70, 25, 18, None, "flows"),
            ("venue", "person", 90, END - MINUTE, 100, 70, None, None, None, "flows"),
            ("park", "vehicle", 80, END - HOUR, 50, 30, 5, 3, 9, "flows"),
        ],
    )  # fmt: skip
    _insert(
        client, "forecast_errors", "area kind lead at checked error covered",
        [("venue", "person", 15, END, 12, 3.25, 0.875), ("venue", "person", 30, END - 72 * HOUR, 1, 9.0, 0.5)],
    )  # fmt: skip
    _insert(
        client, "entrance_queues", "entrance at lanes saturated_for waiting wait to_clear",
        [
            ("N1", END - 3 * MINUTE, 2, 0, 10.0, 1.0, 2.0), ("N1", END - MINUTE, 2, 1, 40.0, 4.5, None),
            ("H1", END - MINUTE, 1, 0, None, None, None), ("P1", END - HOUR, 1, 0, 7.0, 2.0, 3.0),
        ],
    )  # fmt: skip


def _insert(client: Client, table: str, names: str, rows: list[tuple[Any, ...]]) -> None:
    client.execute(f"INSERT INTO gatepulse_store.{table} ({', '.join(names.split())}) VALUES", rows)
