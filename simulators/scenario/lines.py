"""Events as the JSON lines that a device sends; next: `distort.py`, which decides when each line arrives.

Almost everything in a line repeats, so the repeating parts are put into words once: some 500,000 lines a second.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from simulators.scenario.day import HEALTH, REASONS
from streams.contract.events import DIRECTIONS, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.scenario.day import Day, Floats, Names, Texts


def make_lines(day: Day) -> list[bytes]:
    """Return the line of every event, without a newline; ids need no escaping, the site profile sees to that."""
    heads = _heads(day.names, day.epoch)[day.device].tolist()
    credentials = day.credentials.tolist()
    rows = zip(
        heads,
        day.seq.tolist(),
        day.ts.tolist(),
        _tails(day).tolist(),
        credentials,
        _temperatures(day.temperature).tolist(),
        strict=True,
    )
    return [
        f'{head}{seq},"ts":{ts}{tail}{credential}"{temperature}}}'.encode()
        if credential
        else f'{head}{seq},"ts":{ts}{_without_credential(tail)}{temperature}}}'.encode()
        for head, seq, ts, tail, credential, temperature in rows
    ]


def make_line(row: Mapping[str, Any]) -> bytes:
    """Return the same line for one event whose codes are written out, as a ledger keeps it ('' or nan for none)."""
    who = "plate" if row["kind"] == "vehicle" else "credential"
    fields = {name: row[name] for name in ("device", "entrance", "epoch", "seq", "ts", "direction", "outcome")}
    fields["category"] = row["category"]
    fields |= {name: row[name] for name in ("reason", "health") if row[name]}
    fields |= {who: row["credential"]} if row["credential"] else {}
    fields |= {} if np.isnan(row["temperature"]) else {"temperature": row["temperature"]}
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()


def _heads(names: Names, epoch: int) -> Texts:
    """Return how the lines of each device begin, up to the value of `seq`."""
    entrances = names.entrances[names.entrance_of]
    return np.array(
        [
            f'{{"device":"{device}","entrance":"{entrance}","epoch":{epoch},"seq":'
            for device, entrance in zip(names.devices, entrances, strict=True)
        ],
        dtype=object,
    )


def _tails(day: Day) -> Texts:
    """Return what follows the time in each line, up to the value of the credential."""
    columns = (day.direction, day.outcome, day.category, day.reason, day.health)
    sizes = (len(DIRECTIONS), len(OUTCOMES), len(day.names.categories), len(REASONS), len(HEALTH))
    codes = np.zeros(len(day), np.int64)
    for column, size in zip(columns, sizes, strict=True):
        codes = codes * size + column
    found, at = np.unique(codes, return_inverse=True)
    parts = np.unravel_index(found, sizes)
    persons = len(day.names.site.categories)
    tails = [_tail(day.names, persons, row) for row in zip(*parts, strict=True)]
    texts: Texts = np.array(tails, dtype=object)[at]
    return texts


def _tail(names: Names, persons: int, codes: Sequence[int]) -> str:
    direction, outcome, category, reason, health = codes
    return (
        f',"direction":"{DIRECTIONS[direction]}","outcome":"{OUTCOMES[outcome]}"'
        f',"category":"{names.categories[category]}"'
        + (f',"reason":"{REASONS[reason]}"' if reason else "")
        + (f',"health":"{HEALTH[health]}"' if health else "")
        + (',"credential":"' if category < persons else ',"plate":"')
    )


def _without_credential(tail: str) -> str:
    return tail[: tail.rindex(",")]


def _temperatures(temperature: Floats) -> Texts:
    """Return the temperature field of each line, '' where none was taken."""
    found, at = np.unique(temperature, return_inverse=True)
    fields = ["" if np.isnan(value) else f',"temperature":{value}' for value in found.tolist()]
    texts: Texts = np.array(fields, dtype=object)[at]
    return texts
