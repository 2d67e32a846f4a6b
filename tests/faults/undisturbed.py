"""The scenario without a fault, which every other scenario is compared with."""

import datetime as dt
from typing import Any, Final

from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.load import until
from tests.faults.oracle import judge
from tests.faults.outcome import Check
from tests.faults.plant import Plant
from tests.faults.trial import Trial

_LIMITS: Final = Limits()
_WHEN: Final = ("at", "cluster", "complete_to", "last_seen", "log")
"""Columns that say when and in which cluster something was stored: no two runs can have the same."""
_OF_ARRIVALS: Final = ("first_entries", "replay_span", "source_partitions")
_SPARE: Final = 180.0
_AT_LEAST: Final = 10

Contents = dict[str, tuple[int, int]]
"""The number of rows of each view, and the sum of the hashes of their texts."""


@fault("T00", layout=Layout(speed=60.0), limits=_LIMITS)
def undisturbed(trial: Trial) -> None:
    """No fault, twice with the same seed: no process ends, and every view has identical contents."""
    first = _played(trial)
    trial.say("starting a second plant")
    with Plant(trial.plant.layout, trial.plant.path / "again") as plant:
        again = Trial(plant, seed=trial.seed, quick=trial.quick, say=trial.say)
        second = _played(again)
        for check in (*again.checks, *judge(again, _LIMITS).checks):
            trial.expect(f"second time, {check.name}", check.holds, check.text)
    trial.checks.append(_identical(first, second))
    rows, views = sum(count for count, _ in first.values()), sum(count > 0 for count, _ in first.values())
    trial.note(f"{rows:,} rows in {views} views, twice")


def _played(trial: Trial) -> Contents:
    """Play a part of the day up to its end, and return what all views say."""
    seconds = trial.size(full=600, quick=20)
    begins = dt.datetime.combine(dt.date.min, trial.plant.start_at)
    end = (begins + dt.timedelta(seconds=seconds * (trial.plant.layout.speed or 1))).time()
    scenario = until(trial.size(full=trial.plant.scenario, quick=trial.rush), end)
    # A message for each event: how many make one depends on how far the simulator is behind its clock.
    with trial.load(scenario=scenario, frame=1) as load:
        trial.say("nothing goes wrong")
        trial.until(lambda: load.over, "end of the plan", seconds + _SPARE)
    trial.until(lambda: trial.caught_up, "lag 0")
    ends = [end for worker in trial.plant.workers for end in worker.ends]
    trial.expect("no worker ended", not ends, "; ".join(map(str, ends)))
    return _contents(trial.plant)


def _contents(plant: Plant) -> Contents:
    """Read all views but those of alarms, replays and brokers: no two runs have the same arrivals and topics."""
    client = plant.owner()
    try:
        names = client.execute("SELECT name FROM system.tables WHERE database = 'gatepulse' ORDER BY name")
        return {name: _content(client, name) for (name,) in names if not _is_of_arrivals(name)}
    finally:
        client.disconnect()


def _is_of_arrivals(view: str) -> bool:
    return view.startswith("alarm") or view.endswith("_known") or view in _OF_ARRIVALS


def _content(client: Any, view: str) -> tuple[int, int]:
    text = f"toString(tuple(* EXCEPT ({', '.join(_WHEN)})))"
    rows_of = f"gatepulse.{view}" + (" WHERE topic != 'alarm.inputs'" if view == "progress" else "")
    ((rows, texts),) = client.execute(f"SELECT count(), sum(cityHash64({text})) FROM {rows_of}")
    return int(rows), int(texts)


def _identical(first: Contents, second: Contents) -> Check:
    names = first.keys() | second.keys()
    filled = sum(rows > 0 for rows, _ in first.values())
    different = [
        f"{name} ({first.get(name, (0, 0))[0]} and {second.get(name, (0, 0))[0]} rows)"
        for name in sorted(names)
        if first.get(name) != second.get(name)
    ]
    text = f"different: {', '.join(different)}" if different else f"{filled} views have rows"
    return Check("identical results", None if filled < _AT_LEAST and not different else not different, text)
