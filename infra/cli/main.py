"""The command `gatepulse`: each subcommand reads its settings, calls one function, and turns errors into one sentence.

Data goes to stdout, progress and logs to stderr. Exit code 0: done; 1: a check failed; 2: wrong usage.
"""

import datetime as dt
import errno
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console

from infra.cli.alarms import alarms_app
from infra.cli.alerting import alerting_app
from infra.cli.audit import audit
from infra.cli.dashboards import dashboards_app
from infra.cli.forecast import advice_app, foresight
from infra.cli.logs import logs_app
from infra.cli.parked import parked_app
from infra.cli.relay import relay
from streams.kernels.counts.site_clock import SiteClock
from streams.logging import configure_logging, traceback_of
from streams.settings import Settings, load_settings
from streams.site.reader import builtin_sites, describe_site, load_site

if TYPE_CHECKING:
    from streams.site.model import Site

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
site_app = typer.Typer(no_args_is_help=True, help="Site profiles.")
schema_app = typer.Typer(no_args_is_help=True, help="The store's tables and views.")
config_app = typer.Typer(no_args_is_help=True, help="Settings.")
topics_app = typer.Typer(no_args_is_help=True, help="The topics on the brokers.")
app.add_typer(site_app, name="site")
app.add_typer(schema_app, name="schema")
app.add_typer(config_app, name="config")
app.add_typer(topics_app, name="topics")
app.add_typer(logs_app, name="logs")
app.add_typer(parked_app, name="parked")
app.add_typer(alarms_app, name="alarms")
app.add_typer(advice_app, name="advice")
app.add_typer(dashboards_app, name="dashboards")
app.command()(audit)
app.command()(foresight)
app.add_typer(alerting_app, name="alerting")
app.command()(relay)

_WRONG_USAGE = 2
_FAILED = 1
_OURS = {"infra", "streams", "sinks", "simulators", "dashboards"}
_CLIENTS = {"kafka", "aiokafka"}
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_err = Console(stderr=True, highlight=False)

_SCENARIO = "expo"
_SCENARIO_HELP = "The made-up day, with the site that it happens on: expo, hall."

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def main() -> None:
    """Run the command."""
    configure_logging("warning")
    with _one_sentence():
        app()


@contextmanager
def _one_sentence() -> Iterator[None]:
    """Say what went wrong and what to do, without a traceback, for every error that is meant for people."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  # whatever nobody expected is said without values of events
        if type(error).__module__.split(".")[0] in _OURS and not getattr(error, "quotes_events", False):
            _stop(str(error), _WRONG_USAGE if isinstance(error, ValueError) else _FAILED)
        if type(error).__module__.split(".")[0] in _CLIENTS:
            name = type(error).__name__
            _stop(
                f"the brokers do not answer ({name}): see whether they run, and whether kafka.brokers names them",
                _FAILED,
            )
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            where = error.filename or "the disk that is written to"
            _stop(f"{where}: {error.strerror}. Make room there, or choose another place.", _FAILED)
        _stop(traceback_of(error), _FAILED)


def _stop(text: str, code: int) -> NoReturn:
    _err.print(f"gatepulse: {text}", markup=False, soft_wrap=True)
    sys.exit(code)


def _store(settings: Settings) -> tuple[Any, Any]:
    from streams.connections import addresses  # noqa: PLC0415  # Kafka's and ClickHouse's clients load slowly

    return addresses(settings)


@app.command()
def demo(
    scenario: Annotated[str, typer.Option(help=_SCENARIO_HELP)] = _SCENARIO,
    speed: Annotated[float, typer.Option(min=0.1, help="Site seconds a second.")] = 60.0,
    for_: Annotated[float | None, typer.Option("--for", min=1, help="Seconds to play; then verify and end.")] = None,
    state: Annotated[Path | None, typer.Option(help="Keep everything here; go on with it next time.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    date: Annotated[
        dt.datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day; today, or that after the last of --state."),
    ] = None,
    start_at: Annotated[
        str | None, typer.Option(help="Site time from which on it is played at speed; before the rush if left out.")
    ] = None,
    distort: Annotated[str, typer.Option(help="What goes wrong on the way, e.g. duplicates=5%,disorder=5m.")] = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The wall's port; 0: a free one.")] = 0,
    broker: Annotated[
        Literal["embedded", "kafka"], typer.Option(help="A mock in memory, or a real Kafka.")
    ] = "embedded",
    workers: Annotated[int, typer.Option(min=1, max=4, help="Worker processes; several with --broker kafka.")] = 1,
    relay: Annotated[Path | None, typer.Option(help="A relay's TOML file: alarms go to its robots.")] = None,
    as_json: Json = False,
) -> None:
    """Bring a venue to life on this machine: broker, store, worker, wall and a simulated day."""
    from infra.demo.demo import DemoOptions, run_demo  # noqa: PLC0415
    from simulators.scenario.registry import find_scenario  # noqa: PLC0415

    options = DemoOptions(
        scenario=find_scenario(scenario), speed=speed, for_seconds=for_, state=state, seed=seed,
        date=date.date() if date else None, start_at=_time(start_at) if start_at else None,
        distortion=distort, wall_port=port, as_json=as_json, broker=broker, workers=workers,
        relay=relay,
    )  # fmt: skip
    sys.exit(run_demo(options))


def _time(text: str) -> dt.time:
    try:
        return dt.time.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a time of day; expected hh:mm") from None


@app.command()
def worker() -> None:
    """Run one worker: Kafka in, counts into the store, until it is told to stop."""
    from streams.worker.main import run  # noqa: PLC0415

    run(load_settings())


@app.command()
def wall() -> None:
    """Serve the wall page from the store's views."""
    from dashboards.wall.http.run import run_wall  # noqa: PLC0415
    from dashboards.wall.model.options import WallOptions  # noqa: PLC0415
    from streams.operations.alarm_commands import send  # noqa: PLC0415

    settings = load_settings()
    configure_logging(settings.log.level)
    _, reader = _store(settings)
    options = WallOptions(
        language=settings.wall.language,
        stale_after_s=settings.wall.stale_after_seconds,
        clock=SiteClock(**settings.clock.model_dump()),
        acknowledge=settings.wall.acknowledge,
    )
    site = load_site(settings.site)
    run_wall(
        reader, site, options, host=settings.wall.host, port=settings.wall.port, ready=_announce,
        send=partial(send, settings.kafka),
    )  # fmt: skip


def _announce(url: str) -> None:
    _err.print(f"wall: {url}", markup=False, soft_wrap=True)


@app.command()
def simulate(
    scenario: Annotated[str, typer.Argument(help=_SCENARIO_HELP)] = _SCENARIO,
    speed: Annotated[float | None, typer.Option(min=0.01, help="Site seconds a second; 1 if left out.")] = None,
    rate: Annotated[float | None, typer.Option(min=0.1, help="Events a second instead.")] = None,
    for_: Annotated[float | None, typer.Option("--for", min=1, help="Seconds to play.")] = None,
    seed: int = 1,
    ledger: Annotated[Path | None, typer.Option(help="A new folder for the truth.")] = None,
    to: Annotated[str | None, typer.Option(help="host:port of the brokers.")] = None,
    date: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day; today if left out.")] = None,
    start_at: Annotated[str | None, typer.Option(help="Site time from which on it is played at speed.")] = None,
    distort: Annotated[str, typer.Option(help="What goes wrong on the way, e.g. duplicates=5%,disorder=5m.")] = "",
    frame: Annotated[int | None, typer.Option(min=1, help="Events in one message.")] = None,
    follow: Annotated[bool, typer.Option(help="Wait for workers that are behind.")] = False,
) -> None:
    """Send a simulated day to Kafka, and keep the truth.

    Where the settings have a clock of the site, the day is played by it. Otherwise --speed and --start-at set one, and
    workers and wall must be told: it is printed on stderr as settings. With --rate the events have the present time.
    """
    from simulators.distortion.settings import Distortion  # noqa: PLC0415
    from simulators.scenario.registry import find_scenario  # noqa: PLC0415
    from simulators.sending.plan import Plan, site_time  # noqa: PLC0415
    from simulators.sending.progress import report_on_stderr  # noqa: PLC0415
    from simulators.sending.run import simulate as play  # noqa: PLC0415
    from simulators.sending.run import stopping_on_signals  # noqa: PLC0415

    settings, played = load_settings(), find_scenario(scenario)
    site = load_site(_site_name(settings, played.profile))
    day = date.date() if date else site.days.day(round(time.time() * 1000))
    clock = _clock(settings)
    if clock and (speed or start_at):
        raise typer.BadParameter("--speed, --start-at: the settings have a clock already; leave out one or the other")
    plan = Plan(
        played, date=day, seed=seed, speed=speed or 1.0, rate=rate, for_seconds=for_, frame=frame,
        start_at=site_time(site, day, _time(start_at)) if start_at else None, clock=clock,
        distortion=Distortion.parse(distort),
    )  # fmt: skip
    report = report_on_stderr(site.time_zone)
    with stopping_on_signals() as stop:
        summary = play(
            plan, site, bootstrap=to or settings.kafka.brokers, ledger=ledger, stop=stop, report=report,
            consumer_group=settings.kafka.group if follow else None, kafka=settings.kafka.client,
            at_clock=_tell_clock(clock),
        )  # fmt: skip
    report.close()
    typer.echo(json.dumps(vars(summary)))


def _clock(settings: Settings) -> SiteClock | None:
    """Return the site's clock of the settings, None if it is real time."""
    clock = SiteClock(**settings.clock.model_dump())
    return None if clock == SiteClock() else clock


def _tell_clock(known: SiteClock | None) -> Callable[[SiteClock], None]:
    """Return what prints a clock as settings for the other processes, unless they have it already."""

    def tell(clock: SiteClock) -> None:
        if clock not in {known, SiteClock()}:
            told = [f"GATEPULSE_CLOCK__{name.upper()}={value}" for name, value in asdict(clock).items()]
            _err.print(f"simulate: workers and wall need these settings: {' '.join(told)}", soft_wrap=True)

    return tell


@app.command()
def verify(
    ledger: Annotated[Path, typer.Option(help="A ledger, or a folder of several.")], as_json: Json = False
) -> None:
    """Compare every published count with the ledger; exit 1 and the differences if there are any."""
    from simulators.ledger.ledger import site_of  # noqa: PLC0415
    from simulators.verify.fates import Limits  # noqa: PLC0415
    from simulators.verify.verify import run_verify  # noqa: PLC0415
    from sinks.clickhouse import ClickHouseReader  # noqa: PLC0415

    settings = load_settings()
    _, reader = _store(settings)
    site, limits = load_site(_site_name(settings, site_of(ledger))), Limits.of(settings.time)
    sys.exit(run_verify(ledger, ClickHouseReader(reader), site, limits=limits, as_json=as_json))


def _site_name(settings: Settings, otherwise: str) -> str:
    """Return the site of the settings, or another profile that comes along where they do not name one."""
    chosen = "site" in settings.model_fields_set or otherwise not in builtin_sites()
    return settings.site if chosen else otherwise


@app.command()
def loadtest(
    rate: Annotated[float | None, typer.Option(min=10, help="Events a second; 1000 if left out.")] = None,
    times: Annotated[float | None, typer.Option(min=0.1, help="The scenario's own curve, so many times.")] = None,
    for_: Annotated[
        float | None, typer.Option("--for", min=3, help="Seconds: 30, or 8 for each step of a ramp.")
    ] = None,
    shape: Annotated[
        Literal["steady", "burst", "ramp-to-limit"], typer.Option(help="How the rate goes over time.")
    ] = "steady",
    distort: Annotated[str, typer.Option(help="What goes wrong on the way, e.g. duplicates=5%,disorder=2s.")] = "",
    workers: Annotated[int, typer.Option(min=1, max=4, help="Worker processes; several with a real Kafka.")] = 1,
    broker: Annotated[
        Literal["embedded", "kafka"] | None, typer.Option(help="Left out: a real Kafka if Java and Maven are here.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=16, help="Generators; by the rate if left out.")] = None,
    frame: Annotated[int, typer.Option(min=1, max=500, help="Events in one message.")] = 1,
    scenario: Annotated[str, typer.Option(help=_SCENARIO_HELP)] = _SCENARIO,
    seed: Annotated[int, typer.Option(help="Another seed, another day.")] = 1,
    to: Annotated[
        Literal["own", "existing"], typer.Option(help="A chain of our own, or the brokers and store of the settings.")
    ] = "own",
    really: Annotated[bool, typer.Option("--really", help="With --to existing: elsewhere, too.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep ledgers and logs in this folder.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report into this file.")] = None,
    as_json: Json = False,
) -> None:
    """Put a chain under load and prove every count: rate, waits until stored and shown, lag, what each process uses.

    Exit 0 only if every view equals what was sent. With --to existing at most a million events and 600 s.
    """
    from infra.loadtest.options import LoadOptions  # noqa: PLC0415
    from infra.loadtest.run import run_loadtest  # noqa: PLC0415
    from simulators.scenario.registry import find_scenario  # noqa: PLC0415

    options = LoadOptions(
        rate=rate, times=times, for_seconds=for_, shape=shape, distortion=distort, workers=workers, broker=broker,
        processes=processes, frame=frame, scenario=find_scenario(scenario), seed=seed, keep=keep, report=report,
        as_json=as_json, settings=load_settings() if to == "existing" else None, really=really,
    )  # fmt: skip
    sys.exit(run_loadtest(options))


@app.command()
def doctor(
    embedded: Annotated[bool, typer.Option(help="Try the embedded servers instead of the configured ones.")] = False,
) -> None:
    """Check versions, ports, broker, store, schema and clock."""
    from infra.cli.logs import differences, problems  # noqa: PLC0415
    from infra.doctor.checks import StorePlace, all_right, render, run_checks  # noqa: PLC0415
    from infra.servers.clickhouse_config import Login  # noqa: PLC0415
    from sinks.schema import migrations  # noqa: PLC0415
    from streams.contract.events import Topic  # noqa: PLC0415

    settings = load_settings()
    store = settings.store
    place = StorePlace(
        store.host,
        store.port,
        Login(store.user, store.password.get_secret_value()),
        Login(store.reader, store.reader_password.get_secret_value()),
    )
    checks = run_checks(
        directory=Path(),
        ports={"wall.port": settings.wall.port},
        time_zone=load_site(settings.site).time_zone,
        brokers=None if embedded else settings.kafka.brokers,
        topics=[topic.value for topic in Topic],
        store=None if embedded else place,
        schema_number=migrations()[-1].number,
        sources={}
        if embedded
        else {"topics": partial(differences, settings), "partitions": partial(problems, settings)},
    )
    Console(highlight=False).print(render(checks))
    sys.exit(0 if all_right(checks) else _FAILED)


@site_app.command("check")
def site_check(file: Path) -> None:
    """Name every mistake of a site profile by line and key."""
    site: Site = load_site(file)
    typer.echo(describe_site(site))


@schema_app.command("apply")
def schema_apply() -> None:
    """Create or update the store's tables and views; each file is applied once."""
    from sinks.schema import apply  # noqa: PLC0415

    with _client() as client:
        for migration in apply(client):
            typer.echo(f"applied {migration.number:03} {migration.name}")


@schema_app.command("show")
def schema_show() -> None:
    """List the schema's files and when each was applied."""
    from sinks.schema import show  # noqa: PLC0415

    with _client() as client:
        typer.echo(show(client))


@contextmanager
def _client() -> Iterator[Any]:
    from sinks.clickhouse import connect  # noqa: PLC0415

    writer, _ = _store(load_settings())
    client = connect(writer)
    try:
        yield client
    finally:
        client.disconnect()


@topics_app.command("apply")
def topics_apply() -> None:
    """Create the topics that are missing; exit 1 when one that is there differs. Nothing is changed or deleted."""
    from streams.contract import topics  # noqa: PLC0415

    kafka = load_settings().kafka
    for plan in topics.apply(kafka):
        typer.echo(f"created {plan.name}, partitions: {plan.partitions}, {plan.config['cleanup.policy']}")
    _tell_differences(topics.inspect_topics(kafka)[1])


@topics_app.command("show")
def topics_show() -> None:
    """List the topics as they are; exit 1 when one is missing or differs."""
    from streams.contract import topics  # noqa: PLC0415

    found, sentences = topics.inspect_topics(load_settings().kafka)
    for topic in found:
        config = ", ".join(f"{key} {topic.config[key]}" for key in topics.SHOWN)
        typer.echo(f"{topic.name}: partitions {topic.partitions}, copies {topic.copies}, {config}")
    _tell_differences(sentences)


def _tell_differences(sentences: list[str]) -> None:
    if sentences:
        _stop("\n".join(sentences), _FAILED)


@config_app.command("show")
def config_show() -> None:
    """Print the settings in force, secrets hidden."""
    typer.echo(load_settings().model_dump_json(indent=2))


if __name__ == "__main__":
    main()
