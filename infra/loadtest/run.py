"""Runs a load test: loads the target, verifies every count against the ledgers, and reports the figures.

`target.py` starts what is tested, `trial.py` makes each trial on it, `report.py` and its neighbours present the
result.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from infra.loadtest import page, report, terminal
from infra.loadtest import target as targets
from infra.loadtest.load import steady
from infra.loadtest.measure import OTHERS
from infra.loadtest.options import LoadOptions, check
from infra.loadtest.report import LoadResult
from infra.loadtest.search import HighestRate, highest_rate, next_rate
from infra.loadtest.target import LoadTarget, WrongLoadError
from infra.loadtest.trial import TrialRunner
from infra.servers.kafka.install import missing
from infra.stack.state import open_state
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
_ALARMS: Final = (
    "SELECT rule, count() FROM gatepulse.alarm_episodes "
    "WHERE raised_at >= fromUnixTimestamp64Milli(toInt64(%(since)s)) GROUP BY rule ORDER BY rule"
)


def run_loadtest(options: LoadOptions) -> int:
    """Do it; return the exit code: 0, or 1 when a count does not equal the ledgers.

    Raises WrongLoadError and what else `target.py` refuses, StoppedError, ServiceError, and what the clients raise.
    """
    check(options)
    with (
        open_state(options.keep) as folder,
        stopping_on_signals() as stop,
        closing(ProgressBar("loadtest")) as progress,
        kafka_writes_into(folder / "logs" / "loadtest.log"),
        _target(options, folder, stop, progress) as target,
    ):
        result = _run(options, target, folder, stop, progress)
        _print_result(result, options, progress)
        return console.result(result.ok)


@contextmanager
def _target(options: LoadOptions, folder: Path, stop: threading.Event, progress: ProgressBar) -> Iterator[LoadTarget]:
    ledgers = folder / "ledgers"
    if options.settings is not None:
        accounted = any(ledgers.glob("*/meta.json"))
        target = targets.existing(options.settings, really=options.really, accounted=accounted)
        progress.report(
            f"loadtest: on {options.settings.kafka.brokers}, store {target.store.host}:{target.store.port}; at most "
            f"{options.bounds.events:,} events in at most {options.bounds.seconds:g} s"
        )
        yield target
        return
    if ledgers.exists():
        raise WrongLoadError(
            f"--keep {options.keep}: there are ledgers already, of counts that a new store does not have; "
            "give a new folder"
        )
    broker = options.broker or ("embedded" if missing() else "kafka")
    if options.broker is None and broker == "embedded":
        progress.report("loadtest: no Java and Maven here, so the embedded broker: its limits are not a real Kafka's")
    with targets.embedded(
        options.scenario.profile, folder, stop, broker=broker, workers=options.workers, report=progress.report
    ) as target:
        yield target


def _run(
    options: LoadOptions, target: LoadTarget, folder: Path, stop: threading.Event, progress: ProgressBar
) -> LoadResult:
    began_ms = real_now()
    runner = TrialRunner(target, options, folder, epoch=began_ms // 1000, stop=stop, progress=progress)
    with runner.sampling():
        sampled_from = time.monotonic()
        runner.warm_up()
        trials, limit = _trials(options, runner, progress)
        queries = runner.store.queries / (time.monotonic() - sampled_from)
    progress.report("comparing every view with the ledgers …")
    drained = _drained(target, stop) and all(each.drained for each in trials)
    with closing(ClickHouseReader(target.store)) as reader:
        verdict = verify(folder / "ledgers", reader, target.site, target.limits)
        alarms = dict(reader.query(_ALARMS, {"since": began_ms}))
    shown = _shown(trials, limit)
    return LoadResult(
        options=options, place=target.place, cores=os.cpu_count() or 1, began_ms=began_ms, ceiling=runner.ceiling,
        verdict=verdict, drained=drained, shown=shown, trials=trials, limit=limit, alarms=alarms,
        notes=(*_notes(target, shown, queries), *verdict.notes),
    )  # fmt: skip


def _trials(
    options: LoadOptions, runner: TrialRunner, progress: ProgressBar
) -> tuple[tuple[TrialFigures, ...], HighestRate | None]:
    if options.shape != "ramp-to-limit":
        return (runner.run(options.load, options.shape),), None
    made: list[TrialFigures] = []
    wanted: float | None = options.first_rate
    while wanted is not None:
        made.append(runner.run(steady(wanted, options.seconds), f"step {len(made) + 1}: {wanted:,.0f}/s"))
        last = made[-1]
        progress.report(f"{wanted:,.0f}/s: p99 {last.p99_ms} ms, {'holds' if last.held else 'does not hold'}")
        wanted = next_rate(made) if _may_go_on(options, made) else None
    return tuple(made), highest_rate(made)


def _may_go_on(options: LoadOptions, made: list[TrialFigures]) -> bool:
    """Whether everything was stored, and another step stays within what may be put on such a target."""
    sent = sum(each.events for each in made)
    return made[-1].drained and sent + 2 * made[-1].events < options.bounds.events


def _shown(trials: tuple[TrialFigures, ...], limit: HighestRate | None) -> TrialFigures:
    """Return the trial at the limit; without one, the last."""
    at_limit = [each for each in trials if limit is not None and each.target == limit.rate]
    return (at_limit or trials)[-1]


def _drained(target: LoadTarget, stop: threading.Event) -> bool:
    """Wait until the workers have committed everything, so that no flush is under way; return whether they have."""
    begun = time.monotonic()
    with closing(
        ConsumerLag(target.kafka.brokers, target.kafka.group, targets.SOURCE_TOPICS, **target.kafka.client)
    ) as lag:
        while lag() != 0:
            target.check()
            if stop.wait(_POLL_SECONDS) or time.monotonic() - begun > _DRAIN_SECONDS:
                return False
    return True


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
