"""Fault scenarios in which workers join, leave, hang and come back."""

import signal
import time

from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.trial import Trial

_STUCK = 60.0


@fault("T02", layout=Layout(workers=2))
def killed_in_rebalance(trial: Trial) -> None:
    """Two workers become three, then one; some are killed (`kill -9`) while the group still rebalances."""
    plant, slowest = trial.plant, 0.0
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        for _ in range(trial.size(full=5, quick=1)):
            with trial.fault("two become three, and one is killed meanwhile"):
                third = plant.add_worker()
                trial.wait(trial.random.uniform(1.0, 4.0))
                trial.kill(trial.random.choice([*plant.workers[:2], third]))
            slowest = max(slowest, trial.counted_so_far(_STUCK))
            stays, leaves, dies = trial.random.sample([*plant.workers[:2], third], 3)
            with trial.fault("three become one: one leaves, one dies, and the last is killed meanwhile"):
                leaves.stop(30.0)
                trial.wait(trial.random.uniform(0.0, 2.0))
                dies.stop(0.0)
                trial.wait(trial.random.uniform(0.0, 7.0))  # the group waits a session for the one that died
                trial.kill(stays)
            slowest = max(slowest, trial.counted_so_far(_STUCK))
            for worker in plant.workers[:2]:
                worker.start()
            third.stop(30.0)
            trial.counted_so_far(_STUCK)
    trial.note(f"every partition resumed after {slowest:.0f} s at most")


@fault("T03", layout=Layout(workers=2))
def stopped(trial: Trial) -> None:
    """A worker is stopped (SIGSTOP) for 90 s, another takes over, and the first continues unaware."""
    stale = trial.plant.worker
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.counted_so_far()
        with trial.fault("one worker is stopped"):
            begun = time.monotonic()
            stale.signal(signal.SIGSTOP)
            try:
                trial.counted_so_far()  # of every partition: the other one took over
                trial.wait(begun + trial.size(full=90.0, quick=15.0) - time.monotonic())
            finally:
                stale.signal(signal.SIGCONT)
        trial.counted_so_far()
        trial.wait(trial.size(full=20.0, quick=8.0))


@fault("T26", layout=Layout(workers=2), limits=Limits(recovery=60.0))
def flapping(trial: Trial) -> None:
    """One of two workers ends every 20 s for 10 min, by `kill -9` and by SIGTERM in turn, and comes back."""
    flapper, every = trial.plant.worker, trial.size(full=20.0, quick=6.0)
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        trial.counted_so_far()
        usual = _pace(trial, trial.size(full=60.0, quick=10.0))
        with trial.fault("a worker comes and goes"):
            begun, done = time.monotonic(), trial.done
            for number in range(trial.size(full=30, quick=7)):
                if number % 2:
                    flapper.stop(30.0)
                    flapper.start()
                else:
                    trial.kill(flapper)
                trial.wait(every)
            meanwhile = (trial.done - done) / (time.monotonic() - begun)
    trial.expect(
        "progress is at least half", meanwhile >= usual / 2, f"{meanwhile:.0f} messages/s, {usual:.0f} undisturbed"
    )
    trial.note(f"{meanwhile:.0f} messages/s, {usual:.0f} undisturbed")


def _pace(trial: Trial, seconds: float) -> float:
    """Return how many messages a second are committed."""
    begun, done = time.monotonic(), trial.done
    trial.wait(seconds)
    return (trial.done - done) / (time.monotonic() - begun)
