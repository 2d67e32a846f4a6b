"""Fills the private tables from a ledger with SQL alone: a third way to the counts, beside the workers and numpy.

Each table is written as the workers are told to: absolute counts per log and segment, ranges of sequence numbers.
"""

from typing import Any, Protocol

from simulators.ledger import Ledger
from simulators.tables import NONE, Labels, take
from streams.site import OUTSIDE, Site

LOG = "test/turnstile.passages/0"


class Client(Protocol):
    """A connection that runs statements, such as clickhouse_driver.Client."""

    def execute(self, query: str, params: Any = None, *, columnar: bool = False) -> Any:
        """Run one statement; `params` are the rows of an INSERT, or its columns if `columnar`."""


def fill(client: Client, ledger: Ledger, site: Site) -> None:
    """Store what workers would have stored after every passage came once, in the order of the ledger."""
    _passages(client, ledger)
    names = {
        "zone": site.time_zone,
        "entrances": [entrance.id for entrance in site.entrances],
        "outer": [entrance.outer for entrance in site.entrances],
        "inner": [entrance.inner for entrance in site.entrances],
        "boundary": [entrance.id for entrance in site.entrances if entrance.boundary],
        "outside": OUTSIDE,
    }
    for statement in _DERIVED:
        client.execute(statement, names)
    areas = [(area.id, kind, area.capacity.get(kind), 0) for area in site.areas for kind in area.kinds]
    client.execute("INSERT INTO gatepulse_store.site_areas (area, kind, capacity, loaded_at) VALUES", areas)
    _corrections(client, ledger, site)
    _lines(client, ledger)


def _passages(client: Client, ledger: Ledger) -> None:
    columns = {name: column for name, column in ledger.passages.items() if name != "true_ts"}
    plain = [column.texts().tolist() if isinstance(column, Labels) else column.tolist() for column in columns.values()]
    place = list(columns).index("temperature")
    plain[place] = [None if value != value else value for value in plain[place]]  # noqa: PLR0124 - finds nan
    size = len(ledger)
    statement = f"INSERT INTO gatepulse_store.passages ({', '.join(columns)}, log, offset, line) VALUES"  # noqa: S608 - our names
    client.execute(statement, [*plain, [LOG] * size, list(range(size)), [0] * size], columnar=True)


_CELL = "kind, entrance, direction, outcome, category"
_SOURCE = "gatepulse_store.passages FINAL"
_ISLANDS = f"""
SELECT log, device, epoch, argMax(entrance, seq) AS entrance, (min(seq), max(seq)) AS range, max(ts) AS last_ts
FROM (SELECT *, seq - row_number() OVER (PARTITION BY log, device, epoch ORDER BY seq) AS island FROM {_SOURCE})
GROUP BY log, device, epoch, island
"""  # noqa: S608 - our names
_DERIVED = (
    *(
        f"INSERT INTO gatepulse_store.{table} "  # noqa: S608 - our names
        f"(log, segment, window_start, {_CELL}, passages, version) "
        f"SELECT log, intDiv(offset, 16384) AS segment, toStartOfInterval(ts, INTERVAL {seconds} SECOND) AS w, {_CELL}, "
        f"count(), max(offset) + 1 FROM {_SOURCE} GROUP BY log, segment, w, {_CELL}"
        for table, seconds in (("counts_10s", 10), ("counts_1m", 60))
    ),
    "INSERT INTO gatepulse_store.counts_day "  # noqa: S608 - our names
    f"(log, segment, day, {_CELL}, boundary, passages, anonymous, version) "
    f"SELECT log, intDiv(offset, 16384) AS segment, toDate(ts, %(zone)s) AS d, {_CELL}, "
    "has(%(boundary)s, entrance) AS boundary, count(), countIf(credential = ''), max(offset) + 1 "
    f"FROM {_SOURCE} GROUP BY log, segment, d, boundary, {_CELL}",
    "INSERT INTO gatepulse_store.refusals_1m "  # noqa: S608 - our names
    "(log, segment, window_start, kind, entrance, category, reason, refusals, version) "
    "SELECT log, intDiv(offset, 16384) AS segment, toStartOfMinute(ts) AS w, kind, entrance, category, reason, "
    f"count(), max(offset) + 1 FROM {_SOURCE} WHERE outcome = 'denied' "
    "GROUP BY log, segment, w, kind, entrance, category, reason",
    "INSERT INTO gatepulse_store.area_flows_10s "  # noqa: S608 - our names
    "(log, segment, window_start, area, kind, entered, departed, last_ts, version) "
    "SELECT log, intDiv(offset, 16384) AS segment, toStartOfInterval(ts, INTERVAL 10 SECOND) AS w, move.1 AS area, "
    "kind, countIf(move.2 = direction), countIf(move.2 != direction), max(ts), max(offset) + 1 "
    f"FROM {_SOURCE} ARRAY JOIN [(transform(toString(entrance), %(entrances)s, %(inner)s), 'in'), "
    "(transform(toString(entrance), %(entrances)s, %(outer)s), 'out')] AS move "
    "WHERE outcome = 'passed' AND area != %(outside)s GROUP BY log, segment, w, area, kind",
    "INSERT INTO gatepulse_store.entered (day, kind, credential) "  # noqa: S608 - our names
    f"SELECT DISTINCT toDate(ts, %(zone)s), kind, credential FROM {_SOURCE} "
    "WHERE outcome = 'passed' AND direction = 'in' AND credential != '' AND has(%(boundary)s, entrance)",
    "INSERT INTO gatepulse_store.devices "  # noqa: S608 - our names
    "(log, device, epoch, entrance, ranges, last_seq, last_ts, last_seen, version) "
    "SELECT log, device, epoch, argMax(i.entrance, range.2), arraySort(groupArray(range)), max(range.2), "
    f"max(i.last_ts), max(i.last_ts), 1 FROM ({_ISLANDS}) AS i GROUP BY log, device, epoch",
)


def _corrections(client: Client, ledger: Ledger, site: Site) -> None:
    found = take(ledger.corrections, ledger.corrections["result"].equal("ok"))
    rows = []
    for row in range(len(found["ts"])):
        text = {name: found[name].texts()[row] for name in ("id", "area", "kind", "actor", "reason")}
        text["kind"] = text["kind"] or site.area(text["area"]).kinds[0]
        numbers = {name: int(found[name][row]) for name in ("ts", "delta", "absolute")}
        numbers |= {name: None for name in ("delta", "absolute") if numbers[name] == NONE}
        rows.append({**text, **numbers, "log": "test/corrections/0", "offset": row, "line": 0})
    names = "id, area, kind, ts, delta, absolute, actor, reason, log, offset, line"
    client.execute(f"INSERT INTO gatepulse_store.corrections ({names}) VALUES", rows)  # noqa: S608 - our names


def _lines(client: Client, ledger: Ledger) -> None:
    bad = take(ledger.malformed, ledger.malformed["result"].equal("ok"))
    rows = [
        {"topic": topic, "sha256": sha256, "reason": reason, "offset": len(ledger) + number}
        for number, (topic, sha256, reason) in enumerate(
            zip(bad["topic"].texts(), bad["sha256"].texts(), bad["reason"].texts(), strict=True)
        )
    ]
    client.execute(
        "INSERT INTO gatepulse_store.rejections (topic, sha256, reason, offset) VALUES",
        rows,
    )
    for topic, kind in (("turnstile.passages", "person"), ("vehicle.passages", "vehicle"), ("corrections", "")):
        rejected = int(bad["topic"].equal(topic).sum())
        lines = int(ledger.passages["kind"].equal(kind).sum()) if kind else len(ledger.corrections["ts"])
        row = {"log": f"test/{topic}/0", "topic": topic, "received": lines + rejected, "counted": lines}
        client.execute(
            "INSERT INTO gatepulse_store.progress (log, topic, received, counted, rejected) VALUES",
            [row | {"rejected": rejected}],
        )
