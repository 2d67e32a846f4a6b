"""The commands `gatepulse alerting write|run`: settings for Prometheus and Alertmanager, or both running at once."""

import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from infra.alerting.chain import Chain
from infra.process.ports import claim
from infra.process.supervisor import Supervisor
from infra.relay.options import load_options
from streams.logging import configure_logging

app = typer.Typer()

Relay = Annotated[Path, typer.Argument(help="The relay's TOML file.")]
Workers = Annotated[list[str] | None, typer.Option("--worker", help="host:port of a worker's metrics; 127.0.0.1:9100.")]
Audits = Annotated[list[str] | None, typer.Option("--audit", help="host:port of an audit's metrics, if there is one.")]
Token = Annotated[
    Path | None, typer.Option(help="The file that the relay's token_file names, as Alertmanager sees it.")
]


@app.command()
def write(
    relay: Relay, directory: Path, worker: Workers = None, audit: Audits = None, token_file: Token = None
) -> None:
    """Write prometheus.yml and alertmanager.yml into a folder, for services of your own."""
    chain = _chain(relay, directory, worker, audit, token_file)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("prometheus.yml", chain.prometheus_config()),
        ("alertmanager.yml", chain.alertmanager_config()),
    ):
        (directory / name).write_text(text, encoding="utf-8")
        typer.echo(directory / name)


@app.command()
def run(
    relay: Relay,
    state: Annotated[Path, typer.Option(help="Prometheus and Alertmanager keep their data here.")] = Path(
        ".gatepulse/alerting"
    ),
    worker: Workers = None,
    audit: Audits = None,
    token_file: Token = None,
) -> None:
    """Run Prometheus, Alertmanager and the relay on this machine until it is stopped, each started again if it ends."""
    configure_logging("warning")
    chain = _chain(relay, state, worker, audit, token_file)
    claim(chain.alertmanager_port, "Alertmanager's port")
    claim(chain.prometheus_port, "Prometheus's port")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), Supervisor() as supervisor:
        for service in chain.services():
            supervisor.start(service)
        typer.echo(f"alarms: Kafka → relay; the platform's own: {chain.addresses['prometheus']} → relay", err=True)
        while True:
            supervisor.wait(3600)


def _chain(
    relay: Path, state: Path, workers: list[str] | None, audits: list[str] | None, token_file: Path | None
) -> Chain:
    return Chain(
        relay_file=relay, options=load_options(relay), state=state, workers=workers or ["127.0.0.1:9100"],
        audits=audits or [], token_file=token_file,
    )  # fmt: skip
