"""Saves what alarms have changed since their last snapshot, and joins it to a whole one; see `kernels.counts.changes`.

What grows with traffic and lanes is written as far as it has changed: counts of seconds, of which those that were
entered stay as they are, reports of lanes, and what is usual. All else is small, and written whole.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streams.kernels.alarms.log import AlarmLog, SavedAlarms
from streams.kernels.alarms.recent import SPAN, CellCounts
from streams.kernels.alarms.snapshot import COUNTS, KEYS, USUAL, counts_out, freeze_small, in_steps, out_of_steps
from streams.kernels.counts.live import Measure
from streams.kernels.counts.snapshot import Plain, SnapshotError

_FLOATS: Final = np.dtype("<f8")
_OF_FLOATS: Final = frozenset({"rate", "rest_rate"})
_OF_FLAGS: Final = frozenset({"blamed"})
_BIG: Final = frozenset({"kept", "known", "coming", "steps", "heard", "usual", "marks"})
_MOST_SECONDS: Final = 60
"""Of counts by second in a record of changes: at the largest site more might not fit one, as keys are not in steps."""


def note_saved(log: AlarmLog) -> None:
    """Note that the state as it is now is in a snapshot: later changes are those since then."""
    silence, recent = log.silence, log.recent
    usual = [getattr(silence, name).copy() for name in USUAL]
    log.saved = SavedAlarms(log.next_offset, recent.entered, usual, list(silence.minute_totals))
    recent.forgotten = 0
    recent.changed_known.clear()
    silence.changed_reports.clear()


def freeze_changes(log: AlarmLog) -> Plain | None:
    """Write what has changed since `note_saved`; None if nothing was saved, or so long ago that all is as little."""
    saved, recent, silence = log.saved, log.recent, log.silence
    if saved is None or recent.entered - saved.entered > _MOST_SECONDS:
        return None
    reports = sorted(silence.changed_reports)
    figures = np.array([silence.lane_reports[key] for key in reports], dtype=KEYS).reshape(-1, 3)
    logs = sorted({name for name, _ in reports})
    marks, before = silence.minute_totals, {id(each) for each in saved.minute_totals}
    new = [each for each in marks if id(each) not in before]
    return {
        **freeze_small(log),
        "after": saved.next_offset,
        "kept": counts_out(recent.window(recent.entered - saved.entered)),
        "forgotten": recent.forgotten,
        "known": {name: counts_out(_known(log, name)) for name in sorted(recent.known)},
        "coming": counts_out(recent.coming),
        "logs": logs,
        "heard": [
            np.array([logs.index(name) for name, _ in reports], dtype=KEYS).tobytes(),
            np.array([silence.numbers[lane] for _, lane in reports], dtype=KEYS).tobytes(),
            *(column.tobytes() for column in figures.T.copy()),
        ],
        "usual": [
            _usual_out(name, getattr(silence, name), then) for name, then in zip(USUAL, saved.usual, strict=True)
        ],
        "fewer_marks": len(saved.minute_totals) - (len(marks) - len(new)),
        "marks": [each.astype(KEYS).tobytes() for each in new],
    }


def _known(log: AlarmLog, name: str) -> CellCounts:
    known = log.recent.known[name]
    keys = sorted(key for key in log.recent.changed_known.get(name, ()) if key in known)
    return CellCounts(np.array(keys, dtype=np.int64), np.array([known[key] for key in keys], dtype=np.int64))


def _usual_out(name: str, now: NDArray[Any], then: NDArray[Any]) -> list[bytes]:
    places = np.flatnonzero(now != then)
    figures = _FLOATS if name in _OF_FLOATS else KEYS
    return [places.astype(KEYS).tobytes(), now[places].astype(figures).tobytes()]


def join(whole: Plain, changes: Sequence[Plain]) -> Plain:
    """Return what `freeze` would have written after these changes. Raises SnapshotError if one does not follow on."""
    if not changes:
        return whole
    joined = _WholeAlarms(whole)
    for each in changes:
        joined.add(each)
    return joined.plain()


class _WholeAlarms:
    """A whole snapshot with its rows by key, to which changes are added."""

    def __init__(self, whole: Plain) -> None:
        self.whole = self.small = whole
        columns = out_of_steps(whole["steps"]) if "steps" in whole else whole
        self.kept, self.coming = _counts_in(columns["kept"]), columns["coming"]
        self.known = {name: _by_key(each) for name, each in columns["known"].items()}
        self.width = len(Measure) * len(whole["entrances"])
        self.heard = {(log, lane): figures for log, lane, *figures in whole["heard"]}
        self.usual = [np.array(each, _dtype(name)) for name, each in zip(USUAL, whole["usual"], strict=True)]
        self.marks = list(whole["marks"])

    def add(self, changes: Plain) -> None:
        """Add what has changed."""
        if (changes["log"], changes["after"]) != (self.small["log"], self.small["next"]):
            raise SnapshotError(
                f"changes of {changes['log']} since {changes['after']} do not follow on a snapshot of "
                f"{self.small['log']} at {self.small['next']}"
            )
        self.small = {name: changes[name] for name in self.whole if name in changes and name not in _BIG}
        self._add_counts(changes)
        logs, lanes = changes["logs"], self.whole["lanes"]
        for log, lane, *figures in zip(*(np.frombuffer(each, KEYS).tolist() for each in changes["heard"]), strict=True):
            self.heard[logs[log], lanes[lane]] = figures
        for name, usual, (places, figures) in zip(USUAL, self.usual, changes["usual"], strict=True):
            usual[np.frombuffer(places, KEYS)] = np.frombuffer(figures, _FLOATS if name in _OF_FLOATS else KEYS)
        self.marks = self.marks[changes["fewer_marks"] :] + [
            np.frombuffer(each, KEYS).tolist() for each in changes["marks"]
        ]

    def _add_counts(self, changes: Plain) -> None:
        oldest = (changes["entered"] - SPAN + 1) * self.width
        self.kept = self.kept.where(self.kept.keys >= oldest) + _counts_in(changes["kept"])
        self.coming = changes["coming"]
        for name, each in changes["known"].items():
            known = self.known.setdefault(name, {})
            if changes["forgotten"]:
                known = self.known[name] = {key: n for key, n in known.items() if key >= changes["forgotten"]}
            known.update(_by_key(each))

    def plain(self) -> Plain:
        """Return the whole snapshot as it is now, its parts in the order in which `freeze` writes them."""
        columns = {
            "kept": counts_out(self.kept),
            "known": {name: counts_out(_in_order(each)) for name, each in sorted(self.known.items())},
            "coming": self.coming,
        }
        return {
            **self.whole,
            **self.small,
            **({"steps": in_steps(columns)} if "steps" in self.whole else columns),
            "heard": [[*key, *self.heard[key]] for key in sorted(self.heard)],
            "usual": [each.tolist() for each in self.usual],
            "marks": self.marks,
        }


def _dtype(name: str) -> np.dtype[Any]:
    if name in _OF_FLAGS:
        return np.dtype(np.bool_)
    return _FLOATS if name in _OF_FLOATS else KEYS


def _counts_in(columns: Sequence[bytes]) -> CellCounts:
    keys, counts = columns
    return CellCounts(np.frombuffer(keys, KEYS).astype(np.int64), np.frombuffer(counts, COUNTS).astype(np.int64))


def _by_key(columns: Sequence[bytes]) -> dict[int, int]:
    counts = _counts_in(columns)
    return dict(zip(counts.keys.tolist(), counts.counts.tolist(), strict=True))


def _in_order(known: dict[int, int]) -> CellCounts:
    keys = sorted(known)
    return CellCounts(np.array(keys, dtype=np.int64), np.array([known[key] for key in keys], dtype=np.int64))
