"""Runs a worker that reads and writes snapshots in the first version's format.

What was added to the format since is neither written nor read, and changes between whole snapshots neither. Next:
`versions.py`.
"""

import streams.kernels.counts.changes as change_kernel
import streams.kernels.counts.corrections as correction_kernel
import streams.kernels.counts.snapshot as passage_kernel
from streams.kernels.counts.corrections import CorrectionLog
from streams.kernels.counts.partition_log import PartitionId
from streams.kernels.counts.passages import PassageLog
from streams.kernels.counts.place import CountingSite, TimeRules
from streams.kernels.counts.snapshot import Plain
from streams.settings import load_settings
from streams.worker import checkpoint
from streams.worker.main import run

ADDED = frozenset({"late", "times", "site_days", "closed", "part", "events"})
"""Keys of a snapshot, or of the segment in it, that the first version did not have."""

freeze, thaw = passage_kernel.freeze, passage_kernel.thaw
freeze_corrections, thaw_corrections = correction_kernel.freeze, correction_kernel.thaw


def as_first(plain: Plain) -> Plain:
    """Leave out what the first version did not know."""
    old = {name: value for name, value in plain.items() if name not in ADDED}
    if "segment" in old:
        old["segment"] = {name: value for name, value in old["segment"].items() if name not in ADDED}
    return old


def _freeze(log: PassageLog) -> Plain:
    return as_first(freeze(log))


def _thaw(plain: Plain, name: PartitionId, kind: str, place: CountingSite) -> PassageLog:
    return thaw(as_first(plain), name, kind, place)


def _freeze_corrections(log: CorrectionLog) -> Plain:
    return as_first(freeze_corrections(log))


def _thaw_corrections(plain: Plain, name: PartitionId, times: TimeRules) -> CorrectionLog:
    return thaw_corrections(as_first(plain), name, times)


def _place_of(key: bytes) -> tuple[int, int]:
    """Raise ValueError where the first version does: only whole snapshots have keys that it knows."""
    return int(key), 0


if __name__ == "__main__":
    vars(change_kernel)["freeze_changes"] = lambda _: None
    vars(checkpoint)["place_of"] = _place_of
    passage_kernel.freeze, passage_kernel.thaw = _freeze, _thaw
    correction_kernel.freeze, correction_kernel.thaw = _freeze_corrections, _thaw_corrections
    run(load_settings())
