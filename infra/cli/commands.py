"""Lists the commands of `gatepulse` with their help, and imports a command's module when it is used.

Each command is the module of its name beside this one. It is imported when it is used, as Kafka's and ClickHouse's
clients, numpy and Faust load slowly (DESIGN.md has the figures).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from typer.core import TyperGroup
from typer.main import get_command

if TYPE_CHECKING:
    from typer._click import Command, Context

COMMANDS: Final = {
    "demo": "Start broker, store, worker and wall on this machine, and play a simulated day.",
    "simulate": "Send a simulated day to Kafka, and record in a ledger what was sent.",
    "verify": "Compare every published count with the ledger; exit 1 and the differences if there are any.",
    "loadtest": "Load Kafka, workers, store and wall, prove every count, and measure latency, lag and resource use.",
    "worker": "Run one worker: read Kafka, write counts into the store, until it is stopped.",
    "wall": "Serve the wall page from the store's views.",
    "foresight": "Forecast each minute how full areas will be and how long people wait, and give advice.",
    "audit": "Recompute the published counts from the raw passages; exit 1 and the differences if there are any.",
    "relay": "Send each change of an alarm to group robots: WeCom, DingTalk, Feishu, signed webhooks.",
    "alerting": "Prometheus and Alertmanager, set up for gatepulse.",
    "doctor": "Check versions, ports, broker, store, schema and clock.",
    "config": "Show the settings.",
    "site": "Check site profiles.",
    "topics": "The topics on the brokers.",
    "schema": "The store's tables and views.",
    "logs": "The partitions of the source topics, and how they are read.",
    "parked": "Rows that the store has refused, in Kafka.",
    "alarms": "Alarm episodes, and how good the alarms are.",
    "advice": "Which lanes to open, and where to send people.",
    "dashboards": "Grafana's dashboards, from code.",
}
"""Name → its description in `gatepulse --help`: the first sentence of the command's own help."""

_EXTRAS: Final = {"dashboards": "grafana"}
"""Command → the optional dependencies that it needs."""


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
    return get_command(module.app)
