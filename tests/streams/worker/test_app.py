"""The Faust app of a worker has the settings that Faust and aiokafka do not offer."""

from aiokafka.codec import lz4_decode, lz4_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from streams.settings import Settings
from streams.worker.app import _faust_app

_LZ4, _HEADER = 3, 61
"""The number of the compression, and bytes before the records: the record batch of Kafka's protocol, version 2."""


def test_records_are_compressed_at_the_fast_level() -> None:
    lines = b"".join(b'{"entrance": "N%d", "passages": %d}\n' % (n % 7, n * n) for n in range(3_000))
    _faust_app(Settings())
    batch = DefaultRecordBatchBuilder(
        magic=2, compression_type=_LZ4, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1,
        batch_size=1 << 20,
    )  # fmt: skip
    assert batch.append(0, 0, None, lines, []) is not None
    packed = bytes(batch.build())[_HEADER:]
    records = lz4_decode(packed)
    assert lines in records
    assert packed == lz4_encode(records, 1)
    assert packed != lz4_encode(records, 9)
