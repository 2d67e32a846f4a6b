"""Fault scenario: old and new versions of the worker take turns on the same snapshots."""

from collections.abc import Iterator

from kafka import KafkaConsumer, TopicPartition

from streams.contract.events import Topic
from streams.kernels.counts.snapshot import Plain
from streams.worker.snapshot_chain import key_of
from streams.worker.snapshot_records import unpack
from tests.faults.catalogue import Layout, fault
from tests.faults.first_version import ADDED
from tests.faults.plant import GROUP, PARTITIONS, worker_command
from tests.faults.trial import Trial

FIRST = "first_version.py"
_TURNSTILES = f"{GROUP}-{Topic.TURNSTILES.value}.snapshots-changelog"


@fault("T32", layout=Layout(worker=FIRST))
def old_and_new(trial: Trial) -> None:
    """A worker of the first version counts, then one of today, then the first again, from each other's snapshots."""
    seconds = trial.size(full=60.0, quick=4.0)
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.wait(seconds)
        for file, version in (("", "today's"), (FIRST, "the first")):
            with trial.fault(f"{version} version takes over"):
                _expect(trial, FIRST if not file else "")
                trial.plant.worker.stop(30.0)
                trial.plant.worker.argv = worker_command(file)
                trial.plant.worker.start()
                trial.counted_so_far()
            trial.wait(seconds)
        _expect(trial, FIRST)


def _expect(trial: Trial, file: str) -> None:
    """Expect the newest snapshots to be of the version that counts, or nothing was tried."""
    has = {name for plain in _newest(trial.plant.bootstrap) for name in ADDED if name in plain}
    trial.expect(
        "the snapshots are of this version", has == (set() if file else ADDED), f"they have {has or 'neither'}"
    )


def _newest(bootstrap: str) -> Iterator[Plain]:
    """Yield the newest whole snapshot of every turnstile log."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap)
    places = [TopicPartition(_TURNSTILES, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    consumer.seek_to_beginning()
    ends, newest = consumer.end_offsets(places), dict[int, bytes]()
    for _ in range(200):
        for place, records in consumer.poll(200).items():
            for each in records:
                if each.key == key_of(place.partition):
                    newest[place.partition] = each.value
        if all(consumer.position(place) >= end for place, end in ends.items()):
            break
    consumer.close()
    yield from map(unpack, newest.values())
