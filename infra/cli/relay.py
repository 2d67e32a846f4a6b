"""The command `gatepulse relay`: sends alarms to group robots, see `infra/relay`."""

from pathlib import Path
from typing import Annotated

import typer

from infra.relay.options import load_options
from infra.relay.run import run
from streams.logging import configure_logging
from streams.settings import load_settings


def relay(
    config: Annotated[Path, typer.Argument(help="A TOML file: robots, and where their secrets stand.")],
    check: Annotated[bool, typer.Option("--check", help="Only check the file and the secrets.")] = False,
) -> None:
    """Send each change of an alarm to group robots: WeCom, DingTalk, Feishu, signed webhooks."""
    options = load_options(config)
    if check:
        typer.echo(
            f"{len(options.robots)} robots: {', '.join(f'{each.name} ({each.type})' for each in options.robots)}"
        )
        return
    configure_logging("info")
    run(options, load_settings().kafka)
