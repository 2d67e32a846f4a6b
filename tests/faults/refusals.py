"""Fault scenarios in which ClickHouse is slow, or refuses writes for a while or for good."""

import json
from typing import Any, Final

from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.proxy import Way
from tests.faults.trial import Trial

_MOST_WAITING: Final = 5_000
_WORKER_GROWS: Final = 150
"""MB that a worker may grow by while the store is slow: its queues fill, and then no more."""
_HELD_MS: Final = 2_000
_COMPLETE_TO: Final = "SELECT toUnixTimestamp64Milli(min(complete_to)) FROM gatepulse.progress"
_TABLES: Final = ("passages", "counts_10s", "counts_1m", "counts_day", "devices")
"""Into these there is something to be written all the time."""

_FOR_NOW: Final = {
    "too many parts": (
        "MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1",
        "RESET SETTING parts_to_throw_insert, parts_to_delay_insert",
    ),
    "tables are read-only": ("MODIFY SETTING table_readonly = 1", "MODIFY SETTING table_readonly = 0"),
}
"""What makes a table refuse rows for a while, and how it is undone."""


@fault(
    "T09",
    layout=Layout(store_proxy=True, settings={"WORKER__MOST_WAITING": str(_MOST_WAITING)}),
    limits=Limits(recovery=180.0),
)
def store_slow(trial: Trial) -> None:
    """Each insert takes ClickHouse 5 s: the backlog must stay in Kafka, not in the workers."""
    proxy, watch, worker = trial.plant.store_proxy, trial.plant.watch, trial.plant.worker.name
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("ClickHouse is slow"):
            # The driver waits for two replies in each insert, the server's columns and its word that it has the rows.
            proxy.conduct(replies=Way(delay=trial.size(full=5.0, quick=2.5) / 2))
            trial.wait(trial.size(full=100.0, quick=10.0))
            early = watch.memory[worker]
            trial.wait(trial.size(full=200.0, quick=15.0))
            grown, behind = watch.memory[worker] - early, watch.position.behind if watch.position else 0
            proxy.pass_all()
        trial.at_work()
    waits = behind > 3 * _MOST_WAITING
    trial.expect("what is not stored waits in Kafka", waits or None, f"{behind} messages in Kafka")
    trial.expect("no memory grows meanwhile", grown < _WORKER_GROWS, f"{grown} MB more in the worker")
    _expect_no_end(trial)
    trial.note(f"{behind:,} messages behind, {grown} MB more in the worker")


@fault("T10", limits=Limits(recovery=120.0))
def store_refuses_for_now(trial: Trial) -> None:
    """ClickHouse refuses rows: too many parts, then read-only tables; workers retry, and continue."""
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        for what, (do, undo) in _FOR_NOW.items():
            with trial.fault(f"ClickHouse refuses: {what}"):
                _alter(trial, do)
                trial.until(lambda: _waiting(trial) > 1.0, "the workers to be refused")
                done = trial.done
                trial.wait(trial.size(full=60.0, quick=6.0))
                committed, waited = trial.done - done, _waiting(trial)
                _alter(trial, undo)
            trial.at_work()
            trial.expect(f"{what}: nothing was committed meanwhile", committed == 0, f"{committed} messages were")
            trial.expect(f"{what}: the metric said so", waited > 1.0, f"a write had waited for {waited:.1f} s")
    _expect_no_end(trial)


@fault("T10b", limits=Limits(recovery=120.0))
def store_refuses_for_good(trial: Trial) -> None:
    """A constraint of a table refuses the rows: they are parked with an alarm, and stored again on command."""
    table = "counts_10s"
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        with trial.fault("ClickHouse refuses for good"):
            _alter(trial, "ADD CONSTRAINT nothing_fits CHECK version = 0", only=table)
            trial.until(lambda: _asked(trial, "SELECT count() FROM gatepulse.parked")[0][0] > 0, "something parked")
            first, done = _complete_to(trial), trial.done
            trial.wait(trial.size(full=120.0, quick=8.0))
            held, counted = _complete_to(trial), trial.done - done
            tables = {table for (table,) in _asked(trial, "SELECT DISTINCT table FROM gatepulse.parked")}
            samples = trial.plant.metrics(trial.plant.worker).get("gatepulse_parked_batches", [])
            alarms = {labels["table"]: batches for labels, batches in samples}
            _alter(trial, "DROP CONSTRAINT nothing_fits", only=table)
        trial.at_work()
    trial.counted_so_far()
    listed = json.loads(trial.plant.command("parked", "list", "--json"))["parked"]
    said = trial.plant.command("parked", "retry", "--all")
    trial.expect("counting goes on meanwhile", counted > 0, f"{counted} messages")
    trial.expect(
        "nothing claims to be complete meanwhile", held - first < _HELD_MS, f"{held - first} ms in all this time"
    )
    trial.expect("the view names the table", tables == {table}, f"{tables}")
    trial.expect("the metric names it too", alarms.get(table, 0) > 0, f"{alarms}")
    trial.expect("the command lists them", bool(listed) and {each["table"] for each in listed} == {table}, f"{said}")
    left = _asked(trial, "SELECT count() FROM gatepulse.parked")[0][0]
    trial.expect("nothing is left parked", left == 0, f"{left} batches; the command said: {said}")
    _expect_no_end(trial)
    trial.note(said.strip())


def _alter(trial: Trial, how: str, *, only: str = "") -> None:
    """Change tables, as somebody might who does not know them."""
    owner = trial.plant.owner()
    try:
        for table in (only,) if only else _TABLES:
            owner.execute(f"ALTER TABLE gatepulse_store.{table} {how}")
    finally:
        owner.disconnect()


def _waiting(trial: Trial) -> float:
    """Return for how many seconds the worker says that a write has been waiting."""
    ((_, seconds),) = trial.plant.metrics(trial.plant.worker)["gatepulse_store_waiting_seconds"]
    return seconds


def _complete_to(trial: Trial) -> int:
    """Return up to which moment (ms) all logs are said to be complete."""
    return int(_asked(trial, _COMPLETE_TO)[0][0])


def _asked(trial: Trial, question: str) -> list[tuple[Any, ...]]:
    reader = trial.plant.reader()
    try:
        return reader.query(question)
    finally:
        reader.close()


def _expect_no_end(trial: Trial) -> None:
    trial.expect("no worker ended", not trial.ends, "; ".join(map(str, trial.ends)))
