"""Sends an audited correction of an occupancy, and enters it in the ledger; a made-up officer's count."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from simulators.sending.producer import NotStoredError, Stored
from streams.contract.events import Topic

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simulators.sending.producer import Answer, Producer
    from streams.text import Kind

_TIMEOUT = 60.0
"""Seconds to wait for the broker's answer."""


class CorrectionLedger(Protocol):
    """What is used of `ledger.LedgerWriter`."""

    def corrections(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write what became of attempts to send corrections."""


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

    def fields(self) -> dict[str, Any]:
        """Return what is set, by the names of the contract."""
        return {name: value for name, value in vars(self).items() if value is not None}


def send_correction(
    producer: Producer, correction: OccupancyCorrection, ledger: CorrectionLedger | None = None
) -> None:
    """Send a correction and wait for the broker; raises `CorrectionNotSentError`."""
    value = json.dumps(correction.fields(), ensure_ascii=False).encode()
    now = round(time.time() * 1000)
    answers: list[Answer] = []
    producer.send(Topic.CORRECTIONS.value, value, correction.area.encode(), timestamp_ms=now, on_answer=answers.append)
    producer.flush(_TIMEOUT)
    answer = answers[0] if answers else NotStoredError(f"no answer within {_TIMEOUT:g} s", final=False)
    if ledger:
        outcome = {"result": "ok" if isinstance(answer, Stored) else "info", "at_ms": now, "arrived_ms": now}
        ledger.corrections([vars(correction) | outcome | {"sha256": hashlib.sha256(value).hexdigest()}])
    if isinstance(answer, NotStoredError):
        raise CorrectionNotSentError(f"id {correction.id}, area {correction.area}: {answer}") from answer
