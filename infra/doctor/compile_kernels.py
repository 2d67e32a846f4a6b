"""Compiles the kernels into machine code, which is kept beside their sources: `python -m infra.doctor.compile_kernels`.

Installing does this. Otherwise the first worker does it when it starts, and so does the first one after an upgrade.
"""

import sys
import time

import numpy as np

from streams.contract.codec import PassageCodec, Records
from streams.contract.vocabulary import Vocabulary

_LINE = (
    b'{"device":"a","seq":1,"ts":1573009179744,"entrance":"a","direction":"in","outcome":"passed","category":"a",'
    b'"credential":"a"}'
)
_VOCABULARY = Vocabulary(entrances={"a": "person"}, categories={"person": ("a",)}, areas={})


def compile_kernels() -> None:
    """Call every kernel once; raises AssertionError if one of them does not do what it should."""
    one = np.ones(1, np.int64)
    batch = PassageCodec("person", _VOCABULARY).read(Records(_LINE, one, one, one))
    assert batch.credential.take(one - 1).with_lengths() == b"\x01a"  # noqa: S101  # this is what it is for


def main() -> None:
    """Compile, and say so: it takes some ten seconds."""
    sys.stderr.write("Compiling the kernels of the counts (once) ... ")
    sys.stderr.flush()
    began = time.monotonic()
    compile_kernels()
    sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
