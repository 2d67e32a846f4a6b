"""The command `gatepulse`: runs a command of `commands.py`, and reports any error in one sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from infra.cli.commands import COMMANDS, CommandsOnUse
from streams import console
from streams.console import ExitCode
from streams.logging import configure_logging, traceback_of

_OURS = {"infra", "streams", "sinks", "simulators", "dashboards"}
_CLIENTS = {"kafka", "aiokafka"}
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


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
    """Print what went wrong and what to do, without a traceback, for every error that is meant for people."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # an unexpected error is reported without values of events
        if type(error).__module__.split(".")[0] in _OURS and not getattr(error, "quotes_events", False):
            _stop(str(error), ExitCode.WRONG_USAGE if isinstance(error, ValueError) else ExitCode.FAILED)
        if type(error).__module__.split(".")[0] in _CLIENTS:
            name = type(error).__name__
            _stop(f"the brokers do not answer ({name}): see whether they run, and whether kafka.brokers names them")
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            where = error.filename or "the disk that is written to"
            _stop(f"{where}: {error.strerror}. Make room there, or choose another place.")
        _stop(traceback_of(error))


def _stop(text: str, code: ExitCode = ExitCode.FAILED) -> NoReturn:
    console.stop(f"gatepulse: {text}", code)


if __name__ == "__main__":
    main()
