"""Computes the expected completeness of each device: numbers received, and the newest. Next: `accounts.py`."""

import numpy as np

from simulators.ledger.ledger import Ledger
from simulators.ledger.tables import Between, Columns, Flags, Integers, Table, Value, group, take
from simulators.verify.fates import Fates

_MOST_MISSING = 10**12
"""Of one device and epoch, as the platform promises."""
_READ = ("device", "epoch", "seq", "ts", "entrance")


def completeness(ledger: Ledger, settled: Fates) -> Table:
    """Return the view `completeness`: counted, late and suspect passages have come, of whatever time they are.

    The newest time is that of the passages that are believed, 1970 where there is none. `settled` are those that
    came; only for the late ones this is unknown, and for a device that has late ones in doubt there are bounds.
    """
    came = (settled.counted, settled.late, settled.suspect)
    rows = np.concatenate([sent.rows for sent in came])
    believed = np.arange(len(rows)) < len(rows) - len(settled.suspect)
    certain = np.ones(len(rows), bool)
    certain[len(settled.counted) :][: len(settled.late)] = settled.late.certain
    columns = {name: ledger.passages[name][rows] for name in _READ}
    table, _ = _devices(columns, believed)
    return table if certain.all() else _bounded(columns, believed, certain)


def _devices(rows: Columns, believed: Flags) -> tuple[Table, Integers]:
    """Count, per device, the sequence numbers from 1 to the newest of each epoch that never came; and how many came."""
    order = np.lexsort([rows["seq"], rows["epoch"], rows["device"].codes])
    ordered = take(rows, order)
    epochs = group({"device": ordered["device"], "epoch": ordered["epoch"]})
    missing = np.minimum(epochs.newest(ordered["seq"]) - epochs.sizes, _MOST_MISSING)
    devices = group({"device": ordered["device"]})
    newest_row = devices.newest(np.arange(len(order)))
    values: dict[str, Value] = {
        "entrance": ordered["entrance"][newest_row],
        "last_seq": ordered["seq"][newest_row],
        "missing": np.bincount(devices.of[epochs.first], missing, len(devices.first)).astype(np.int64),
        "last_ts": devices.newest(np.where(believed[order], ordered["ts"], 0)),
    }
    return Table(devices.keys, values), devices.sizes


def _bounded(rows: Columns, believed: Flags, certain: Flags) -> Table:
    """Return what may be known of each device if any of the rows that are not `certain` never came."""
    most, all_of = _devices(rows, believed)
    least, sure_of = _devices(take(rows, certain), believed[certain])
    place = {device: row for row, device in enumerate(least.keys["device"].texts())}  # type: ignore[union-attr]  # text
    rows_of_least = np.array([place.get(each, -1) for each in most.keys["device"].texts()], np.int64)  # type: ignore[union-attr]  # text

    def sure(column: Value) -> Integers:
        """Return a column of the least for every device of the most, 0 where it has none."""
        return np.append(column, 0)[rows_of_least]  # type: ignore[arg-type]  # numbers

    numbers = {name: np.asarray(most.values[name]) for name in ("last_seq", "missing", "last_ts")}
    fewest = np.maximum(sure(least.values["missing"]) + sure(sure_of) - all_of, 0)
    values: dict[str, Value] = {
        "entrance": most.values["entrance"],
        "last_seq": Between(sure(least.values["last_seq"]), numbers["last_seq"]),
        "missing": Between(fewest, numbers["missing"] + all_of - sure(sure_of)),
        "last_ts": Between(sure(least.values["last_ts"]), numbers["last_ts"]),
    }
    return Table(most.keys, values, rows_of_least < 0)
