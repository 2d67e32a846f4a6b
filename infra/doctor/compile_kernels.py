"""Compiles the kernels into machine code, which is kept beside their sources: `python -m infra.doctor.compile_kernels`.

Installing does this. Otherwise the first worker does it when it starts, and so does the first one after an upgrade.
"""

import sys
import time

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.contract.codec import PassageCodec, Records
from streams.contract.vocabulary import Vocabulary
from streams.worker.batches import open_batch

_LINE = (
    b'{"device":"a","seq":1,"ts":1573009179744,"entrance":"a","direction":"in","outcome":"passed","category":"a",'
    b'"credential":"a"}'
)
_SO_MANY = 1_000  # lines, for which a table of names has to grow
_VOCABULARY = Vocabulary(entrances={"a": "person"}, categories={"person": ("a",)}, areas={})


def compile_kernels() -> None:
    """Call every kernel once; raises AssertionError if one of them does not do what it should."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1, None, b"\n".join([_LINE] * _SO_MANY), [])
    packed = bytes(builder.build())
    values = open_batch(MemoryRecords(packed).next_batch(), memoryview(packed))
    assert values is not None  # noqa: S101  # this is what it is for
    records = Records(values.value[:-1], values.offset, values.arrived, values.lines)
    batch = PassageCodec("person", _VOCABULARY).read(records)
    assert batch.credential.take(np.zeros(1, np.int64)).with_lengths() == b"\x01a"  # noqa: S101  # as above


def main() -> None:
    """Compile, and say so: it takes some ten seconds."""
    sys.stderr.write("Compiling the kernels of the counts (once) ... ")
    sys.stderr.flush()
    began = time.monotonic()
    compile_kernels()
    sys.stderr.write(f"{time.monotonic() - began:.0f} s\n")


if __name__ == "__main__":
    main()
