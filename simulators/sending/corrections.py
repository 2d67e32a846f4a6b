"""Sends audited corrections of the occupancy, and enters them in the ledger: a made-up officer's counts."""

import hashlib
import json
import time
import uuid
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from simulators.ledger.ledger import LedgerWriter
from simulators.sending.producer import Answer, NotStoredError, Producer, Stored, make_producer
from sinks.clickhouse import ClickHouseReader
from streams.contract.events import Topic
from streams.kernels.counts.site_clock import SiteClock
from streams.settings import KafkaSettings
from streams.text import Kind

_INSIDE = "SELECT area, kind, inside FROM gatepulse.occupancy WHERE inside != 0 ORDER BY area, kind"
_TIMEOUT = 60.0
"""Seconds to wait for the broker's answer."""


class CorrectionNotSentError(RuntimeError):
    """The broker did not confirm a correction: it may have arrived or not. Send the same one (same id) again."""


@dataclass(frozen=True)
class OccupancyCorrection:
    """`delta` is added to the number inside `area`, or `absolute` replaces it, at `ts` (site time, ms)."""

    area: str
    ts: int
    actor: str
    reason: str
    delta: int | None = None
    absolute: int | None = None
    kind: Kind | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def send_correction(producer: Producer, correction: OccupancyCorrection, ledger: LedgerWriter) -> None:
    """Send a correction and wait for the broker; raises `CorrectionNotSentError`."""
    fields = {name: value for name, value in vars(correction).items() if value is not None}
    value = json.dumps(fields, ensure_ascii=False).encode()
    now = round(time.time() * 1000)
    answers: list[Answer] = []
    producer.send(Topic.CORRECTIONS.value, value, correction.area.encode(), timestamp_ms=now, on_answer=answers.append)
    producer.flush(_TIMEOUT)
    answer = answers[0] if answers else NotStoredError(f"no answer within {_TIMEOUT:g} s", final=False)
    outcome = {"result": "ok" if isinstance(answer, Stored) else "info", "at_ms": now, "arrived_ms": now}
    ledger.corrections([vars(correction) | outcome | {"sha256": hashlib.sha256(value).hexdigest()}])
    if isinstance(answer, NotStoredError):
        raise CorrectionNotSentError(f"id {correction.id}, area {correction.area}: {answer}") from answer


def close_yesterday(reader: ClickHouseReader, kafka: KafkaSettings, *, ts: int, ledger: Path, clock: SiteClock) -> int:
    """Set every area to 0 as of `ts` (site time, ms) where the store has another value; return how many.

    A day that was cut short leaves people inside, and the next one begins empty.
    """
    left = reader.query(_INSIDE)
    if not left:
        return 0
    meta = {"scenario": "closing", "clock": asdict(clock)}
    with closing(make_producer(kafka.brokers)) as producer, LedgerWriter(ledger, meta=meta) as writer:
        for area, kind, inside in left:
            reason = f"closing round: nobody inside, {inside} counted"
            correction = OccupancyCorrection(
                area=area, kind=kind, ts=ts, actor="closing round", reason=reason, absolute=0
            )
            send_correction(producer, correction, writer)
    return len(left)
