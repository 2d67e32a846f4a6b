"""The result of a load test, as an object for programs; `terminal.py` and `page.py` draw it for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from streams import comparison

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.loadtest.latency import Latency
    from infra.loadtest.measure import TrialFigures
    from infra.loadtest.options import LoadOptions
    from infra.loadtest.search import HighestRate
    from simulators.verify.report import Verdict

_OF_THE_VERDICT: Final = ("sent", "counted", "difference", "lost", "phantom", "duplicated", "late", "refused")


@dataclass(frozen=True, kw_only=True)
class LoadResult:
    """What came of a load test on a target of that `place`, on this machine's `cores`; it began at `began_ms`.

    `shown` is the trial whose figures stand for the test: the only one, or the one at the limit. `ceiling` is how many
    events a second the generators have sent when all were due at once. `ok` only if every view equals the ledgers and
    everything was stored in time.
    """

    options: LoadOptions
    place: str
    cores: int
    began_ms: int
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
    verdict, shown, options = result.verdict, result.shown, result.options
    return json.dumps(
        {
            "ok": result.ok,
            **{name: getattr(verdict, name) for name in _OF_THE_VERDICT},
            **_waits(shown),
            "limit": result.limit and _rounded(asdict(result.limit), 1),
            "drained": result.drained,
            "views": comparison.plain(verdict.views),
            "generator": {"processes": options.generators, "ceiling": round(result.ceiling), "frame": options.frame},
            "processes": [_rounded(asdict(each), 2) for each in shown.uses],
            "machine": {"cores": result.cores, "share": round(shown.machine_share, 2)},
            "alarms": dict(result.alarms),
            "broker": result.place,
            "shape": options.shape,
            "asked": options.size_text,
            "trials": [_trial(each) for each in result.trials],
            "course": [asdict(each) for each in shown.course],
            "notes": list(result.notes),
        },
        ensure_ascii=False,
    )


def _trial(trial: TrialFigures) -> dict[str, Any]:
    return {
        "target": round(trial.target, 1),
        "seconds": trial.seconds,
        "events": trial.events,
        **_waits(trial),
        "cause": asdict(trial.cause),
    }


def _waits(trial: TrialFigures) -> dict[str, Any]:
    return {
        "rate": round(trial.rate, 1),
        "stored_ms": _quantiles(trial.stored),
        "wall_ms": _quantiles(trial.wall),
        "broker_ms": _quantiles(trial.sent_late),
        "most_waiting": trial.most_waiting,
    }


def _quantiles(found: Latency | None) -> dict[str, int] | None:
    """Return p50 to max in ms, None if nothing was seen; with `count` events, and `unseen` ones."""
    if found is None:
        return None
    return {name: value for name, value in asdict(found).items() if name != "curve"}


def _rounded(facts: Mapping[str, Any], digits: int) -> dict[str, Any]:
    return {name: round(value, digits) if isinstance(value, float) else value for name, value in facts.items()}
