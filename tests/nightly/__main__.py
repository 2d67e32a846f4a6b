"""Everything that takes long, one after the other: `python -m tests.nightly [--minutes 60] [--faults]`.

Exit code 0 only if all of it passed. A seed that is printed repeats the operations; histories are numbered by theirs.
"""

import argparse
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console

_HISTORIES_A_MINUTE: Final = 200_000 / 60


def steps(options: argparse.Namespace) -> Iterator[tuple[str, list[str]]]:
    """List what is run, as arguments of Python."""
    minutes, seeds = options.minutes, round(options.minutes * _HISTORIES_A_MINUTE)
    yield (
        f"{minutes:g} minutes of random operations",
        ["-m", "tests.nightly.operations", "--minutes", f"{minutes:g}", "--seed", str(options.seed)],
    )
    yield f"{seeds:,} histories", ["-m", "tests.histories", "--seeds", f"0:{seeds}", "--jobs", "2"]
    if options.faults:
        yield "every fault in full", ["-m", "tests.faults"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m tests.nightly", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="of operations; histories by as much")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), metavar="N", help="of the operations")
    parser.add_argument("--faults", action="store_true", help="every fault in its full size, too: hours")
    options = parser.parse_args(arguments)
    console, failed = Console(stderr=True, highlight=False), []
    for name, command in steps(options):
        console.rule(name)
        begun = time.monotonic()
        if subprocess.run([sys.executable, *command], check=False).returncode:
            failed.append(name)
        console.print(f"{name}: {time.monotonic() - begun:.0f} s")
    console.print(f"failed: {', '.join(failed)}" if failed else "all passed", style="bold")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
