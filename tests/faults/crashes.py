"""Fault scenarios in which processes are killed, or workers are asked to end."""

import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults.catalogue import Layout, Limits, fault
from tests.faults.servers import Server
from tests.faults.trial import Trial

if TYPE_CHECKING:
    from tests.faults.kept import Kept

_LEAST_RATE = 2000.0


@fault("T01")
def killed(trial: Trial) -> None:
    """`kill -9` of the worker at random moments, also while it resumes, flushes and writes checkpoints."""
    worker = trial.plant.worker
    with trial.load(distortion="duplicates=5%,disorder=2s"), trial.fault("killing the worker"):
        for number in range(trial.size(full=20, quick=4)):
            # Every third time it is let get to work first, so that not all moments fall into its start.
            if number % 3 == 0:
                trial.at_work()
            trial.wait(trial.random.uniform(0.0, 2.0))
            trial.kill(worker)
    trial.note(f"{sum(end.lived > 2 for end in worker.ends)} lives longer than 2 s")


@fault("T01x", layout=Layout(workers=2), limits=Limits(recovery=120.0))
def hundred_kills(trial: Trial) -> None:
    """100 kills (`kill -9`) of workers, Kafka and ClickHouse in random order, under 2,000 events a second and more."""
    plant, kills = trial.plant, Counter[str]()
    victims: list[Kept | Server] = [*plant.workers, plant.broker, plant.store]
    with trial.load(rate=2500.0, distortion="duplicates=10%,disorder=5s") as load:
        begun, sent = time.monotonic(), load.events
        with trial.fault("killing at random"):
            for _ in range(trial.size(full=100, quick=6)):
                trial.wait(trial.random.uniform(0.2, 4.0))
                victim = trial.random.choice(victims)
                trial.say(f"{kills.total()} kills, next {victim.name}")
                if isinstance(victim, Server):
                    victim.kill()
                    trial.wait(trial.random.uniform(0.0, 3.0))
                    victim.start()
                else:
                    trial.kill(victim)
                kills[victim.name] += 1
        trial.counted_so_far(120.0)
        rate = (load.events - sent) / (time.monotonic() - begun)
    trial.expect("there was load enough", True if rate >= _LEAST_RATE else None, f"{rate:.0f} events/s")
    trial.note(f"{rate:.0f} events/s; kills: {', '.join(f'{name} {n}' for name, n in sorted(kills.items()))}")


@fault("T04")
def terminated(trial: Trial) -> None:
    """The worker gets SIGTERM in the middle of a batch; it ends in order, within 30 s."""
    worker, slowest, codes = trial.plant.worker, 0.0, Counter[int | None]()
    with trial.load(distortion="duplicates=5%,disorder=2s"):
        for _ in range(trial.size(full=10, quick=4)):
            trial.at_work()
            trial.wait(trial.random.uniform(0.0, 2.0))
            with trial.fault("the worker gets SIGTERM"):
                begun = time.monotonic()
                codes[worker.stop(30.0)] += 1
                slowest = max(slowest, time.monotonic() - begun)
                worker.start()
        trial.counted_so_far()
    trial.expect("it ends within 30 s", slowest < 30.0, f"{slowest:.1f} s")
    trial.expect("its exit code is 0", set(codes) == {0}, f"{dict(codes)}")
    trial.note(f"ended within {slowest:.1f} s")
