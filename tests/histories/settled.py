"""Answers the settlement's queries from the in-memory store, and checks whether everything is settled."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from sinks.rows import TABLES
from sinks.sink import StoreUnavailable
from streams.kernels.counts.cells import BUCKET_BITS
from streams.kernels.counts.columns import Block
from streams.kernels.counts.settlement import CELL, DELIVERY
from streams.worker import settling_sql as settling
from tests.histories.plant import Plant

Row = dict[str, Any]
Rows = list[tuple[Any, ...]]
_CONTENT: Final = (
    "kind", "ts", "entrance", "direction", "outcome", "category", "reason", "credential", "temperature", "health",
)  # fmt: skip
_NUMBERS: Final = {
    "epoch", "seq", "offset", "line", "arrived", "content", "ts", "anonymous", "segment", "window", "day", "events",
    "who",
}  # fmt: skip


class Reader:
    """Answers as the store would, whoever owns the tables asks; see `streams.worker.settling`."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self._answers: list[tuple[str, Callable[[Mapping[str, Any]], Rows]]] = [
            (settling.CLAIMS, self._claims),
            (settling.DEVICES, self._devices),
            (settling.SETTLED, self._settled),
            (settling.COMPARED, self._compared),
            ("SELECT log, offset, device, epoch, seq FROM gatepulse_store.repeats", self._repeats),
            ("\nINSERT INTO gatepulse_store.deliveries", self._mark),
            (settling.BY_LOG, self._by_log),
            (settling.TOTALS, self._totals),
            ("SELECT DISTINCT cityHash64(credential) FROM gatepulse_store.deliveries", self._doubtful),
            ("SELECT DISTINCT who FROM gatepulse_store.unentered", self._gone),
        ]

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        """Return the rows of an answer."""
        self._reach()
        answer = next(answer for start, answer in self._answers if sql.startswith(start))
        return answer(params or {})

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return an answer by column."""
        self._reach()
        if sql.startswith("SELECT kind, cityHash64"):
            return _columns(self._entries(params or {}), ("kind", "who", "ts", "settled"), prefix="")
        if "gatepulse_store.verdicts" in sql:
            return _columns(self._cells(params or {}), (*CELL, "events", "anonymous"))
        return _columns(map(_delivery, self._of_pieces(params or {})), DELIVERY)

    def _reach(self) -> None:
        if self.plant.store_server.away_until > self.plant.loop.time():
            raise StoreUnavailable("deliveries", "the store is away in this history.", "Wait.")

    def _claims(self, _: Mapping[str, Any]) -> Rows:
        parked = {row["log"] for row in self.plant.store.table("parked_batches") if not row["resolved"]}
        rows = self.plant.store.table("log_progress")
        return [(row["log"], row["next_offset"]) for row in rows if row["log"] not in parked]

    def _devices(self, _: Mapping[str, Any]) -> Rows:
        some = unsettled(self.plant)
        rows = self.plant.store.table("devices")
        found = [row for row in rows if (row["device"], row["epoch"]) in some]
        return sorted((row["device"], row["epoch"], row["log"], row["ranges"], row["version"]) for row in found)

    def _settled(self, _: Mapping[str, Any]) -> Rows:
        some = unsettled(self.plant)
        rows = self.plant.store.table("settled_devices")
        found = [row for row in rows if (row["device"], row["epoch"]) in some]
        return [(row["device"], row["epoch"], row["log"], row["ranges"]) for row in found]

    def _compared(self, _: Mapping[str, Any]) -> Rows:
        return [(row["log"], row["next_offset"]) for row in self.plant.store.table("settled_repeats")]

    def _repeats(self, params: Mapping[str, Any]) -> Rows:
        rows = self._within("repeats", params)
        return sorted((row["log"], row["offset"], row["device"], row["epoch"], row["seq"]) for row in rows)

    def _mark(self, params: Mapping[str, Any]) -> Rows:
        """Mark deliveries with what was decided about them."""
        place = ("log", "offset", "line")
        verdicts = {tuple(row[name] for name in place): row for row in self.plant.store.table("verdicts")}
        for row in self._of_pieces(params):
            verdict = verdicts.get(tuple(row[name] for name in place))
            if verdict is not None and verdict["seen"] > row["seen"]:
                marked = row | {"settled": verdict["verdict"], "seen": verdict["seen"]}
                columns = {name: [marked[name]] for name in TABLES["deliveries"].columns}
                self.plant.store.insert(Block("deliveries", columns))
        return []

    def _by_log(self, params: Mapping[str, Any]) -> Rows:
        sums: dict[str, Counter[str]] = defaultdict(Counter)
        for row in self.plant.store.table("verdicts"):
            if row["log"] in params["logs"]:
                sums[row["log"]]["version"] += row["seen"]
                sums[row["log"]][row["fate"]] += 1
                if row["verdict"] == "conflict":
                    sums[row["log"]]["in_repeat" if row["fate"] == "duplicate" else "conflicts"] += 1
        names = ("counted", "late", "conflicts", "in_repeat", "version")
        return [(log, *(each[name] for name in names)) for log, each in sums.items()]

    def _totals(self, _: Mapping[str, Any]) -> Rows:
        names = ("log", "kind", "entrance", "direction", "category")
        rows = [
            row for row in self.plant.store.table("verdicts") if row["fate"] == "counted" and row["outcome"] == "passed"
        ]
        sums = Counter(tuple(row[name] for name in names) for row in rows)
        return [(*key, n) for key, n in sorted(sums.items())]

    def _cells(self, params: Mapping[str, Any]) -> list[Row]:
        sums: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
        for row in self._within("verdicts", params):
            if row["fate"] != "duplicate":
                cell = row | {"segment": row["offset"] >> BUCKET_BITS, "window": row["ts"] // 10_000 * 10_000}
                sums[tuple(cell[name] for name in CELL)].update(events=1, anonymous=int(row["anonymous"]))
        return [
            {**dict(zip(CELL, key, strict=True)), "events": each["events"], "anonymous": each["anonymous"]}
            for key, each in sums.items()
        ]

    def _doubtful(self, params: Mapping[str, Any]) -> Rows:
        rows = [row for row in self._of_pieces(params) if row["settled"] == "conflict" and _is_entry(row)]
        return [(who,) for who in sorted({_hash(row["credential"]) for row in rows})]

    def _gone(self, _: Mapping[str, Any]) -> Rows:
        return sorted({(row["who"],) for row in self.plant.store.table("unentered") if row["entries"] == 0})

    def _entries(self, params: Mapping[str, Any]) -> list[Row]:
        rows = [row for row in self.plant.store.table("deliveries") if _is_entry(row) and row["outer"] == "outside"]
        return [row | {"who": who} for row in rows if (who := _hash(row["credential"])) in params["who"]]

    def _of_pieces(self, params: Mapping[str, Any]) -> list[Row]:
        return [
            row
            for row in self.plant.store.table("deliveries")
            if row["device"] in params["devices"]
            and row["epoch"] in params["epochs"]
            and params["low"] <= row["seq"] <= params["high"]
        ]

    def _within(self, table: str, params: Mapping[str, Any]) -> list[Row]:
        count = sum(name.startswith("log") for name in params)
        spans = {params[f"log{n}"]: (params[f"first{n}"], params[f"end{n}"]) for n in range(count)}
        rows = [row for row in self.plant.store.table(table) if row["log"] in spans]
        return [row for row in rows if spans[row["log"]][0] <= row["offset"] < spans[row["log"]][1]]


def unsettled(plant: Plant) -> set[tuple[str, int]]:
    """Return the devices, by name and epoch, of which more has come through several logs than is settled."""
    logs: dict[tuple[str, int], list[set[int]]] = defaultdict(list)
    for row in plant.store.table("devices"):
        numbers = {number for low, high in row["ranges"] for number in range(low, high + 1)}
        logs[row["device"], row["epoch"]].append(numbers)
    done: Counter[tuple[str, int]] = Counter()
    for row in plant.store.table("settled_devices"):
        key = (row["device"], row["epoch"])
        done[key] = max(done[key], row["overlap"])
    return {key for key, each in logs.items() if sum(map(len, each)) - len(set().union(*each)) > done[key]}


def uncompared(plant: Plant) -> bool:
    """Tell whether numbers that came again through one log have not been compared yet."""
    done = {row["log"]: row["next_offset"] for row in plant.store.table("settled_repeats")}
    claims = {row["log"]: row["next_offset"] for row in plant.store.table("log_progress")}
    return any(
        done.get(row["log"], 0) <= row["offset"] < claims.get(row["log"], 0) for row in plant.store.table("repeats")
    )


def _is_entry(row: Row) -> bool:
    inward = row["outcome"] == "passed" and row["direction"] == "in"
    return row["fate"] == "counted" and inward and bool(row["credential"])


def _delivery(row: Row) -> Row:
    return {**row, "content": content_of(row), "anonymous": int(not row["credential"])}


def content_of(row: Row) -> int:
    """Return a number for everything that an event says."""
    return _hash(repr([str(row[name]) for name in _CONTENT]))


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=7).digest())


def _columns(rows: Iterable[Row], names: Sequence[str], *, prefix: str = "c_") -> dict[str, Any]:
    some = list(rows)
    return {
        f"{prefix}{name}": np.array([row[name] for row in some], dtype=np.int64)
        if name in _NUMBERS
        else [row[name] for row in some]
        for name in names
    }
