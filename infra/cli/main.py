"""The command `gatepulse`: lists its commands, runs the one that is used, and reports any error in one sentence.

Each command is the module of its name beside this one: a function of that name, or `app` with several commands. It is
imported when it is used, as Kafka's and ClickHouse's clients, numpy and Faust load slowly (DESIGN.md has the figures).
"""

import errno
from importlib import import_module
from typing import TYPE_CHECKING, Final, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

from streams import console
from streams.console import ExitCode
from streams.logging import OURS, configure_logging, traceback_of

if TYPE_CHECKING:
    from typer._click import Command, Context

COMMANDS: Final = {
    "demo": "Start broker, store, worker and wall on this machine, and play a simulated day.",
    "simulate": "Send a simulated day to Kafka, and record in a ledger what was sent.",
    "verify": "Compare every published count with the ledger; list the differences and exit 1 if there are any.",
    "loadtest": "Load Kafka, workers, store and wall, prove every count, and measure latency, lag and resource use.",
    "worker": "Run one worker: read Kafka, write counts into the store, until it is stopped.",
    "wall": "Serve the wall page from the store's views.",
    "foresight": "Forecast each minute how full areas will be and how long people wait, and give advice.",
    "audit": "Recompute the published counts from raw passages; list the differences and exit 1 if there are any.",
    "relay": "Send each change of an alarm to group robots: WeCom, DingTalk, Feishu, signed webhooks.",
    "alerting": "Run Prometheus and Alertmanager, set up for gatepulse.",
    "doctor": "Check versions, ports, broker, store, schema and clock.",
    "config": "Show the settings.",
    "site": "Check site profiles.",
    "topics": "Create and check the topics on the brokers.",
    "schema": "Create and check the store's tables and views.",
    "logs": "Show which partitions are read, and accept losses.",
    "parked": "List and store the rows that the store has refused.",
    "alarms": "List and acknowledge alarms, and evaluate the rules.",
    "advice": "List advice on lanes and diversions, and note decisions.",
    "dashboards": "Build, check and push Grafana's dashboards.",
}
"""Name → its description in `gatepulse --help`: of a single command the first sentence of its own help."""

_EXTRAS: Final = {"dashboards": "grafana"}
"""Command → the optional dependencies that it needs."""

_CLIENTS = {"kafka", "aiokafka"}
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class ExtraMissing(RuntimeError):
    """A command needs optional dependencies that are not installed; the message explains how to install them."""


class CommandsOnUse(TyperGroup):
    """A group that knows its commands by name and sentence, and imports the module of the one that is used."""

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """Return the name, the loaded command and its arguments."""
        name, known, rest = super().resolve_command(ctx, args)
        return name, None if known is None else load(str(known.name)), rest


def load(name: str) -> "Command":
    """Import a command's module, and return the command. Raises ExtraMissing."""
    try:
        module = import_module(f"infra.cli.{name}")
    except ModuleNotFoundError as error:
        if name not in _EXTRAS:
            raise
        extra = f"gatepulse[{_EXTRAS[name]}]"
        raise ExtraMissing(f"{error.name} is not installed: run `pip install '{extra}'`. / 请安装 {extra}。") from None
    if hasattr(module, "app"):
        group = get_group(module.app)
        group.help, group.no_args_is_help = COMMANDS[name], True
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(name)(getattr(module, name))
    return get_command(alone)


app = typer.Typer(cls=CommandsOnUse, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def gatepulse() -> None:
    """Count who enters a place through its gates, live, and show it.

    Data goes to stdout, progress and logs to stderr. Exit code 0: done; 1: a check failed; 2: wrong usage.
    """


for _name, _sentence in COMMANDS.items():
    app.command(_name, help=_sentence)(lambda: None)  # it stands for the command in the list


def main() -> None:
    """Run the command; of an error that is meant for people print what went wrong and what to do, no traceback."""
    configure_logging("warning")
    try:
        app()
    except Exception as error:  # noqa: BLE001  # an unexpected error is reported without values of events
        package = type(error).__module__.split(".")[0]  # "__main__" of errors that stand here
        if package in {*OURS, "__main__"} and not getattr(error, "quotes_events", False):
            _stop(str(error), ExitCode.WRONG_USAGE if isinstance(error, ValueError) else ExitCode.FAILED)
        if package in _CLIENTS:
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
