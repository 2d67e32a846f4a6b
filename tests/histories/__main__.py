"""Plays histories and shrinks any that fails: `python -m tests.histories --seeds 0:2000 --jobs 2`."""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import structlog

from tests.histories.history import draw, play
from tests.histories.network import ViolationError
from tests.histories.shrink import failure, report, shrink

_CHUNK = 25


def run(first: int, after: int) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Play the histories of some seeds; return how workers ended, and the failures by seed."""
    ends: Counter[str] = Counter()
    failures: list[tuple[str, str]] = []
    gc.disable()
    with quiet():
        for seed in map(str, range(first, after)):
            try:
                ends.update(why for _, why in play(draw(seed)).ends)
            except (Exception, ViolationError) as error:  # noqa: BLE001  # all that is wrong is a failure
                failures.append((seed, f"{type(error).__name__}: {error}"))
    gc.enable()
    gc.collect()
    return ends, failures


@contextmanager
def quiet() -> Iterator[None]:
    """Let the product's log be empty but for what would end it."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    try:
        yield
    finally:
        structlog.configure(**before)


def run_all(first: int, after: int, *, jobs: int) -> Iterator[tuple[int, Counter[str], list[tuple[str, str]]]]:
    """Play in several processes; yield how many are done with what came of them."""
    starts = range(first, after, _CHUNK)
    ends = [min(start + _CHUNK, after) for start in starts]
    if jobs == 1:
        for start, end in zip(starts, ends, strict=True):
            yield end - start, *run(start, end)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for start, end, (how, failures) in zip(starts, ends, pool.map(run, starts, ends), strict=True):
            yield end - start, how, failures


def main() -> int:
    """Play what the command line says; 1 if a history failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories", description=__doc__)
    parser.add_argument("--seeds", default="0:2000", help="from:to, or one seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--failures", type=int, default=1, help="stop after so many")
    chosen = parser.parse_args()
    first, _, after = chosen.seeds.partition(":")
    begin, end = int(first), int(after or int(first) + 1)
    started, done, ends = time.monotonic(), 0, Counter[str]()
    failed: list[tuple[str, str]] = []
    for number, how, failures in run_all(begin, end, jobs=chosen.jobs):
        done, ends, failed = done + number, ends + how, failed + failures
        rate = done / (time.monotonic() - started)
        sys.stderr.write(f"\r{done:,} of {end - begin:,} histories, {rate:.0f} a second, {len(failed)} failed ")
        sys.stderr.flush()
        if len(failed) >= chosen.failures:
            break
    sys.stderr.write(f"\nworkers ended: {dict(ends.most_common())}\n")
    with quiet():
        for seed, why in failed[: chosen.failures]:
            small = shrink(draw(seed))
            report(seed, f"{why}\nmade small: {failure(small)}", small)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
