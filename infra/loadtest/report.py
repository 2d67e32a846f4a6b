"""The result of a load test, as an object for programs; `terminal.py` and `page.py` draw it for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from infra.loadtest.latency import PERCENTILES
from streams import comparison

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.loadtest.bottleneck import Bottleneck
    from infra.loadtest.latency import Latency
    from infra.loadtest.measure import TrialFigures
    from simulators.verify.report import Verdict


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What was requested: broker, shape and size of the load, and how it was generated."""

    place: str
    site: str
    shape: str
    load: str
    seconds: float
    distortion: str
    workers: int
    generators: int
    frame: int
    cores: int
    began_ms: int


@dataclass(frozen=True, kw_only=True)
class HighestRate:
    """The highest rate that held, in events a second (None: none did), and what limited it.

    `failed_rate` is the lowest rate that did not hold; None: no higher one was tried, and `cause` is meaningless then.
    """

    rate: float | None
    failed_rate: float | None
    cause: Bottleneck | None


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What came of a load test.

    `shown` is the trial whose figures stand for the test: the only one, or the one at the limit. `ceiling` is how many
    events a second the generators have sent when all were due at once. `ok` only if every view equals the ledgers and
    everything was stored in time.
    """

    setup: Setup
    ceiling: float
    verdict: Verdict
    drained: bool
    shown: TrialFigures
    trials: tuple[TrialFigures, ...]
    limit: HighestRate | None
    alarms: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every count is proven."""
        return self.verdict.ok and self.drained


def to_json(result: LoadResult) -> str:
    """Return the object of the contract: sent, counted, difference, rate, stored_ms, wall_ms, limit, and more."""
    verdict, shown, setup = result.verdict, result.shown, result.setup
    return json.dumps(
        {
            "ok": result.ok,
            "sent": verdict.sent,
            "counted": verdict.counted,
            "difference": verdict.difference,
            "rate": round(shown.rate, 1),
            "stored_ms": quantiles(shown.stored),
            "wall_ms": quantiles(shown.wall),
            "limit": _limit(result.limit),
            "lost": verdict.lost,
            "phantom": verdict.phantom,
            "duplicated": verdict.duplicated,
            "late": verdict.late,
            "refused": verdict.refused,
            "drained": result.drained,
            "views": comparison.plain(verdict.views),
            "broker_ms": quantiles(shown.sent_late),
            "most_waiting": shown.most_waiting,
            "generator": {"processes": setup.generators, "ceiling": round(result.ceiling), "frame": setup.frame},
            "processes": [_used(each) for each in map(asdict, shown.uses)],
            "machine": {"cores": setup.cores, "share": round(shown.machine_share, 2)},
            "alarms": dict(result.alarms),
            "broker": setup.place,
            "shape": setup.shape,
            "asked": setup.load,
            "trials": [_trial(each) for each in result.trials],
            "course": [asdict(each) for each in shown.course],
            "notes": list(result.notes),
        },
        ensure_ascii=False,
    )


def quantiles(found: Latency | None) -> dict[str, int] | None:
    """Return p50 to max in ms, None if nothing was seen; with `count` events, and `unseen` ones."""
    if found is None:
        return None
    return {name: value for name, value in asdict(found).items() if name != "curve"}


def cells(found: Latency | None) -> list[str]:
    """Return the percentiles, the maximum and the number of events as a table has them; dashes if nothing was seen."""
    columns = (*PERCENTILES, "max", "count")
    return ["–"] * len(columns) if found is None else [f"{getattr(found, name):,}" for name in columns]


def _limit(limit: HighestRate | None) -> dict[str, Any] | None:
    if limit is None:
        return None
    return {
        "rate": None if limit.rate is None else round(limit.rate, 1),
        "failed_rate": None if limit.failed_rate is None else round(limit.failed_rate, 1),
        "cause": None if limit.cause is None else asdict(limit.cause),
    }


def _used(use: Mapping[str, Any]) -> dict[str, Any]:
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in use.items()}


def _trial(trial: TrialFigures) -> dict[str, Any]:
    return {
        "target": round(trial.target, 1),
        "rate": round(trial.rate, 1),
        "seconds": trial.seconds,
        "events": trial.events,
        "stored_ms": quantiles(trial.stored),
        "wall_ms": quantiles(trial.wall),
        "broker_ms": quantiles(trial.sent_late),
        "most_waiting": trial.most_waiting,
        "cause": asdict(trial.cause),
    }
