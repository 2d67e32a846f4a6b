"""Runs a worker with planted defects: its kernels fail on events of some devices, each in its own way.

Most are in the middle of counting, so what was begun of a batch is spoilt. Next:
`tests/nightly/faults/test_isolated.py`.
"""

import os
import re
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from streams.kernels.counts import snapshot
from streams.kernels.counts.batch import Batch, Ints
from streams.kernels.counts.columns import Block
from streams.kernels.counts.live import Live, LiveRules
from streams.kernels.counts.passages import PassageLog
from streams.settings import load_settings
from streams.worker.main import run

FATAL: Final = "canary-fatal-device"
HANGING: Final = "canary-hanging-device"
NATIVE: Final = "canary-native-device"
HUNGRY: Final = "canary-hungry-device"
SLOW: Final = "canary-slow-device"
SPOILING: Final = "canary-spoiling-device"
POISONOUS: Final = "canary-poisonous-device"
SLOW_SECONDS: Final = 4.0
_MOST: Final = 4 << 30

count, take, thaw = Live.count, PassageLog.drain, snapshot.thaw


def _raise(batch: Batch, row: int) -> None:
    raise ValueError(f"no idea what to do with {batch.device[row]} of {batch.credential[row]}")


def _hang(batch: Batch, row: int) -> None:
    del batch, row
    while True:
        pass


def _hang_in_native_code(batch: Batch, row: int) -> None:
    re.match(r"(a+)+$", "a" * 64 + batch.device[row])  # no thread of Python runs meanwhile


def _eat(batch: Batch, row: int) -> None:
    """Ask for ever more memory; the system ends who has too much."""
    del batch, row
    held: list[bytearray] = []
    while sum(map(len, held)) < _MOST:
        held.append(bytearray(1 << 27))
    os.kill(os.getpid(), signal.SIGKILL)


def _dawdle(batch: Batch, row: int) -> None:
    del batch, row
    time.sleep(SLOW_SECONDS)


DEFECTS: Final[dict[str, Callable[[Batch, int], None]]] = {
    FATAL: _raise,
    HANGING: _hang,
    NATIVE: _hang_in_native_code,
    HUNGRY: _eat,
    SLOW: _dawdle,
}


def _count(self: Live, batch: Batch, entrance: Ints, rules: LiveRules) -> None:
    for device in DEFECTS.keys() & set(batch.device):
        DEFECTS[device](batch, list(batch.device).index(device))
    count(self, batch, entrance, rules)


def _take(self: PassageLog) -> list[Block]:
    """Fail whenever rows are wanted of a state that knows a certain device."""
    if SPOILING in self.devices.names.listed:
        raise ValueError(f"no rows of {SPOILING}")
    return take(self)


def _thaw(plain: snapshot.Plain, *more: Any) -> PassageLog:
    """Fail on a snapshot that was written without a complaint."""
    if POISONOUS in plain["device_names"]:
        raise KeyError(POISONOUS)
    return thaw(plain, *more)


if __name__ == "__main__":
    Live.count = _count  # type: ignore[method-assign]  # the defects
    PassageLog.drain = _take  # type: ignore[method-assign]
    snapshot.thaw = _thaw  # type: ignore[assignment]
    run(load_settings())
