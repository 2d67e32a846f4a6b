"""Runs a load test: loads the target, verifies every count against the ledgers, and reports the figures.

`target.py` starts what is tested, `trial.py` makes each trial on it, `report.py` and its neighbours present the
result.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Final

from infra.loadtest import page, report, search, terminal
from infra.loadtest import shape as shapes
from infra.loadtest import target as targets
from infra.loadtest.bottleneck import OTHERS
from infra.loadtest.options import LoadOptions, check, generators_for
from infra.loadtest.report import HighestRate, LoadResult, Setup
from infra.loadtest.target import LoadTarget, WrongLoadError
from infra.loadtest.trial import Mix, TrialRunner
from infra.stack.state import open_state
from simulators.distortion.settings import Distortion
from simulators.sending.lag import ConsumerLag
from simulators.sending.run import stopping_on_signals
from simulators.verify.verify import verify
from sinks.clickhouse import ClickHouseReader
from streams import console
from streams.clock import real_now
from streams.logging import kafka_writes_into
from streams.progress_bar import ProgressBar

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from infra.loadtest.measure import TrialFigures

_DRAIN_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1
_MUCH: Final = 0.2
"""Cores that other programs use, from which on a note is printed."""


def run_loadtest(options: LoadOptions) -> int:
    """Do it; return the exit code: 0, or 1 when a count does not equal the ledgers.

    Raises WrongLoadError and what else `target.py` refuses, StoppedError, ServiceError, and what the clients raise.
    """
    check(options)
    with (
        open_state(options.keep) as folder,
        stopping_on_signals() as stop,
        closing(ProgressBar("loadtest")) as progress,
        ExitStack() as ending,
    ):
        ending.enter_context(kafka_writes_into(folder / "logs" / "loadtest.log"))
        ledgers = folder / "ledgers"
        if options.settings is None and ledgers.exists():
            raise WrongLoadError(
                f"--keep {options.keep}: there are ledgers already, of counts that a new store does not have; "
                "give a new folder"
            )
        target = _start_target(options, folder, stop, progress, ending)
        return _run(options, target, folder, stop, progress)


def _start_target(
    options: LoadOptions, folder: Path, stop: threading.Event, progress: ProgressBar, ending: ExitStack
) -> LoadTarget:
    if options.settings is not None:
        accounted = any((folder / "ledgers").glob("*/meta.json"))
        target = targets.existing(options.settings, really=options.really, accounted=accounted)
        progress.report(
            f"loadtest: on {options.settings.kafka.brokers}, store {target.store.host}:{target.store.port}; at most "
            f"{targets.MOST_EVENTS_EXISTING:,} events in at most {targets.MOST_SECONDS_EXISTING:g} s"
        )
        return target
    broker = options.broker or targets.usual_broker()
    if options.broker is None and broker == "embedded":
        progress.report("loadtest: no Java and Maven here, so the embedded broker: its limits are not a real Kafka's")
    return ending.enter_context(
        targets.embedded(
            options.scenario.profile, folder, stop, broker=broker, workers=options.workers, report=progress.report
        )
    )


def _run(options: LoadOptions, target: LoadTarget, folder: Path, stop: threading.Event, progress: ProgressBar) -> int:
    began, distortion = real_now(), Distortion.parse(options.distortion)
    mix = Mix(
        scenario=options.scenario.name, processes=options.processes or generators_for(options), frame=options.frame,
        distortion=options.distortion, wrong_clocks=bool(distortion.clocks or distortion.drifts),
        seed=options.seed, epoch=began // 1000,
    )  # fmt: skip
    scratch = folder / f"loadtest-{mix.epoch}"
    with TrialRunner(target, mix, ledgers=folder / "ledgers", scratch=scratch, stop=stop, progress=progress) as runner:
        sampled_from = time.monotonic()
        runner.warm_up()
        trials, limit = _trials(options, runner, progress)
        queries = runner.store.queries / (time.monotonic() - sampled_from)
    progress.report("comparing every view with the ledgers …")
    drained = _drained(target, stop) and all(each.drained for each in trials)
    verdict = verify(folder / "ledgers", ClickHouseReader(target.store), target.site, target.limits)
    shown = _shown(trials, limit)
    result = LoadResult(
        setup=_setup(options, target, mix, began), ceiling=runner.ceiling, verdict=verdict, drained=drained,
        shown=shown, trials=trials, limit=limit, alarms=_alarms(target, began),
        notes=(*_notes(target, shown, queries), *verdict.notes),
    )  # fmt: skip
    _print_result(result, options, progress)
    return console.result(result.ok)


def _trials(
    options: LoadOptions, runner: TrialRunner, progress: ProgressBar
) -> tuple[tuple[TrialFigures, ...], HighestRate | None]:
    if options.shape != "ramp-to-limit":
        return (runner.run(options.load, options.shape),), None
    made: list[TrialFigures] = []
    wanted: float | None = options.first_rate
    while wanted is not None:
        made.append(runner.run(shapes.steady(wanted, options.seconds), f"step {len(made) + 1}: {wanted:,.0f}/s"))
        last = _tried(made)[-1]
        progress.report(f"{wanted:,.0f}/s: p99 {last.p99_ms} ms, {'holds' if last.held else 'does not hold'}")
        wanted = search.next_rate(_tried(made), options.first_rate) if _may_go_on(options, made) else None
    return tuple(made), limit_of(made)


def _may_go_on(options: LoadOptions, made: list[TrialFigures]) -> bool:
    """Whether everything was stored, and another step stays within what may be put on such a target."""
    sent = sum(each.events for each in made)
    most = targets.MOST_EVENTS if options.settings is None else targets.MOST_EVENTS_EXISTING
    return made[-1].drained and sent + 2 * made[-1].events < most


def _tried(made: list[TrialFigures]) -> list[search.Tried]:
    return [search.tried(each.target, each.stored) for each in made]


def limit_of(made: list[TrialFigures]) -> HighestRate:
    """Return the limit that these trials have found, and why the next higher rate did not hold."""
    tried = _tried(made)
    rate = search.lowest_failed(tried)
    failed = [each for each in made if each.target == rate]
    return HighestRate(rate=search.highest_held(tried), failed_rate=rate, cause=failed[-1].cause if failed else None)


def _shown(trials: tuple[TrialFigures, ...], limit: HighestRate | None) -> TrialFigures:
    """Return the trial at the limit; without one, the last."""
    at_limit = [each for each in trials if limit is not None and each.target == limit.rate]
    return (at_limit or trials)[-1]


def _drained(target: LoadTarget, stop: threading.Event) -> bool:
    """Wait until the workers have committed everything, so that no flush is under way; return whether they have."""
    begun = time.monotonic()
    lag = ConsumerLag(target.kafka.brokers, target.kafka.group, targets.SOURCE_TOPICS, **target.kafka.client)
    try:
        while lag() != 0:
            target.check()
            if stop.wait(_POLL_SECONDS) or time.monotonic() - begun > _DRAIN_SECONDS:
                return False
    finally:
        lag.close()
    return True


def _alarms(target: LoadTarget, since_ms: int) -> dict[str, int]:
    """Return how many alarms of each rule were raised since a moment."""
    reader = ClickHouseReader(target.store)
    try:
        rows = reader.query(
            "SELECT rule, count() FROM gatepulse.alarm_episodes WHERE raised_at >= %(since)s "
            "GROUP BY rule ORDER BY rule",
            {"since": dt.datetime.fromtimestamp(since_ms / 1000, dt.UTC).replace(tzinfo=None)},
        )
    finally:
        reader.close()
    return {str(rule): int(count) for rule, count in rows}


def _setup(options: LoadOptions, target: LoadTarget, mix: Mix, began_ms: int) -> Setup:
    if options.times is not None:
        load = f"{options.times:g} × {options.scenario.name} ({options.scenario.rush:%H:%M}–)"
    else:
        load = f"{options.first_rate:,.0f}/s"
    return Setup(
        place=target.place, site=target.site_name, shape=options.shape, load=load, seconds=options.seconds,
        distortion=options.distortion, workers=target.workers, generators=mix.processes, frame=mix.frame,
        cores=os.cpu_count() or 1, began_ms=began_ms,
    )  # fmt: skip


def _notes(target: LoadTarget, shown: TrialFigures, queries: float) -> Iterator[str]:
    if target.place == "embedded":
        yield "the embedded broker stores little, so generators wait for slow workers 内嵌代理容量小, 发生器会等待"
    yield f"the store was queried {queries:.0f} times a second, the resolution of latency 每秒查询存储 {queries:.0f} 次"
    others = sum(use.cores for use in shown.uses if use.name == OTHERS)
    if others > _MUCH:
        yield f"other programs used {others:.1f} cores meanwhile: alone it is faster 其他程序占 {others:.1f} 核"
    if shown.wall is None:
        yield "no latency until the wall: none is up, clocks were wrong on purpose, or the day has changed 无上屏时间"
    if shown.stored and shown.stored.unseen:
        yield f"{shown.stored.unseen:,} events were not seen to be stored 未见入库 {shown.stored.unseen:,} 条"
    if shown.wall and shown.wall.unseen:
        yield f"{shown.wall.unseen:,} entries were not seen on the wall in time 未见上屏 {shown.wall.unseen:,} 条"


def _print_result(result: LoadResult, options: LoadOptions, progress: ProgressBar) -> None:
    if options.report is not None:
        options.report.write_text(page.page(result), encoding="utf-8")
        progress.report(f"report 报告: {options.report}")
    terminal.show(result, console.ERR if options.as_json else console.OUT)
    if options.as_json:
        sys.stdout.write(report.to_json(result) + "\n")
        sys.stdout.flush()
