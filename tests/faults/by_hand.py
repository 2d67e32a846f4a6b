"""Sends single passages at moments that a scenario chooses, and enters them in the ledger.

`true_ts` and `ts` are the same: a device that is right. Numbers of a device ascend in the order of handing in.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer

from simulators.ledger.ledger import LedgerWriter
from simulators.scenario.lines import make_line
from streams.contract.events import KIND_OF_TOPIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.trial import Trial

_TOPIC_OF: Final = {kind: topic for topic, kind in KIND_OF_TOPIC.items()}
_ANSWER_SECONDS: Final = 30


@dataclass(frozen=True)
class Passage:
    """One passage by its device, entrance and moment (ms since 1970 UTC)."""

    ts: int
    device: str
    entrance: str
    direction: str = "in"
    kind: str = "person"
    category: str = "visitor"


class Hand:
    """Hands passages in: into the ledger, then to Kafka, and again into the ledger once the broker has them."""

    def __init__(self, producer: Any, ledger: LedgerWriter) -> None:
        self._producer, self._ledger = producer, ledger
        self._numbers: Counter[str] = Counter()

    def give(self, passages: Iterable[Passage]) -> None:
        """Hand in passages; returns when the broker has stored all of them."""
        rows = [self._row(each) for each in passages]
        if not rows:
            return
        indexes = self._ledger.passages({name: [row[name] for row in rows] for name in rows[0]})
        sent = [self._producer.send(_TOPIC_OF[row["kind"]], make_line(row), row["entrance"].encode()) for row in rows]
        for index, each in zip(indexes, sent, strict=True):
            stored = each.get(timeout=_ANSWER_SECONDS)
            where = {
                "arrived_ms": [stored.timestamp],
                "partition": [stored.partition],
                "offset": [stored.offset],
            }
            self._ledger.attempts([int(index)], "ok", at_ms=stored.timestamp, stored=where)

    def skip(self, device: str) -> None:
        """Let a device number a passage that nobody will ever hear of."""
        self._numbers[device] += 1

    def _row(self, passage: Passage) -> Mapping[str, Any]:
        self._numbers[passage.device] += 1
        fixed = {"epoch": 1, "seq": self._numbers[passage.device], "true_ts": passage.ts, "outcome": "passed"}
        empty = {"reason": "", "credential": "", "temperature": float("nan"), "health": ""}
        return asdict(passage) | fixed | empty


@contextmanager
def by_hand(trial: "Trial") -> "Iterator[Hand]":
    """Give a hand for the time of a block."""
    plant = trial.plant
    producer = KafkaProducer(bootstrap_servers=plant.bootstrap, acks="all")
    meta = {"site": plant.site.id, "clock": asdict(plant.clock)}
    try:
        with LedgerWriter(trial.ledger(), meta=meta) as ledger:
            yield Hand(producer, ledger)
    finally:
        producer.close()
