"""A rehearsal in its own process reports whatever a kernel does there, and the worker continues."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.kernels.counts.partition_log import OffsetGapError, PartitionId
from streams.worker.isolation import BlankedRecords, RehearsalError, StateFullError, isolate
from streams.worker.rehearsal import in_own_process
from tests.support.lines import line, records

NAME = PartitionId("test", "turnstile.passages", 0)
EVIL = b'"evil"'


def hang() -> None:
    while True:
        pass


def hang_in_native_code() -> None:
    re.match(r"(a+)+$", "a" * 64 + "b")  # no thread of Python runs meanwhile


def wait() -> None:
    time.sleep(600)


def grow() -> None:
    held: list[bytes] = []
    while True:
        held.append(bytes(1 << 26))  # nobody touches it


def grow_in_one_go() -> None:
    bytearray(1 << 40)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def leave() -> None:
    raise SystemExit(0)


def recur() -> None:
    recur()


def shout() -> None:
    os.write(1, b"canary")
    os.write(2, b"canary")
    raise ValueError("canary")


DEFECTS: list[tuple[Callable[[], None], str]] = [
    (hang, "endless"),
    (hang_in_native_code, "endless"),
    (wait, "waiting"),
    (grow, "MemoryError"),
    (grow_in_one_go, "MemoryError"),
    (die, "SIGKILL"),
    (crash, "SIGSEGV"),
    (leave, "SystemExit"),
    (recur, "RecursionError"),
    (shout, "ValueError"),
]


def rehearsing(defect: Callable[[], None]) -> Callable[[BlankedRecords], None]:
    def rehearse(piece: BlankedRecords) -> None:
        if EVIL in piece.records.value:
            defect()

    seconds = 5.0 if defect in (grow, grow_in_one_go) else 0.2  # a busy machine takes long to give memory
    return in_own_process(rehearse, state_bytes=0, cpu_seconds=seconds, more_memory=1 << 28)


def evil(seq: int) -> bytes:
    return line(seq=seq, reason="evil")


@pytest.mark.parametrize(("defect", "kind"), DEFECTS)
def test_exactly_the_line_is_set_aside_whatever_the_code_does_on_it(
    defect: Callable[[], None], kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    piece = isolate(records(line(seq=1), evil(2), line(seq=3)), rehearsing(defect))
    [rejection] = piece.rejections
    assert rejection.position.offset == 1
    assert f"({kind})" in rejection.detail
    assert capfd.readouterr() == ("", "")


def test_what_can_be_counted_leaves_no_process_and_no_file_open() -> None:
    files, processes = sorted(Path("/proc/self/fd").iterdir()), children()
    for _ in range(3):
        rehearsing(hang)(BlankedRecords(records(line(seq=1))))
    assert sorted(Path("/proc/self/fd").iterdir()) == files
    assert children() == processes


def children() -> set[str]:
    """Return the processes of this one, those among them that nobody has waited for."""
    return {pid for each in Path("/proc/self/task").iterdir() for pid in (each / "children").read_text().split()}


def test_what_says_nothing_of_a_line_is_raised_as_it_is() -> None:
    def hole() -> None:
        raise OffsetGapError(NAME, 1, 2)

    def full() -> None:
        raise StateFullError

    for defect, error in ((hole, OffsetGapError), (full, StateFullError)):
        with pytest.raises(error):
            rehearsing(defect)(BlankedRecords(records(evil(1))))


def test_a_busy_machine_makes_no_line_suspect() -> None:
    """What counts is the time that the rehearsal reckons itself."""

    def slow() -> None:
        time.sleep(0.5)

    rehearsing(slow)(BlankedRecords(records(evil(1))))
    with pytest.raises(RehearsalError):
        rehearsing(wait)(BlankedRecords(records(evil(1))))
