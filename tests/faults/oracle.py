"""Judges a trial: every public view against the ledger, identity of counts, lag, progress and memory.

P1 final counts, P2 occupancy, P3 identity at every scrape, P5 lag 0 in time; P6, that no hand touched anything, holds
because there is no hand. Next: `outcome.py`.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from simulators.ledger.ledger import read_ledger
from simulators.verify.report import Verdict
from simulators.verify.verify import verify
from tests.faults.catalogue import Limits
from tests.faults.kept import End
from tests.faults.lag import Position
from tests.faults.outcome import Check, Figures
from tests.faults.trial import NotInTimeError, Trial

_OCCUPANCY = ("occupancy", "occupancy_history")
_TWICE = """
SELECT
    (SELECT sum(events) FROM gatepulse.entrance_outcomes_1m) AS counted,
    (SELECT uniqExact(device, epoch, seq) FROM gatepulse.passages) AS identities
"""
_ACCOUNTS = """
SELECT
    topic,
    partition,
    toInt64(max(next_offset)),
    min(received = counted + duplicate + late + rejected + conflicts AND next_offset >= first_offset + records)
FROM gatepulse.progress
WHERE topic != 'alarm.inputs'
    AND cluster IN (SELECT argMax(cluster, complete_to) FROM gatepulse.progress)
GROUP BY topic, partition
"""
_SHOWN = 3
_MOST_WORDS = 160


@dataclass(frozen=True)
class Judgement:
    """What the oracle says."""

    checks: tuple[Check, ...]
    figures: Figures
    notes: tuple[str, ...]


def judge(trial: Trial, limits: Limits) -> Judgement:
    """Wait until the plant has caught up, compare everything, and say what came of it."""
    lag = _caught_up(trial, limits)
    recovery = recovered(trial)
    trial.say("comparing every view with the ledger")
    reader = trial.plant.reader()
    try:
        verdict = verify(trial.ledgers, reader, trial.plant.site, trial.plant.time_limits)
        ((counted, identities),) = reader.query(_TWICE)
    finally:
        reader.close()
    ends = [end for worker in trial.plant.workers for end in worker.ends]
    memory = _memory(trial)
    figures = Figures(
        sent=verdict.sent,
        lost=verdict.lost,
        phantom=verdict.phantom,
        duplicated=verdict.duplicated + max(0, int(counted) - int(identities)),
        kills=_kills(trial),
        restarts=len(ends),
        holes=sum(end.why.startswith("OffsetGapError") and not end.ours for end in ends),
        recovery=recovery,
        memory=memory,
    )
    checks = [
        lag,
        *_counts(verdict, figures),
        _identity(trial),
        _offsets(trial),
        *_recovery(trial, recovery, limits),
        Check("memory", memory <= limits.memory, f"{memory} MB in a worker, at most {limits.memory} expected"),
    ]
    return Judgement(tuple(checks), figures, tuple(_told(ends)))


def _caught_up(trial: Trial, limits: Limits) -> Check:
    """P5: everything that was sent is committed, within the time after the last of it was sent."""
    trial.say("counting what is still on its way")
    begun = time.monotonic()

    def drained() -> bool:
        position = trial.plant.watch.position
        return position is not None and position.at > begun and position.behind == 0

    try:
        took = trial.until(drained, "lag 0", limits.recovery)
    except NotInTimeError as error:
        position = trial.plant.watch.position
        behind = "unknown, the broker does not answer" if position is None else f"{position.behind} messages behind"
        return Check("P5 lag", holds=False, text=f"{error}; {behind}")
    return Check("P5 lag", holds=True, text=f"0 after {took:.1f} s")


def _counts(verdict: Verdict, figures: Figures) -> Iterator[Check]:
    different = {name: view.different for name, view in verdict.views.items() if view.different}
    counts = {name: n for name, n in different.items() if name not in _OCCUPANCY}
    occupancy = {name: n for name, n in different.items() if name in _OCCUPANCY}
    yield Check("P1 counts", not counts, f"rows that differ: {counts}; {_differences(verdict)}")
    yield Check("P2 occupancy", not occupancy, f"rows that differ: {occupancy}")
    wrong = (figures.lost, figures.phantom, figures.duplicated)
    yield Check("identities", not any(wrong), "{} lost, {} phantom, {} duplicated".format(*wrong))
    # Without a single passage, "everything is equal" says nothing.
    yield Check("something was sent", True if figures.sent else None, f"{figures.sent} passages")


def _differences(verdict: Verdict) -> str:
    return "; ".join(
        f"{each.view} {each.key} {each.column} expected {each.expected}, stored {each.stored}"
        for each in verdict.differences[:_SHOWN]
    )


def _identity(trial: Trial) -> Check:
    """P3: received = counted + duplicate + late + rejected, whenever it was looked."""
    watch = trial.plant.watch
    if watch.broken:
        return Check("P3 identity", holds=False, text=f"{len(watch.broken)} times, first {watch.broken[0]}")
    return Check("P3 identity", True if watch.scrapes else None, f"{watch.scrapes} scrapes")


def _offsets(trial: Trial) -> Check:
    """P3: each partition is stored up to the broker's own end, and its lines and records are accounted for."""
    position, reader = trial.plant.watch.position, trial.plant.reader()
    try:
        rows = reader.query(_ACCOUNTS)
    finally:
        reader.close()
    ends = {} if position is None else position.ends
    wrong = [
        f"{topic}-{partition}: stored to {upto}, the broker's end is {ends.get((topic, partition))}, {fits}"
        for topic, partition, upto, fits in rows
        if (topic, partition) in ends and (upto != ends[topic, partition] or not fits)
    ]
    return Check(
        "P3 offsets", None if position is None else not wrong, "; ".join(wrong[:_SHOWN]) or f"{len(ends)} logs"
    )


def recovered(trial: Trial) -> float | None:
    """Return the longest time (s) from a fault's end until all that was in Kafka then was committed.

    None if there was no fault, or if that was not seen.
    """
    course = [*trial.plant.watch.course]
    took = [_seconds_behind(course, episode.ended) for episode in trial.episodes]
    return None if not took or None in took else max(each for each in took if each is not None)


def _seconds_behind(course: Sequence[Position], ended: float) -> float | None:
    after = [each for each in course if each.at >= ended]
    return next((each.at - ended for each in after if each.covers(after[0].ends)), None)


def _recovery(trial: Trial, recovery: float | None, limits: Limits) -> Iterator[Check]:
    if not trial.episodes:
        return
    most = limits.recovery * trial.patience
    in_time = recovery is not None and recovery <= most
    took = "never" if recovery is None else f"after {recovery:.1f} s"
    yield Check("recovery", in_time, f"caught up {took}, at most {most:g} s expected")
    happened = _happened_during(trial)
    yield Check("events during the fault", True if min(happened, default=1) else None, f"{happened}")
    went_on = trial.done > trial.episodes[-1].done
    yield Check("progress after the fault", True if went_on else None, "nothing was committed after it")


def _happened_during(trial: Trial) -> list[int]:
    """Count the passages of the ledger that happened during each fault: a fault without any proves nothing."""
    ts, clock = np.asarray(read_ledger(trial.ledgers).passages["true_ts"]), trial.plant.clock
    spans = [(clock.now(each.begun_ms), clock.now(each.ended_ms)) for each in trial.episodes if not each.idle]
    return [int(((ts >= first) & (ts <= last)).sum()) for first, last in spans]


def _kills(trial: Trial) -> int:
    plant = trial.plant
    kept = [*plant.workers, *([plant.wall] if plant.wall else [])]
    return sum(each.kills for each in kept) + sum(server.kills for server in (*plant.brokers, plant.store))


def _memory(trial: Trial) -> int:
    memory = trial.plant.watch.memory
    return max((memory.get(worker.name, 0) for worker in trial.plant.workers), default=0)


def _told(ends: list[End]) -> Iterator[str]:
    """Tell of workers that ended by themselves, and why."""
    for why, times in Counter(end.why[:_MOST_WORDS] for end in ends if not end.ours).most_common(_SHOWN):
        yield f"{times} × ended by itself: {why}"
