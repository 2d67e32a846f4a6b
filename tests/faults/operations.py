"""Fault scenarios in which operators change topics or upgrade workers under load; random ones: `tests.nightly`."""

from typing import Final

from kafka.admin import KafkaAdminClient, NewPartitions

from streams.contract.events import Topic
from tests.faults.catalogue import Layout, by_program, by_tests, fault
from tests.faults.plant import worker_command
from tests.faults.trial import Trial
from tests.faults.versions import FIRST

_MORE: Final = 8
_HOUR: Final = 3_600
_OPERATIONS: Final = ("tests/faults/test_operations.py", "tests/nightly/faults/test_operations.py")

by_tests(
    "O01", "topic recreated", "A topic of passages is deleted and recreated, while no worker runs and while one does.",
    *_OPERATIONS, "-k", "made_anew",
)  # fmt: skip
by_tests(
    "O03", "alarm inputs gone", "A worker was off for longer than the retention of the topic alarm.inputs.",
    *_OPERATIONS, "-k", "alarm_inputs",
)  # fmt: skip
by_tests(
    "O04", "deleted unread", "Records are deleted before they are counted; the loss is accepted as the message says.",
    *_OPERATIONS, "-k", "deleted_unread",
)  # fmt: skip
by_tests(
    "O05", "state lost", "Snapshots lost, group reset, both; store from an older copy: the drills, line by line.",
    "tests/nightly/faults/test_drills.py",
)  # fmt: skip
by_tests(
    "O06", "brokers restored", "Brokers are restored from an older copy; their logs then grow longer than before.",
    *_OPERATIONS, "-k", "older_copy",
)  # fmt: skip
by_tests(
    "O07", "each once", "The same events through other partitions, without keys, a second gateway, a moved lane.",
    "tests/nightly/faults/test_each_once.py",
)  # fmt: skip
by_tests(
    "O08", "extreme lines", "The largest numbers, texts and times that the contract allows, and names by the thousand.",
    "tests/faults/test_set_aside.py", "tests/streams/contract/test_valid_lines.py",
    "tests/streams/kernels/counts/test_bounds.py",
    "-k", "not set_aside_after",
)  # fmt: skip
by_tests(
    "O09", "defect of a kernel", "Records on which a kernel raises, alone, in frames and in succession.",
    "tests/faults/test_set_aside.py",
)  # fmt: skip
by_tests(
    "O10", "wrong topics", "Transactions, compaction, producers' times: reported before anything is miscounted.",
    *_OPERATIONS, "-k", "transaction or compacted",
)  # fmt: skip
by_program(
    "O13", "all at random", "All of this in random order for an hour at 1,000 passages a second, with kills.",
    "-m", "tests.nightly.operations", "--minutes", "{minutes:g}", "--seed", "{seed}",
    quick=("-m", "tests.nightly.operations", "--minutes", "3", "--seed", "{seed}"),
)  # fmt: skip


@fault("O02")
def partitions_added(trial: Trial) -> None:
    """Topics of passages get 8 partitions instead of 4 under load; earlier events come again, in other partitions."""
    seconds = trial.size(full=60.0, quick=6.0)
    with trial.load(distortion="duplicates=30%,disorder=2s"):
        trial.wait(seconds)
        with trial.fault("partitions are added"):
            admin = KafkaAdminClient(bootstrap_servers=trial.plant.bootstrap)
            admin.create_partitions({each.value: NewPartitions(_MORE) for each in (Topic.TURNSTILES, Topic.VEHICLES)})
            admin.close()
            trial.until(lambda: _read(trial) == 2 * _MORE, "every partition read")
        trial.wait(seconds)
        _settled(trial)
    _settled(trial)
    trial.note(f"{_repeated(trial)} numbers came through several logs")


def _read(trial: Trial) -> int:
    """Count the partitions of passages that a worker reads and has stored something of."""
    return _ask(
        trial,
        "SELECT count() FROM gatepulse.source_partitions AS s INNER JOIN gatepulse.progress AS p ON p.log = s.log"
        " WHERE s.topic LIKE '%%.passages' AND p.worker != ''",
    )


def _repeated(trial: Trial) -> int:
    return _ask(trial, "SELECT toInt64(sum(repeated)) FROM gatepulse.completeness")


def _settled(trial: Trial) -> None:
    trial.until(lambda: _ask(trial, "SELECT count() FROM gatepulse.unsettled") == 0, "settlement")


def _ask(trial: Trial, sql: str) -> int:
    reader = trial.plant.reader()
    try:
        ((number,),) = reader.query(sql, {})
    finally:
        reader.close()
    return int(number)


@fault("O12", layout=Layout(workers=2, worker=FIRST))
def rolling_upgrade(trial: Trial) -> None:
    """Two workers of the first version are upgraded to today's under load, in turn, and downgraded again."""
    seconds = trial.size(full=30.0, quick=4.0)
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.wait(seconds)
        for file, version in (("", "today's"), (FIRST, "the first")):
            for worker in trial.plant.workers:
                with trial.fault(f"{worker.name} becomes {version} version"):
                    worker.stop(30.0)
                    worker.argv = worker_command(file)
                    worker.start()
                    trial.counted_so_far()
                trial.wait(seconds)


@fault("O14", layout=Layout(wall=True, clock_of_workers=True, workers_ahead=-_HOUR))
def brokers_clock_ahead(trial: Trial) -> None:
    """The brokers' clock is an hour ahead of the workers', and is corrected: there is an alarm, counts are right."""
    _clocks_that_differ(trial)


@fault("O14b", layout=Layout(wall=True, clock_of_workers=True, workers_ahead=_HOUR))
def brokers_clock_behind(trial: Trial) -> None:
    """The brokers' clock is an hour behind the workers', and is corrected: there is an alarm, counts are right."""
    _clocks_that_differ(trial)


def _clocks_that_differ(trial: Trial) -> None:
    seconds = trial.size(full=30.0, quick=3.0)
    with trial.load():
        with trial.fault("the clocks differ by an hour"):
            took = trial.until(lambda: _clock_problems(trial) > 0, "a problem that says so")
            took += trial.until(lambda: _ask(trial, _CLOCK_ALARMS) > 0, "an alarm")
            trial.note(f"alarm after {took:.1f} s")
            trial.wait(seconds)
            trial.plant.host_clock.set(0)
            trial.until(lambda: _clock_problems(trial) == 0, "no problem any more")
        trial.wait(seconds)


_CLOCK_ALARMS: Final = "SELECT count() FROM gatepulse.alarm_episodes WHERE rule = 'source-time' AND cleared_at IS NULL"


def _clock_problems(trial: Trial) -> int:
    return _ask(trial, "SELECT count() FROM gatepulse.source_problems WHERE problem = 'broker-clock'")
