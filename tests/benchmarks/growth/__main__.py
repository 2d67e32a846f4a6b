"""Measures growth and writes docs/growth.md: `python -m tests.benchmarks.growth kernels|chain|page [--quick]`."""

import argparse
import sys
import time
from typing import Final

from tests.benchmarks.growth import chain, kept, page
from tests.benchmarks.growth.cases import Measured, cases_of
from tests.benchmarks.growth.kernels import run_cases
from tests.benchmarks.growth.tables import microseconds

_QUICK: Final = 40_000
"""Passages of a case at most when it is only to be seen that all of it runs."""
_ALL: Final = 10_000_000


def kernels(*, quick: bool) -> None:
    """Measure the kernels, and keep what came of it."""
    began = time.monotonic()
    results = run_cases(cases_of(most=_QUICK if quick else _ALL), _say_case)
    kept.keep(kept.Run(results, time.monotonic() - began, quick), "kernels")


def whole_chain(*, quick: bool) -> None:
    """Measure the chain, and keep what came of it."""
    began, results = time.monotonic(), []
    for asked in chain.passes_of(quick=quick):
        results.append(chain.measure(asked))
        _say(f"{asked}: {results[-1].rate:,.0f} passages a second")
    kept.keep(kept.Run(results, time.monotonic() - began, quick), "chain")


def main(arguments: list[str]) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.growth", description=__doc__)
    parser.add_argument("what", choices=["kernels", "chain", "page"], help="page: write it anew from what is kept")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that it runs; figures mean nothing")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    if given.what == "kernels":
        kernels(quick=given.quick)
    if given.what == "chain":
        whole_chain(quick=given.quick)
    page.write()
    _say(f"took {time.monotonic() - began:.0f} s; see {kept.PAGE}")


def _say_case(measured: Measured) -> None:
    _say(f"{measured.case}: {microseconds(measured):.1f} µs a passage")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
