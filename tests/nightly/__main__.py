"""Runs all long tests one after the other: `python -m tests.nightly [--minutes 60] [--quick]`.

The tests of this folder, every property with far more examples, histories, and every fault in full; docs/tests.md says
which tests of `make test` cover the same. Exit code 0 only if all of it passed. A seed that is printed repeats the
faults; histories are numbered by theirs.
"""

import argparse
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

_HISTORIES_A_MINUTE: Final = 200_000 / 60
_TESTS: Final = ("-m", "pytest", "--numprocesses", "2")
_HERE: Final = Path(__file__).parent


def steps(options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """List what is run, as arguments of Python."""
    minutes, seeds = options.minutes, round(options.minutes * _HISTORIES_A_MINUTE)
    yield "tests that take long", [*_TESTS, str(_HERE)]
    yield "every property with more examples", [*_TESTS, "-m", "hypothesis"]
    yield f"{seeds:,} histories", ["-m", "tests.histories", "--seeds", f"0:{seeds}", "--jobs", "2"]
    faults = ["-m", "tests.faults", "--minutes", f"{minutes:g}", "--seed", str(options.seed)]
    yield "every fault", [*faults, *(["--quick"] if options.quick else [])]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m tests.nightly", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=60.0, metavar="N", help="of random operations and of the soak; histories by it"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), metavar="N", help="of the faults")
    parser.add_argument("--quick", action="store_true", help="faults in their small sizes: an hour instead of a night")
    options = parser.parse_args(arguments)
    console, failed = Console(stderr=True, highlight=False), []
    for name, command in steps(options):
        console.rule(name)
        begun = time.monotonic()
        environment = os.environ | {"TESTS_SIZE": "nightly"}
        if subprocess.run([sys.executable, *command], env=environment, check=False).returncode:
            failed.append(name)
        console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    console.print(f"failed: {', '.join(failed)}" if failed else "all passed", style="bold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
