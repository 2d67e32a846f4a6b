"""Exit codes of the commands, and terminal output: results go to stdout, all else to stderr."""

import enum
import sys
from typing import Final, NoReturn

from rich.console import Console

OUT: Final = Console(highlight=False)
ERR: Final = Console(stderr=True, highlight=False)


class ExitCode(enum.IntEnum):
    """How a command of ours ended: all is well, a check or the work failed, it was asked wrongly."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2


def report(text: str) -> None:
    """Write a line to stderr, as it is."""
    ERR.print(text, markup=False, soft_wrap=True)


def result(well: object) -> ExitCode:
    """Return DONE if it went well, else FAILED."""
    return ExitCode.DONE if well else ExitCode.FAILED


def stop(text: str, code: ExitCode = ExitCode.FAILED) -> NoReturn:
    """End the process with a reason on stderr."""
    report(text)
    sys.exit(code)
