"""Fault scenarios with lines that are broken, repeated or out of order."""

import hashlib
from collections import Counter
from collections.abc import Mapping

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from simulators.ledger.ledger import LedgerWriter, read_ledger
from streams.contract.events import Reason, Rejected, Topic
from tests.faults.catalogue import fault
from tests.faults.trial import Trial

_POISON: Mapping[bytes, Reason] = {
    b"x" * 10_000_000: Reason.TOO_LARGE,
    b"\xff" * 1000: Reason.NOT_UTF8,
    b"\0" * 100: Reason.NOT_JSON,
    b'{"device":"N1-L01"': Reason.NOT_JSON,
    b"[" * 60_000: Reason.WRONG_SHAPE,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000: Reason.WRONG_SHAPE,
    b"null": Reason.WRONG_SHAPE,
    b"1e999": Reason.WRONG_SHAPE,
    b"{}": Reason.WRONG_SHAPE,
}
"""Lines that no simulator sends, each with the reason that it must be rejected for."""


@fault("T11")
def poison(trial: Trial) -> None:
    """Bad JSON, wrong types, 10 MB, deep nesting, NUL, invalid UTF-8, unknown entrance, negative time."""
    with trial.load(distortion="malformed=2%,duplicates=5%"), trial.fault("poison"):
        _send_poison(trial)
        trial.wait(trial.size(full=60.0, quick=8.0))
    spoilt = read_ledger(trial.ledgers).malformed
    expected = Counter(zip(spoilt["sha256"].texts().tolist(), spoilt["reason"].texts().tolist(), strict=True))
    rejected = _rejected(trial)
    trial.expect(
        "each is named in the topic `rejected`",
        rejected == expected,
        f"{len(rejected - expected)} more than sent, {len(expected - rejected)} missing",
    )
    trial.expect("the worker is alive", not trial.ends, "; ".join(map(str, trial.ends)))
    trial.note(f"{len(expected)} broken lines")


def _send_poison(trial: Trial) -> None:
    producer = KafkaProducer(bootstrap_servers=trial.plant.bootstrap, compression_type="lz4", max_request_size=32 << 20)
    with LedgerWriter(trial.ledger(), meta={"site": trial.plant.site.id}) as ledger:
        for line, reason in _POISON.items():
            for topic in (Topic.TURNSTILES, Topic.VEHICLES):
                producer.send(topic.value, line, b"poison").get(timeout=30)
                name = hashlib.sha256(line).hexdigest()
                ledger.malformed(topic=topic.value, sha256=[name], reason=[reason.value], result="ok")
    for value in (None, b"", b"\n\n", b" "):  # blank: neither an event nor worth a rejection
        producer.send(Topic.TURNSTILES.value, value, b"poison").get(timeout=30)
    producer.close()


def _rejected(trial: Trial) -> Counter[tuple[str, str]]:
    """Return what the topic `rejected` names, each position once: after a crash it may be published again."""
    trial.until(lambda: trial.caught_up, "lag 0")
    consumer = KafkaConsumer(bootstrap_servers=trial.plant.bootstrap)
    place = TopicPartition(Topic.REJECTED.value, 0)
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    end = consumer.end_offsets([place])[place]
    found: dict[tuple[str, int, int, int], tuple[str, str]] = {}
    while consumer.position(place) < end:
        for record in consumer.poll(500).get(place, []):
            each = msgspec.json.decode(record.value, type=Rejected)
            found[each.topic, each.partition, each.offset, each.line] = (each.sha256, each.reason.value)
    consumer.close()
    return Counter(found.values())


@fault("T12")
def repeated(trial: Trial) -> None:
    """30 % of the events are sent again after 0 s … 24 h; the later ones all arrive together at the end."""
    seconds = trial.size(full=60.0, quick=6.0)
    with trial.load(distortion="duplicates=30%:5s"):
        trial.wait(seconds)
    with trial.load(distortion="duplicates=30%:24h"):
        trial.wait(seconds)
    trial.expect("there were repetitions", True if trial.repeated else None)
    trial.note(f"{trial.repeated:,} sent again")


@fault("T13")
def out_of_order(trial: Trial) -> None:
    """Events arrive up to 10 s out of order, and 5 % of them up to 3 h late."""
    with trial.load(distortion="disorder=10s,late=5%:3h"):
        trial.wait(trial.size(full=60.0, quick=15.0))
