"""The command `gatepulse loadtest`; how it measures is in `infra/loadtest`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from infra.cli.options import SCENARIO, Distort, Json, Scenario, Seed
from infra.loadtest.options import LoadOptions
from infra.loadtest.run import run_loadtest
from simulators.scenario.registry import find_scenario
from streams.settings import load_settings


def loadtest(
    rate: Annotated[float | None, typer.Option(min=10, help="Events a second; 1000 if left out.")] = None,
    times: Annotated[float | None, typer.Option(min=0.1, help="The scenario's own curve, so many times.")] = None,
    for_: Annotated[
        float | None, typer.Option("--for", min=3, help="Seconds: 30, or 8 for each step of a ramp.")
    ] = None,
    shape: Annotated[
        Literal["steady", "burst", "ramp-to-limit"], typer.Option(help="How the rate goes over time.")
    ] = "steady",
    distort: Distort = "",
    workers: Annotated[int, typer.Option(min=1, max=4, help="Worker processes; several with a real Kafka.")] = 1,
    broker: Annotated[
        Literal["embedded", "kafka"] | None, typer.Option(help="Left out: a real Kafka if Java and Maven are here.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=16, help="Generators; by the rate if left out.")] = None,
    frame: Annotated[int, typer.Option(min=1, max=500, help="Events in one message.")] = 1,
    scenario: Scenario = SCENARIO,
    seed: Seed = 1,
    to: Annotated[
        Literal["own", "existing"], typer.Option(help="Processes of its own, or the brokers and store of the settings.")
    ] = "own",
    really: Annotated[bool, typer.Option("--really", help="With --to existing: elsewhere, too.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep ledgers and logs in this folder.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Load Kafka, workers, store and wall, prove every count, and measure latency, lag and resource use.

    Exit 0 only if every view equals what was sent. With --to existing at most a million events and 600 s.
    """
    options = LoadOptions(
        rate=rate, times=times, for_seconds=for_, shape=shape, distortion=distort, workers=workers, broker=broker,
        processes=processes, frame=frame, scenario=find_scenario(scenario), seed=seed, keep=keep, report=report,
        as_json=as_json, settings=load_settings() if to == "existing" else None, really=really,
    )  # fmt: skip
    sys.exit(run_loadtest(options))
