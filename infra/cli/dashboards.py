"""The commands `gatepulse dashboards build|check|push`: Grafana's dashboards of the configured site, from code.

What is on them is in `dashboards/grafana`.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from dashboards.grafana.files import Sources, dashboards_of, differences, files_of, write
from dashboards.grafana.push import push as push_dashboards
from streams import console
from streams.settings import load_settings
from streams.site.reader import load_site

app = typer.Typer()

_TOKEN_VARIABLE = "GRAFANA_TOKEN"  # noqa: S105 - the name of a variable
_KEPT = Path("dashboards/grafana/build")

_Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the built files.")]
_Prometheus = Annotated[str, typer.Option(help="Where Grafana finds Prometheus.")]
_Installed = Annotated[str, typer.Option(help="Where DIR/dashboards will be on Grafana's machine.")]


class NoTokenError(ValueError):
    """No token for Grafana was given; the message lists where to set it."""


@app.command()
def build(
    directory: _Directory = _KEPT, prometheus: _Prometheus = Sources.prometheus, path: _Installed = Sources.dashboards
) -> None:
    """Write the dashboards and Grafana's provisioning files into a folder."""
    for file in write(directory, _files(prometheus, path)):
        typer.echo(file)


@app.command()
def check(
    directory: _Directory = _KEPT, prometheus: _Prometheus = Sources.prometheus, path: _Installed = Sources.dashboards
) -> None:
    """Compare a folder with what `build` would write; exit 1 when a file is missing or old."""
    found = differences(directory, _files(prometheus, path))
    for sentence in found:
        typer.echo(sentence)
    if found:
        console.stop(f"Run `gatepulse dashboards build {directory}`. / 请运行该命令重新生成。")


@app.command()
def push(
    url: Annotated[str, typer.Option(help="Grafana's address, such as http://127.0.0.1:3000.")],
    token_file: Annotated[
        Path | None, typer.Option(help=f"Holds a service account's token; {_TOKEN_VARIABLE} if left out.")
    ] = None,
) -> None:
    """Put the dashboards into a running Grafana, over older ones of ours; data sources are for `build`."""
    site = load_site(load_settings().site)
    for address in push_dashboards(url, _token(token_file), dashboards_of(site)):
        typer.echo(address)


def _files(prometheus: str, path: str) -> dict[str, str]:
    settings = load_settings()
    store = settings.store
    sources = Sources(store.host, store.port, store.reader, prometheus, path)
    return files_of(load_site(settings.site), sources)


def _token(file: Path | None) -> str:
    """Return the token, which is never shown. Raises NoTokenError."""
    try:
        token = os.environ.get(_TOKEN_VARIABLE, "") if file is None else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NoTokenError(f"--token-file {file}: cannot be read ({type(error).__name__}).") from None
    if not token.strip().isascii() or not token.strip():
        raise NoTokenError(
            f"No token for Grafana: set {_TOKEN_VARIABLE}, or give --token-file with the token of a service account "
            "with the role Editor. / 缺少 Grafana 令牌。"
        )
    return token.strip()
