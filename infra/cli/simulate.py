"""The command `gatepulse simulate`; how a day is made and sent is in `simulators`."""

import datetime as dt
import json
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import SCENARIO, SCENARIO_HELP, Distort, site_name, time_of_day
from simulators.distortion.settings import Distortion
from simulators.scenario.registry import find_scenario
from simulators.sending import run as sending
from simulators.sending.plan import Plan, site_time
from streams import console
from streams.clock import real_now
from streams.kernels.counts.site_clock import SiteClock
from streams.progress_bar import ProgressBar
from streams.settings import load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site


def simulate(
    scenario: Annotated[str, typer.Argument(help=SCENARIO_HELP)] = SCENARIO,
    speed: Annotated[float | None, typer.Option(min=0.01, help="Site seconds a second; 1 if left out.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Events a second instead.")] = None,
    for_: Annotated[float | None, typer.Option("--for", min=1, help="Seconds to play.")] = None,
    seed: int = 1,
    ledger: Annotated[Path | None, typer.Option(help="A new folder for the ledger of what was sent.")] = None,
    to: Annotated[str | None, typer.Option(help="host:port of the brokers.")] = None,
    date: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; today if left out.")] = None,
    start_at: Annotated[str | None, typer.Option(help="Site time from which on it is played at speed.")] = None,
    distort: Distort = "",
    frame: Annotated[int | None, typer.Option(min=1, help="Events in one message.")] = None,
    follow: Annotated[bool, typer.Option(help="Wait for workers that are behind.")] = False,
) -> None:
    """Send a simulated day to Kafka, and record in a ledger what was sent.

    Where the settings have a clock of the site, the day is played by it. Otherwise --speed and --start-at make one, and
    print it on stderr as the settings that workers and wall need. With --rate the events have the present time.
    """
    settings, played = load_settings(), find_scenario(scenario)
    site = load_site(site_name(settings, played.profile))
    day = date.date() if date else site.days.day(real_now())
    clock = clock_of(settings)
    set_clock = None if clock == SiteClock() else clock
    if set_clock and (speed or start_at):
        raise typer.BadParameter("--speed, --start-at: the settings have a clock already; leave out one or the other")
    plan = Plan(
        played, date=day, seed=seed, speed=speed or 1.0, rate=rate, for_seconds=for_, frame=frame,
        start_at=site_time(site, day, time_of_day(start_at)) if start_at else None, clock=set_clock,
        distortion=Distortion.parse(distort),
    )  # fmt: skip
    with sending.stopping_on_signals() as stop, closing(ProgressBar("simulate")) as bar:
        summary = sending.simulate(
            plan, site, bootstrap=to or settings.kafka.brokers, ledger=ledger, stop=stop,
            report=lambda progress: bar.update(progress.share, progress.text(site.days.zone)),
            consumer_group=settings.kafka.group if follow else None, kafka=settings.kafka.client,
            at_clock=partial(_print_clock_unless, clock),
        )  # fmt: skip
    typer.echo(json.dumps(vars(summary)))


def _print_clock_unless(known: SiteClock, clock: SiteClock) -> None:
    """Print a clock as settings for the other processes, unless they have it already."""
    if clock not in {known, SiteClock()}:
        lines = [f"GATEPULSE_CLOCK__{name.upper()}={value}" for name, value in asdict(clock).items()]
        console.report(f"simulate: workers and wall need these settings: {' '.join(lines)}")
