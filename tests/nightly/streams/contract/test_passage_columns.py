"""Millions of lines, most of them spoilt, are read by the compiled kernels as msgspec reads them."""

import random
from pathlib import Path

import pytest

from tests.streams.contract.test_passage_columns import FULL, encoded, run_again, same
from tests.support.lines import line

LINES = 2_000_000
IN_A_BATCH = 2_000
_PIECES = [
    b'"',
    b"\\",
    b",",
    b":",
    b"{",
    b"}",
    b"\n",
    b"0",
    b"9",
    b".",
    b"-",
    b"e",
    b" ",
    b"\x00",
    b"\xff",
    b"null",
    b'"seq":1',
]


def spoilt(whim: random.Random) -> bytes:
    """Make up a line, and now and then put something into it, take something out or double a part of it."""
    event = bytearray(
        encoded(
            FULL | {"seq": whim.randrange(1, 10**19), "temperature": round(whim.uniform(-5, 1e6), whim.randrange(9))}
        )
    )
    for _ in range(whim.choice((0, 0, 1, 1, 2, 5))):
        at = whim.randrange(len(event) + 1)
        end = min(at + whim.randrange(12), len(event))
        event[at:end] = whim.choice((whim.choice(_PIECES), b"", bytes(event[at:end]) * 2, whim.randbytes(3)))
    return bytes(event)


@pytest.mark.timeout(3600)
def test_millions_of_spoilt_lines_are_read_as_msgspec_reads_them() -> None:
    whim = random.Random(20_191_106)  # noqa: S311  # nothing is secret here
    for _ in range(LINES // IN_A_BATCH):
        same(*(spoilt(whim) for _ in range(IN_A_BATCH)), line())


@pytest.mark.timeout(1800)
def test_the_kernels_do_the_same_with_every_access_checked(tmp_path: Path) -> None:
    done = run_again(NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path))
    assert done.returncode == 0, done.stdout
