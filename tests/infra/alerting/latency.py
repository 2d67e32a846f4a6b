"""`python -m tests.infra.alerting.latency [N]` measures how long a change takes from the worker's metrics to a robot.

Real Prometheus, Alertmanager and relay; N episodes (30) are raised one after the other, at any moment of the second.
"""

import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.infra.alerting.test_delivery import Way

EVERY = 4.2  # s; a robot takes 15 messages a minute without a wait


def measure(count: int) -> list[float]:
    """Return the seconds that each took, the slowest last."""
    draw = random.Random(1)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        way = Way(Path(folder), stack)
        way.change(1, episode="first")
        way.await_all()
        way.took.clear()
        for number in range(count):
            time.sleep(EVERY + draw.random())
            way.change(1, episode=f"silence:N{number}:1762909300000", subject=f"N{number}", rule="silence")
            way.await_all()
        return sorted(way.took)


if __name__ == "__main__":
    took = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
    worst, most = took[int(0.9 * len(took))], took[-1]
    print(f"n {len(took)}, median {statistics.median(took):.2f} s, p90 {worst:.2f} s, most {most:.2f} s")  # noqa: T201
