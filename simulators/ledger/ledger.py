"""Writes and reads the ledger: what a simulator sent, stored on disk before it is sent, and each attempt's outcome.

A ledger is a directory of Arrow streams and a `meta.json`. When its writer is killed it stays readable up to
the last complete write. Next: `truth.py`, which works out of a ledger what the store must show.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulators.ledger.tables import NONE, Column, Columns, Flags, Integers, Labels
from streams.contract.fields import FIELDS, OPTIONAL, Form

FORMAT = 2
"""The version of the form on disk; grows when a reader of the old form would misread the new one."""

META = "meta.json"

Result: TypeAlias = Literal["ok", "fail", "info"]
"""What an attempt to send came to: stored by the broker, surely not stored, or not known."""

_TEXT, _INTEGER, _FLOAT = pa.string(), pa.int64(), pa.float64()
_TYPES = {Form.TEXT: _TEXT, Form.INTEGER: _INTEGER, Form.REAL: _FLOAT}


SCHEMAS: Mapping[str, pa.Schema] = {
    name: pa.schema(list(columns.items()))
    for name, columns in {
        "passages": {"kind": _TEXT, "true_ts": _INTEGER} | {each.name: _TYPES[each.form] for each in FIELDS},
        "attempts": {
            "index": _INTEGER, "result": _TEXT, "at_ms": _INTEGER,
            "arrived_ms": _INTEGER, "partition": _INTEGER, "offset": _INTEGER,
        },
        "malformed": {"topic": _TEXT, "sha256": _TEXT, "reason": _TEXT, "result": _TEXT},
        "corrections": {
            "id": _TEXT, "area": _TEXT, "kind": _TEXT, "ts": _INTEGER, "delta": _INTEGER, "absolute": _INTEGER,
            "actor": _TEXT, "reason": _TEXT, "result": _TEXT,
            "at_ms": _INTEGER, "arrived_ms": _INTEGER, "sha256": _TEXT,
        },
        "skipped": {"device": _TEXT, "epoch": _INTEGER, "count": _INTEGER},
    }.items()
}  # fmt: skip
"""The streams of a ledger, each `<name>.arrows`, and their columns."""

_OPTIONAL = {"passages": {each.name for each in OPTIONAL}}
"""Columns without which a ledger can be read: fields that no event in it has."""
_OF_FORMAT_2 = {"attempts": {"arrived_ms", "partition", "offset"}, "corrections": {"at_ms", "arrived_ms", "sha256"}}
"""Columns that a ledger of format 1 lacks: there nothing is known of arrivals."""


class LedgerError(Exception):
    """A ledger cannot be written or used: what is wrong with it, what was expected, what to do next."""


class LedgerWriter:
    """Writes one ledger. Every call hands its rows to the operating system before it returns.

    What was written survives the end of this process, however sudden; it does not survive a power cut.
    `meta` is stored beside the rows and must fit into JSON; its `site`, if any, is the id of the site profile,
    and `verify` refuses to compare it with another site. Its `clock`, if any, has `site_ms`, `real_ms` and `speed`
    of the site's clock; without it nothing sent is known to have come late, or with a time that cannot be.
    """

    def __init__(self, directory: Path, *, meta: Mapping[str, Any]) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"{directory}: no ledger can be written here ({error.strerror}). Choose another place."
            ) from error
        if (directory / META).exists():
            raise LedgerError(f"{directory}: there is a ledger here already. Give every run its own directory.")
        self.directory = directory
        self._meta = dict(meta)
        self._rows = 0
        self._streams = {name: _Stream(directory, name) for name in SCHEMAS}
        self._write_meta(closed=False)

    def passages(self, columns: Mapping[str, Any]) -> Integers:
        """Append passages, before they are sent; return the ledger index of each.

        `columns` has the columns of `SCHEMAS["passages"]`, as lists or arrays of one length: times in
        milliseconds since 1970 UTC (`true_ts` when it happened, `ts` the device's time), temperature in °C
        (nan: none), text '' where there is none. Fields that no event of them has may be left out.
        """
        size = len(columns["kind"])
        absent = {each.name: pa.nulls(size, _TYPES[each.form]) for each in OPTIONAL}
        self._streams["passages"].append({**absent, **columns})
        first, self._rows = self._rows, self._rows + size
        return np.arange(first, self._rows, dtype=np.int64)

    def describe(self, **meta: Any) -> None:  # noqa: ANN401 - whatever fits into JSON
        """Keep more beside the rows, such as what is known only when the first of them is sent."""
        self._meta |= meta
        self._write_meta(closed=False)

    def attempts(
        self, index: Integers | Sequence[int], result: Result, *, at_ms: int, stored: Mapping[str, Any] | None = None
    ) -> None:
        """Append one attempt to send for every entry of `index`; who is sent twice is entered twice.

        `at_ms` (real time) is when its outcome was known. `stored` is where the broker has it, as far as that is
        known, with one value per entry: `arrived_ms` (timestamp of the Kafka record), `partition` and `offset`.
        Entries of one message stand in the order of its lines.
        """
        rows = np.asarray(index, np.int64)
        if len(rows) and not (rows.min() >= 0 and rows.max() < self._rows):
            raise LedgerError(
                f"attempts: index {rows.min()} to {rows.max()}, expected 0 to {self._rows - 1}. "
                "Write a passage before it is sent and use the index that passages() returned."
            )
        size = len(rows)
        at = np.full(size, at_ms, np.int64)
        where = dict.fromkeys(("arrived_ms", "partition", "offset"), pa.nulls(size, _INTEGER)) | dict(stored or {})
        self._streams["attempts"].append({"index": rows, "result": [result] * size, "at_ms": at, **where})

    def malformed(self, *, topic: str, sha256: Sequence[str], reason: Sequence[str], result: Result) -> None:
        """Append lines that must be rejected: each line's SHA-256 (hex, of its bytes) and expected reason."""
        size = len(sha256)
        columns = {"topic": [topic] * size, "sha256": sha256, "reason": reason, "result": [result] * size}
        self._streams["malformed"].append(columns)

    def corrections(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append attempts to send a correction; of `delta` and `absolute` exactly one is not None.

        `at_ms` and `arrived_ms` as for attempts, `sha256` of the line (hex): left out where they are not known.
        """
        for row in rows:
            if (row.get("delta") is None) == (row.get("absolute") is None):
                raise LedgerError(
                    f"corrections: id {row['id']!r} has delta {row.get('delta')!r} and absolute "
                    f"{row.get('absolute')!r}, expected exactly one of them. Leave the other out."
                )
        names = SCHEMAS["corrections"].names
        self._streams["corrections"].append({name: [row.get(name) for row in rows] for name in names})

    def skipped(self, *, device: str, epoch: int, count: int) -> None:
        """Append the fact that `device` left out `count` sequence numbers of `epoch` on purpose."""
        self._streams["skipped"].append({"device": [device], "epoch": [epoch], "count": [count]})

    def close(self) -> None:
        """Finish the ledger: from now on, what has no attempt was never sent. Closing again does nothing."""
        for stream in self._streams.values():
            stream.close()
        self._write_meta(closed=True)

    def abandon(self) -> None:
        """Let go of the files and leave the ledger as a crash would: the last attempts may be unrecorded."""
        for stream in self._streams.values():
            stream.file.close()

    def __enter__(self) -> Self:
        """Write in a `with` block: closed at its end, abandoned if it ends with an error."""
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.close() if error is None else self.abandon()

    def _write_meta(self, *, closed: bool) -> None:
        _write_json(self.directory / META, {"format": FORMAT, "closed": closed, "meta": self._meta})


class _Stream:
    """One Arrow stream on disk, readable after every append."""

    def __init__(self, directory: Path, name: str) -> None:
        self._schema = SCHEMAS[name]
        self.file: IO[bytes] = (directory / f"{name}.arrows").open("xb", buffering=1 << 20)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self._writer = pa.ipc.new_stream(self.file, self._schema, options=options)

    def append(self, columns: Mapping[str, Any]) -> None:
        batch = pa.record_batch([_array(columns[each.name], each.type) for each in self._schema], schema=self._schema)
        if len(batch):
            self._writer.write_batch(batch)
            self.file.flush()

    def close(self) -> None:
        if not self.file.closed:
            self._writer.close()
            self.file.close()


def _array(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 - a list, or an array of numpy or Arrow
    if isinstance(values, pa.Array):
        return values.cast(kind)
    whole = kind == _INTEGER and getattr(values, "dtype", None) == np.float64  # nan is none
    return pa.array(values, kind, from_pandas=whole)


@dataclass(frozen=True, eq=False)
class Ledger:
    """One ledger, or several read as one: tables of columns named as in `SCHEMAS`.

    `attempts["index"]` counts through the passages of all. Two columns are added to what is on disk: `part`, the
    number of the ledger it came from, in attempts; and in attempts and corrections `site_ms`, the time of the site
    at which it arrived (`NONE`: not known). `last_site_ms` is the latest of these in each ledger. `unrecorded` marks
    the passages whose writer was not closed: such a passage may have been sent although no attempt is recorded.
    `part_of` has the number of the ledger of each passage. `cut_short`: at least one was cut short, see the
    function. `notes` is what a human should know about the ledger.
    """

    meta: tuple[Mapping[str, Any], ...]
    passages: Columns
    attempts: Columns
    malformed: Columns
    corrections: Columns
    skipped: Columns
    unrecorded: Flags
    part_of: Integers
    last_site_ms: Integers
    closed: bool
    cut_short: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self.unrecorded)

    def tries(self, result: Result) -> Integers:
        """Return how often each passage was tried with that result."""
        index = self.attempts["index"][self.attempts["result"].equal(result)]
        return np.bincount(index, minlength=len(self)).astype(np.int64)


def read_ledger(path: Path) -> Ledger:
    """Read the ledger at `path`, or all in the folder `path` as one: runs that share a state. Raises LedgerError."""
    parts = [_Part(directory) for directory in _directories(path)]
    sizes = [len(part.tables["passages"]) for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    tried = [len(part.tables["attempts"]) for part in parts]
    columns = {name: _columns(pa.concat_tables([part.tables.pop(name) for part in parts])) for name in SCHEMAS}
    columns["attempts"]["index"] = columns["attempts"]["index"] + np.repeat(starts, tried)
    columns["attempts"]["part"] = np.repeat(np.arange(len(parts)), tried)
    for name in ("attempts", "corrections"):
        columns[name]["site_ms"] = np.concatenate([part.site_ms.pop(name) for part in parts])
    return Ledger(
        meta=tuple(part.meta for part in parts),
        unrecorded=np.repeat([not part.closed for part in parts], sizes),
        part_of=np.repeat(np.arange(len(parts)), sizes),
        last_site_ms=np.array([part.last_site_ms for part in parts], np.int64),
        closed=all(part.closed for part in parts),
        cut_short=any(part.cut_short for part in parts),
        notes=tuple(note for part in parts for note in part.notes),
        **columns,
    )


def site_of(path: Path) -> str:
    """Return the id of the site of the ledger (or folder of ledgers) at `path`, "" if unknown. Raises LedgerError."""
    metas = (_read_meta(directory / META)[0] for directory in _directories(path))
    return next((str(meta["site"]) for meta in metas if "site" in meta), "")


def _directories(path: Path) -> list[Path]:
    if not path.exists():
        raise LedgerError(f"{path}: there is nothing here. Give the directory that a simulator wrote.")
    if not path.is_dir():
        raise LedgerError(f"{path}: this is a file, expected a directory with {META}. Give the ledger's directory.")
    if (path / META).exists():
        return [path]
    directories = sorted(found.parent for found in path.glob(f"*/{META}"))
    if not directories:
        raise LedgerError(f"{path}: no {META} here nor one folder below. Give the directory that a simulator wrote.")
    return directories


def cut_short(directory: Path) -> None:
    """Note in a ledger that its broker is gone, with whatever the workers had not read: all deliveries are uncertain.

    From now on a passage in it may be shown or not, as if the answers of the broker had never come.
    """
    file = directory / META
    found = json.loads(file.read_text(encoding="utf-8"))
    _write_json(file, found | {"cut_short": True})


def _write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    fresh.replace(file)


class _Part:
    """One ledger as it was found on disk.

    Attempts are read before passages: what a live writer adds in between is then no contradiction.
    """

    def __init__(self, directory: Path) -> None:
        self.notes: list[str] = []
        self.meta, self.closed, self.cut_short, version = _read_meta(directory / META)
        self.tables = {name: self._read(directory / f"{name}.arrows", version) for name in reversed([*SCHEMAS])}
        self.site_ms = {name: _site_times(self.tables[name], self.meta) for name in ("attempts", "corrections")}
        self.last_site_ms = int(self.site_ms["attempts"].max(initial=NONE))
        known, attempts = len(self.tables["passages"]), self.tables["attempts"]["index"]
        highest = pc.max(attempts).as_py() if len(attempts) else -1
        if highest >= known:
            raise LedgerError(
                f"{directory}: an attempt names passage {highest}, but only {known} passages can be read. "
                "Nothing can be proven with this ledger: run the simulator again."
            )
        if not self.closed:
            self.notes.append(f"{directory}: the writer did not close it; the last attempts may be unrecorded.")
        if self.cut_short:
            self.notes.append(f"{directory}: it was cut short; what the workers had not read then is gone.")

    def _read(self, file: Path, version: int) -> pa.Table:
        """Read the complete batches of a stream; what follows the last complete one was being written."""
        schema = expected = SCHEMAS[file.stem]
        if not file.exists():
            raise LedgerError(f"{file}: it is missing. A ledger is copied or moved as a whole directory.")
        batches: list[pa.RecordBatch] = []
        try:
            with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as reader:
                schema = reader.schema
                if not _fits(schema, file.stem, version):
                    raise LedgerError(f"{file}: columns {schema.names}, expected {expected.names}.")
                batches.extend(reader)
        except (pa.ArrowInvalid, OSError) as error:
            if file.stat().st_size:
                rows = sum(len(batch) for batch in batches)
                self.notes.append(f"{file}: cut off after {rows:,} rows ({error}).")
        found = pa.Table.from_batches(batches, schema)
        table = pa.concat_tables(
            [expected.empty_table(), found], promote_options="default"
        )  # has all columns, in order
        return _as_uncertain(table) if self.cut_short and "result" in table.schema.names else table


def _fits(found: pa.Schema, name: str, version: int) -> bool:
    """Return whether a stream has the columns that it must have, in whatever order, and no others."""
    later = _OF_FORMAT_2.get(name, set()) if version < FORMAT else set()
    may_lack = (_OPTIONAL.get(name, set()) | later).difference(found.names)
    wanted = {field.name: field.type for field in SCHEMAS[name] if field.name not in may_lack}
    return dict(zip(found.names, found.types, strict=True)) == wanted


def _site_times(table: pa.Table, meta: Mapping[str, Any]) -> Integers:
    """Return the site time at which each row of `table` arrived, NONE where it or the site's clock is not known.

    What has no time of arrival arrived before its outcome was known, and that is used instead.
    """
    clock = meta.get("clock")
    known = pc.coalesce(table["arrived_ms"], table["at_ms"])
    if clock is None or known.null_count == len(known):
        return np.full(len(known), NONE, np.int64)
    elapsed = known.fill_null(0).to_numpy() - int(clock["real_ms"])
    speed = float(clock["speed"])
    scaled = elapsed * int(speed) if speed == int(speed) else np.rint(elapsed * speed).astype(np.int64)
    site_ms: Integers = np.where(known.is_null().to_numpy(), NONE, int(clock["site_ms"]) + scaled)
    return site_ms


def _as_uncertain(table: pa.Table) -> pa.Table:
    """Turn every delivery into one of which it is not known whether it came."""
    result = table["result"]
    unknown = pc.if_else(pc.equal(result, "ok"), "info", result)
    return table.set_column(table.schema.get_field_index("result"), table.schema.field("result"), unknown)


def _read_meta(file: Path) -> tuple[Mapping[str, Any], bool, bool, int]:
    """Return what was stored beside the rows, whether the ledger was closed or cut short, and its format."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        version, closed, meta = int(found["format"]), bool(found["closed"]), dict(found["meta"])
        cut = bool(found.get("cut_short"))
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerError(f"{file}: {error!r}, expected format, closed and meta. Was it written by hand?") from error
    if version > FORMAT:
        raise LedgerError(f"{file}: format {version}, this program reads up to {FORMAT}. Use a newer gatepulse.")
    return meta, closed, cut, version


def _columns(table: pa.Table) -> dict[str, Any]:
    """Turn a table into columns: text into labels, absent integers into NONE, absent floats into nan.

    Each column of the table is let go of once it is turned: a day of events would else need twice the memory.
    """
    columns = {}
    for field in table.schema:
        columns[field.name] = _column(table.column(field.name), field.type)
        table = table.drop_columns(field.name)
    pa.default_memory_pool().release_unused()
    return columns


def _column(values: pa.ChunkedArray, kind: pa.DataType) -> Column:
    if kind == _TEXT:
        return Labels.of(values)
    filled = values.fill_null(NONE if kind == _INTEGER else float("nan")) if values.null_count else values
    return np.asarray(filled.to_numpy())
