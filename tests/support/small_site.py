"""A site with three gates and a ledger of a few passages, for tests that check every number by hand.

outside --N1--> venue --H1--> hall          persons
outside --P1--> park                        vehicles
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from simulators.ledger.ledger import Ledger, LedgerWriter, Result, read_ledger
from simulators.ledger.tables import Table
from simulators.verify import accounts, truth
from simulators.verify.compare import text
from simulators.verify.fates import Limits, judge, suspect_corrections
from streams.site.model import Site
from streams.site.reader import parse_site

ORGANISATION = """\
[[zone]]
id = "Z"
unit = "U"
title = { zh = "区", en = "Zone" }
team = { zh = "组", en = "Team" }
[[grid]]
id = "G"
title = { zh = "格", en = "Grid" }
[[unit]]
id = "U"
grid = "G"
title = { zh = "元", en = "Unit" }
[[category]]
id = "visitor"
title = { zh = "客", en = "Visitor" }
colour = "#22c55e"
"""
"""One of each that a profile needs besides areas and entrances."""


def entrance(
    name: str,
    zh: str,
    en: str,
    *,
    lanes: int | None,
    kind: str = "person",
    outer: str = "outside",
    inner: str = "venue",
) -> str:
    """Return the lines of an entrance in zone Z; without `lanes` the profile lacks them."""
    lines = (
        "[[entrance]]",
        f'id = "{name}"',
        f'title = {{ zh = "{zh}", en = "{en}" }}',
        f'kind = "{kind}"',
        f'outer = "{outer}"',
        f'inner = "{inner}"',
        'zone = "Z"',
        *([] if lanes is None else [f"lanes = {lanes}"]),
    )
    return "".join(f"{line}\n" for line in lines)


PROFILE = f"""\
id = "small"
title = {{ zh = "小", en = "Small" }}
time_zone = "Asia/Shanghai"
[opening]
daily = "08:00-18:00"
{ORGANISATION}\
[[category]]
id = "staff"
title = {{ zh = "工", en = "Staff" }}
colour = "#22c5ee"
[[vehicle_class]]
id = "car"
title = {{ zh = "车", en = "Car" }}
colour = "#2222ee"
[[area]]
id = "venue"
title = {{ zh = "馆", en = "Venue" }}
capacity = {{ person = 100 }}
[[area]]
id = "hall"
title = {{ zh = "厅", en = "Hall" }}
kinds = ["person"]
[[area]]
id = "park"
title = {{ zh = "场", en = "Park" }}
capacity = {{ vehicle = 50 }}
{entrance("N1", "北", "North", lanes=2)}\
{entrance("H1", "厅", "Hall", outer="venue", inner="hall", lanes=1)}\
{entrance("P1", "车", "Cars", kind="vehicle", inner="park", lanes=1)}"""

MIDNIGHT = 1_636_070_400_000
"""2021-11-05 00:00 UTC in milliseconds: 08:00 in Shanghai."""


def small_site(time_zone: str = "Asia/Shanghai") -> Site:
    return parse_site(PROFILE.replace("Asia/Shanghai", time_zone), source="small.toml")


SITE = small_site()
LIMITS = Limits()


REAL_TIME = {"site_ms": 0, "real_ms": 0, "speed": 1.0}
"""The clock of a site in production, as a ledger keeps it."""


def at(clock: str) -> int:
    """Return the UTC time 2021-11-05 `clock` (h:m:s, with fractions, hours from 24 on) in milliseconds."""
    hours, minutes, seconds = clock.split(":")
    return MIDNIGHT + (int(hours) * 60 + int(minutes)) * 60_000 + round(float(seconds) * 1000)


def passage(clock: str, device: str = "N1-L01", seq: int = 1, direction: str = "in", **other: Any) -> dict[str, Any]:
    """Return one passage of a visitor; the entrance follows from the device, the kind from the entrance."""
    ts = at(clock)
    entrance = device.partition("-")[0]
    kind = "vehicle" if entrance == "P1" else "person"
    row = {
        "kind": kind, "device": device, "epoch": 0, "seq": seq, "true_ts": ts, "ts": ts, "entrance": entrance,
        "direction": direction, "outcome": "passed", "category": "car" if kind == "vehicle" else "visitor",
        "reason": "", "credential": "", "temperature": float("nan"), "health": "",
    }  # fmt: skip
    return row | other


def correction(name: str, clock: str, area: str = "venue", **other: Any) -> dict[str, Any]:
    row = {"id": name, "area": area, "kind": "", "ts": at(clock), "delta": None, "absolute": None}
    return row | {"actor": "duty", "reason": "recount", "result": "ok"} | other


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in passage("0:0:0")}


def write(directory: Path, rows: Sequence[Mapping[str, Any]], result: Result = "ok", **meta: Any) -> LedgerWriter:
    """Start a ledger in which every passage of `rows` was sent once with `result`, at midnight."""
    writer = LedgerWriter(directory, meta={"site": "small"} | meta)
    writer.attempts(writer.passages(columns(rows)), result, at_ms=MIDNIGHT)
    return writer


def deliver(writer: LedgerWriter, row: Mapping[str, Any], *clocks: str, first_offset: int, partition: int = 0) -> None:
    """Send one passage as often as there are `clocks`, at which it arrives, a message each."""
    index = writer.passages(columns([row]))
    for offset, clock in enumerate(clocks, first_offset):
        stored = {"arrived_ms": [at(clock)], "partition": [partition], "offset": [offset]}
        writer.attempts(index, "ok", at_ms=at(clock) + 100, stored=stored)


def ledger_of(directory: Path, rows: Sequence[Mapping[str, Any]]) -> Ledger:
    write(directory, rows).close()
    return read_ledger(directory)


def drawn(table: Table) -> list[str]:
    """Draw a table for reading: one line per row, keys | values, in the order of the lines."""
    lines = []
    for row in range(len(table)):
        halves = [[text(name, column, row) for name, column in half.items()] for half in (table.keys, table.values)]
        lines.append(" | ".join(" ".join(half) for half in halves).replace("2021-11-05T", "").replace(".000Z", ""))
    return sorted(lines)


def tables(ledger: Ledger, site: Site = SITE, limits: Limits = LIMITS) -> dict[str, Table]:
    """Return every table of the truth, with all that is in doubt taken as delivered."""
    ahead = suspect_corrections(ledger, limits)
    fates, corrected = judge(ledger, truth.sent_passages(ledger), limits), truth.sent_corrections(ledger, ~ahead)
    corrections = truth.corrections(ledger, corrected, site)
    refusals = accounts.rejections(ledger, fates, ahead)
    return {
        **truth.published(ledger, site, fates.counted, corrections),
        "passages": truth.passages(ledger, fates.counted),
        "completeness": accounts.completeness(ledger, fates),
        "late_passages": accounts.late_passages(ledger, fates.late, site),
        "corrections": corrections,
        "rejections": refusals.view,
        "progress": accounts.progress(ledger, fates, refusals, corrected=corrected),
    }
