"""Fault scenarios in which workers resume with a backlog, without their state, or with yesterday's tables."""

import shutil
from contextlib import suppress

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.contract import topics
from streams.settings import KafkaSettings
from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.plant import GROUP, PARTITIONS
from tests.faults.proxy import Way
from tests.faults.trial import Trial

LATENCIES = (0.0, 0.05, 0.15)
"""Seconds by which every answer of the broker is held up."""
BACKLOG = Layout(workers=0, broker_proxy=True)


@fault("T02b", layout=BACKLOG, limits=Limits(recovery=150.0), runs=60, quick_runs=3)
def backlog(trial: Trial) -> None:
    """A worker starts with a backlog and is killed before any commit and after, at 0, 50 and 150 ms broker latency."""
    take_up_a_backlog(trial, LATENCIES[trial.run % len(LATENCIES)])


def take_up_a_backlog(trial: Trial, latency: float, *, patience: float = 150.0) -> None:
    """Let a backlog grow, and kill the worker that takes it up several times; it may take `patience` seconds after."""
    plant = trial.plant
    plant.broker_proxy.conduct(replies=Way(latency=latency))
    with trial.load(distortion="duplicates=5%,disorder=2s", backlog=True):
        trial.wait(trial.size(full=6.0, quick=3.0))
        worker = plant.add_worker()
        early = 0
        with trial.fault("killing the worker before it commits, and after"):
            kills = trial.size(full=3, quick=2)
            for number in range(kills):
                moment = 1.0 + 3.5 * (number + trial.random.random()) / kills  # so the first is early in any run
                trial.until(lambda moment=moment: worker.running and worker.age >= moment, "a worker to kill")  # type: ignore[misc]  # a closure of this round
                early += trial.done == 0
                trial.kill(worker)
            trial.at_work()
            trial.kill(worker)
        trial.counted_so_far(patience)
    trial.expect("it was killed before any commit", True if early else None)
    trial.note(f"{early} kills before any commit at {latency * 1000:.0f} ms")


@fault("T24")
def state_deleted(trial: Trial) -> None:
    """The workers' folder is deleted; then the snapshots too: everything is counted again from the records."""
    plant = trial.plant
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.wait(trial.size(full=120.0, quick=6.0))
        for snapshots in (False, True):
            with trial.fault("all state is deleted" if snapshots else "the workers' folder is deleted"):
                plant.worker.stop(30.0)
                shutil.rmtree(plant.path / "faust")
                if snapshots:
                    forget_snapshots(trial)
                plant.worker.start()
            trial.counted_so_far()


@fault("T33")
def tables_of_yesterday(trial: Trial) -> None:
    """ClickHouse's folder is replaced by an older copy, the group is reset, and everything is counted again."""
    plant, seconds = trial.plant, trial.size(full=120.0, quick=6.0)
    folder, copy = plant.path / "clickhouse", plant.path / "yesterday"
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.wait(seconds)
        with trial.fault("tables are copied"):
            plant.worker.stop(30.0)
            plant.store.stop()
            shutil.copytree(folder, copy, symlinks=True)
            plant.store.start()
            plant.worker.start()
        trial.counted_so_far()
        trial.wait(seconds)
        with trial.fault("the copy is restored"):
            plant.worker.stop(30.0)
            newest = _stored(trial)
            plant.store.stop()
            shutil.rmtree(folder)
            copy.rename(folder)
            plant.store.start()
            restored = _stored(trial)
            forget_snapshots(trial)
            forget_offsets(trial)
            plant.worker.start()
        trial.counted_so_far()
    trial.expect("the copy was older", restored < newest, f"{restored} passages, {newest} before")
    trial.note(f"{newest - restored:,} passages were missing in the copy")


def forget_snapshots(trial: Trial) -> None:
    """Delete the changelogs and create them anew; no worker may run."""
    kafka = KafkaSettings(brokers=trial.plant.bootstrap, group=GROUP, partitions=PARTITIONS)
    changelogs = [plan.name for plan in topics.plans(kafka) if plan.name.endswith("-changelog")]
    admin = KafkaAdminClient(bootstrap_servers=trial.plant.bootstrap)
    try:
        admin.delete_topics(changelogs)
        trial.until(lambda: not topics.describe(admin, changelogs), "end of the changelogs")
    finally:
        admin.close()
    topics.apply(kafka)


def forget_offsets(trial: Trial) -> None:
    """Delete what the group has committed; the broker allows it when the group's last session is over."""
    admin = KafkaAdminClient(bootstrap_servers=trial.plant.bootstrap)

    def forgotten() -> bool:
        with suppress(KafkaError):
            admin.delete_groups([GROUP])
        return GROUP not in {each["group_id"] for each in admin.list_groups()}

    try:
        trial.until(forgotten, "end of the group")
    finally:
        admin.close()


def _stored(trial: Trial) -> int:
    reader = trial.plant.reader()
    try:
        ((stored,),) = reader.query("SELECT count() FROM gatepulse.passages")
    finally:
        reader.close()
    return int(stored)
