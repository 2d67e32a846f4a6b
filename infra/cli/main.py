"""The command `gatepulse`: runs a command of `commands.py`, and turns errors into one sentence."""

import errno
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from rich.console import Console

from infra.cli.commands import COMMANDS, CommandsOnUse
from streams.logging import configure_logging, traceback_of

_WRONG_USAGE = 2
_FAILED = 1
_OURS = {"infra", "streams", "sinks", "simulators", "dashboards"}
_CLIENTS = {"kafka", "aiokafka"}
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_err = Console(stderr=True, highlight=False)


app = typer.Typer(cls=CommandsOnUse, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def gatepulse() -> None:
    """Count who enters a place through its gates, live, and show it.

    Data goes to stdout, progress and logs to stderr. Exit code 0: done; 1: a check failed; 2: wrong usage.
    """


def _only_listed() -> None:
    """Stand for a command in the list of commands."""


for _name, _sentence in COMMANDS.items():
    app.command(_name, help=_sentence)(_only_listed)


def main() -> None:
    """Run the command."""
    configure_logging("warning")
    with _one_sentence():
        app()


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Say what went wrong and what to do, without a traceback, for every error that is meant for people."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever nobody expected is said without values of events
        if type(error).__module__.split(".")[0] in _OURS and not getattr(error, "quotes_events", False):
            _stop(str(error), _WRONG_USAGE if isinstance(error, ValueError) else _FAILED)
        if type(error).__module__.split(".")[0] in _CLIENTS:
            name = type(error).__name__
            _stop(
                f"the brokers do not answer ({name}): see whether they run, and whether kafka.brokers names them",
                _FAILED,
            )
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            where = error.filename or "the disk that is written to"
            _stop(f"{where}: {error.strerror}. Make room there, or choose another place.", _FAILED)
        _stop(traceback_of(error), _FAILED)


def _stop(text: str, code: int) -> NoReturn:
    _err.print(f"gatepulse: {text}", markup=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
