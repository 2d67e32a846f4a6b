"""Compiles every kernel before anything is read: none may have to be compiled while records wait, or in a rehearsal."""

import time
from typing import Final

import numpy as np
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.contract.codec import PassageCodec, Records
from streams.contract.vocabulary import Vocabulary
from streams.worker.batches import open_batch

_LINE: Final = (
    b'{"device":"a","seq":1,"ts":1573009179744,"entrance":"a","direction":"in","outcome":"passed","category":"a",'
    b'"credential":"a"}'
)
_SO_MANY: Final = 1_000
"""Lines for which a table of names has to grow."""
_VOCABULARY: Final = Vocabulary(entrances={"a": "person"}, categories={"person": ("a",)}, areas={})


def compile_kernels() -> float:
    """Call every kernel once, so that it is compiled or found compiled; return how many seconds that took."""
    began = time.monotonic()
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1, None, b"\n".join([_LINE] * _SO_MANY), [])
    packed = bytes(builder.build())
    values = open_batch(MemoryRecords(packed).next_batch(), memoryview(packed))
    assert values is not None  # noqa: S101  # this is what it is for
    records = Records(values.value[:-1], values.offset, values.arrived, values.lines)
    batch = PassageCodec("person", _VOCABULARY).read(records)
    assert batch.credential.take(np.zeros(1, np.int64)).with_lengths() == b"\x01a"  # noqa: S101  # as above
    return time.monotonic() - began
