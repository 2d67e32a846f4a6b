"""The command `gatepulse relay`: brings alarms to group robots, see `infra/relay`."""

from pathlib import Path
from typing import Annotated

import typer

from streams.logging import configure_logging


def relay(
    config: Annotated[Path, typer.Argument(help="A TOML file: robots, and where their secrets stand.")],
    check: Annotated[bool, typer.Option("--check", help="Only check the file and the secrets.")] = False,
) -> None:
    """Take alerts from Alertmanager and tell group robots of them: WeCom, DingTalk, Feishu, signed webhooks."""
    from infra.relay.options import load_options  # noqa: PLC0415
    from infra.relay.run import run  # noqa: PLC0415  # the web server loads slowly

    options = load_options(config)
    if check:
        typer.echo(
            f"{len(options.robots)} robots: {', '.join(f'{each.name} ({each.type})' for each in options.robots)}"
        )
        return
    configure_logging("info")
    run(options)
