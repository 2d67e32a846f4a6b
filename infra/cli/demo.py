"""The command `gatepulse demo`; what it starts is in `infra/demo`."""

import datetime as dt
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from infra.cli.options import SCENARIO, Distort, Json, Scenario, Seed, time_of_day
from infra.demo.demo import DemoOptions, run_demo
from simulators.scenario.registry import find_scenario


def demo(
    scenario: Scenario = SCENARIO,
    speed: Annotated[float, typer.Option(min=0.1, help="Site seconds a second.")] = 60.0,
    for_: Annotated[float | None, typer.Option("--for", min=1, help="Seconds to play; then verify and end.")] = None,
    state: Annotated[Path | None, typer.Option(help="Keep everything here; go on with it next time.")] = None,
    seed: Seed = 1,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day; today, or that after the last of --state."),
    ] = None,
    start_at: Annotated[
        str | None, typer.Option(help="Site time from which on it is played at speed; before the rush if left out.")
    ] = None,
    distort: Distort = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The wall's port; 0: a free one.")] = 0,
    broker: Annotated[
        Literal["embedded", "kafka"], typer.Option(help="A mock in memory, or a real Kafka.")
    ] = "embedded",
    workers: Annotated[int, typer.Option(min=1, max=4, help="Worker processes; several with --broker kafka.")] = 1,
    relay: Annotated[Path | None, typer.Option(help="A relay's TOML file: alarms go to its robots.")] = None,
    as_json: Json = False,
) -> None:
    """Start broker, store, worker and wall on this machine, and play a simulated day."""
    options = DemoOptions(
        scenario=find_scenario(scenario), speed=speed, for_seconds=for_, state=state, seed=seed,
        date=date.date() if date else None, start_at=time_of_day(start_at) if start_at else None,
        distortion=distort, wall_port=port, as_json=as_json, broker=broker, workers=workers,
        relay=relay,
    )  # fmt: skip
    sys.exit(run_demo(options))
