"""Fault scenarios with full disks: Kafka's, ClickHouse's, and the workers' own."""

from contextlib import suppress
from typing import Final

from sinks.rows import TABLES
from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.trial import NotInTimeError, Trial

_KAFKA: Final = "kafka"
_STORE: Final = "clickhouse/server"
_WORKERS: Final = "faust"
_IN_A_WORD: Final = "SETTINGS check_query_single_value_result = 1"


@fault("T19", layout=Layout(small_disks={_KAFKA: 400}), limits=Limits(recovery=180.0))
def kafka_disk_full(trial: Trial) -> None:
    """Kafka's disk is full, so Kafka ends; once there is space it is restarted, as by a service manager."""
    disk, broker = trial.plant.disks[_KAFKA], trial.plant.broker
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("Kafka's disk is full"):
            disk.fill()
            with suppress(NotInTimeError):  # if it goes on without its disk, it must be started anew all the same
                trial.until(lambda: not broker.running, "the end of Kafka", 30.0)
            ended = not broker.running
            trial.wait(trial.size(full=60.0, quick=5.0))
            disk.free()
            broker.stop()
            broker.start()
        trial.at_work()
    trial.note(f"Kafka {'ended by itself' if ended else 'went on without its disk and was started anew'}")


@fault("T19b", layout=Layout(small_disks={_WORKERS: 1}))
def workers_disk_full(trial: Trial) -> None:
    """The disk of the workers' own folder is full, and the worker is killed meanwhile: counting continues."""
    disk, worker = trial.plant.disks[_WORKERS], trial.plant.worker
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("the workers' disk is full"):
            disk.fill()
            trial.at_work()
            worker.kill()
            trial.until(lambda: worker.kills == 1, "the end of the worker")
            trial.at_work()
            trial.wait(trial.size(full=60.0, quick=3.0))
            disk.free()
        trial.at_work()
    ends = [end for end in worker.ends if not end.ours]
    trial.expect("no worker ended by itself", not ends, "; ".join(map(str, ends)))


@fault("T20", layout=Layout(small_disks={_STORE: 400}), limits=Limits(recovery=120.0))
def store_disk_full(trial: Trial) -> None:
    """ClickHouse's disk is full: workers retry and report it, and continue once there is space."""
    plant, disk = trial.plant, trial.plant.disks[_STORE]
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("ClickHouse's disk is full"):
            disk.fill()
            trial.until(lambda: _waiting(trial) > 1.0, "the workers to be refused")
            done = trial.done
            for _ in range(trial.size(full=60, quick=8)):
                disk.fill()  # merges give space back, for a moment
                trial.wait(1.0)
            committed, waited = trial.done - done, _waiting(trial)
            disk.free()
        trial.at_work()
    trial.expect("nothing was committed meanwhile", committed == 0, f"{committed} messages were")
    trial.expect("the metric said so", waited > 1.0, f"a write had waited for {waited:.1f} s")
    ends = [end for worker in plant.workers for end in worker.ends]
    trial.expect("no worker ended", not ends, "; ".join(map(str, ends)))
    owner = plant.owner()
    try:
        answers = {name: owner.execute(f"CHECK TABLE gatepulse_store.{name} {_IN_A_WORD}") for name in TABLES}
    finally:
        owner.disconnect()
    corrupt = {name: answer for name, answer in answers.items() if answer != [(1,)]}
    trial.expect("every table is whole", not corrupt, f"{corrupt}")


def _waiting(trial: Trial) -> float:
    """Return for how many seconds the worker says that a write has been waiting."""
    ((_, seconds),) = trial.plant.metrics(trial.plant.worker)["gatepulse_store_waiting_seconds"]
    return seconds
