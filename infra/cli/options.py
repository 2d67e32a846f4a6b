"""Options and arguments that several commands share: a time of day, the site of the settings or of a scenario."""

import datetime as dt
from typing import Annotated

import typer

from streams.settings import Settings
from streams.site.reader import builtin_sites

SCENARIO = "expo"
SCENARIO_HELP = "The made-up day, with the site that it happens on: expo, hall."
Scenario = Annotated[str, typer.Option(help=SCENARIO_HELP)]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Distort = Annotated[str, typer.Option(help="What goes wrong on the way, e.g. duplicates=5%,disorder=5m.")]
Seed = Annotated[int, typer.Option(help="Another seed, another day.")]


def time_of_day(text: str) -> dt.time:
    """Parse a time like 09:30."""
    try:
        return dt.time.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time of day; expected hh:mm") from None


def site_name(settings: Settings, otherwise: str) -> str:
    """Return the site of the settings, or another profile that comes along where they do not name one."""
    chosen = "site" in settings.model_fields_set or otherwise not in builtin_sites()
    return settings.site if chosen else otherwise
