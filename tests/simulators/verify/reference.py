"""Fills the private tables from a ledger by SQL (reference.sql): a third way to count, next to numpy and workers."""

import hashlib
from pathlib import Path
from typing import Any, Protocol

from simulators.ledger.ledger import Ledger
from simulators.ledger.tables import NONE, Labels, take
from simulators.scenario.lines import make_line
from sinks.rows import statements
from streams.site.model import Site

LOG = "test/turnstile.passages/0"
LATE, SUSPECT = 100, 200
"""Epochs of passages that must be late, and of such that must be rejected for their time: who writes the ledger of a
test knows which they are, and it is not worked out again here."""
_KINDS = {"turnstile.passages": "person", "vehicle.passages": "vehicle"}
_DERIVED = statements(Path(__file__).with_name("reference.sql").read_text(encoding="utf-8"))


class Client(Protocol):
    """A connection that runs statements, such as clickhouse_driver.Client."""

    def execute(self, query: str, params: Any = None, *, columnar: bool = False) -> Any:
        """Run one statement; `params` are the rows of an INSERT, or its columns if `columnar`."""


def fill(client: Client, ledger: Ledger, site: Site) -> None:
    """Store what workers would have stored after every passage came once, in the order of the ledger."""
    _fill_passages(client, ledger)
    names = {
        "zone": site.time_zone,
        "starts": 60 * site.day_starts,
        "late": LATE,
        "suspect": SUSPECT,
        "entrances": [entrance.id for entrance in site.entrances],
        "outer": [entrance.outer for entrance in site.entrances],
        "inner": [entrance.inner for entrance in site.entrances],
        "boundary": [entrance.id for entrance in site.entrances if entrance.boundary],
    }
    for statement in _DERIVED:
        client.execute(statement, names)
    areas = [(area.id, kind, area.capacity.get(kind), 0) for area in site.areas for kind in area.kinds]
    client.execute("INSERT INTO gatepulse_store.site_areas (area, kind, capacity, loaded_at) VALUES", areas)
    _fill_corrections(client, ledger, site)
    _fill_lines(client, ledger)


def _fill_passages(client: Client, ledger: Ledger) -> None:
    columns = {name: column for name, column in ledger.passages.items() if name != "true_ts"}
    plain = {name: column.texts() if isinstance(column, Labels) else column for name, column in columns.items()}
    lists = {name: column.tolist() for name, column in plain.items()}
    lists["temperature"] = [None if value != value else value for value in lists["temperature"]]  # noqa: PLR0124 - nan
    size = len(ledger)
    lists |= {"log": [LOG] * size, "offset": list(range(size)), "line": [0] * size}
    statement = f"INSERT INTO gatepulse_store.deliveries ({', '.join(lists)}) VALUES"
    client.execute(statement, list(lists.values()), columnar=True)


def _fill_corrections(client: Client, ledger: Ledger, site: Site) -> None:
    found = take(ledger.corrections, ledger.corrections["result"].equal("ok"))
    rows: list[dict[str, Any]] = []
    for offset in range(len(found["ts"])):
        row: dict[str, Any] = {name: found[name].texts()[offset] for name in ("id", "area", "kind", "actor", "reason")}
        row["kind"] = row["kind"] or site.area(row["area"]).kinds[0]
        for name in ("ts", "delta", "absolute"):
            number = int(found[name][offset])
            row[name] = None if number == NONE else number
        rows.append(row | {"log": "test/corrections/0", "offset": offset, "line": 0})
    names = ", ".join(rows[0])
    client.execute(f"INSERT INTO gatepulse_store.corrections ({names}) VALUES", rows)


def _fill_lines(client: Client, ledger: Ledger) -> None:
    bad = take(ledger.malformed, ledger.malformed["result"].equal("ok"))
    texts = (bad[name].texts() for name in ("topic", "sha256", "reason"))
    lines = [*zip(*texts, strict=True), *_suspects(ledger)]
    rejected = [(*line, len(ledger) + number) for number, line in enumerate(lines)]
    client.execute("INSERT INTO gatepulse_store.rejections (topic, sha256, reason, offset) VALUES", rejected)
    of_topic = {topic: ledger.passages["kind"].equal(kind) for topic, kind in _KINDS.items()}
    good = {topic: int(rows.sum()) for topic, rows in of_topic.items()} | {"corrections": len(ledger.corrections["ts"])}
    rows = []
    for topic, sent in good.items():
        late = int((ledger.passages["epoch"][of_topic[topic]] == LATE).sum()) if topic in of_topic else 0
        bad_lines, malformed = (sum(line[0] == topic for line in some) for some in (lines, lines[: len(bad["reason"])]))
        received = sent + malformed
        rows.append((f"test/{topic}/0", topic, received, received - bad_lines - late, late, bad_lines))
    client.execute(
        "INSERT INTO gatepulse_store.log_progress (log, topic, received, counted, late, rejected) VALUES", rows
    )


def _suspects(ledger: Ledger) -> list[tuple[str, str, str]]:
    """Return topic, SHA-256 and reason of every passage whose time must not be believed."""
    found = take(ledger.passages, ledger.passages["epoch"] == SUSPECT)
    plain = {name: column.texts() if isinstance(column, Labels) else column for name, column in found.items()}
    rows = [
        dict(zip(plain, row, strict=True)) for row in zip(*(column.tolist() for column in plain.values()), strict=True)
    ]
    topics = {kind: topic for topic, kind in _KINDS.items()}
    return [(topics[row["kind"]], hashlib.sha256(make_line(row)).hexdigest(), "suspect-time") for row in rows]
