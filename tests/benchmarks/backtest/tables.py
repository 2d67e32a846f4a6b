"""Formats the results of the back-test as the Markdown tables of `docs/forecast.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.kernels.forecast.calibration import LEADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.benchmarks.backtest.methods import Rival
    from tests.benchmarks.backtest.queue import Peak
    from tests.benchmarks.backtest.score import LevelError, Score

_AHEAD: Final = tuple(f"{lead} min" for lead in LEADS)
_BY_LEAD: Final = {
    "Outcomes inside the 90 % interval, %": "coverage",
    "The same, in the worst area on its worst day, %": "worst",
    "Mean absolute error, % of capacity": "error",
    "Mean width of the interval, % of capacity": "width",
}


def of_scores(scores: Sequence[Score]) -> list[str]:
    """Return the tables of our own forecasts."""
    found = [
        _table([title, *_AHEAD], ([each.setting, *getattr(each, name)] for each in scores))
        for title, name in _BY_LEAD.items()
    ]
    found.append(
        _table(
            ["Error of the minutes to a level, mean / median min (forecast of reached)", *_AHEAD],
            ([each.setting, *map(_level, each.levels)] for each in scores),
        )
    )
    found.append(
        _table(
            [
                "Intervals of the minutes to a level",
                "forecasts",
                "right %",
                "reached earlier %",
                "later %",
                "right if reached %",
            ],
            (
                [
                    each.setting,
                    each.level_forecasts,
                    each.level_coverage,
                    each.level_too_early,
                    each.level_too_late,
                    each.level_coverage_reached,
                ]
                for each in scores
            ),
        )
    )
    return found


def of_rivals(rivals: Sequence[Rival]) -> str:
    """Return the comparison of methods."""
    head = ["Mean absolute error, % of capacity", "past days", *_AHEAD]
    return _table(head, ([each.method, each.past, *each.error] for each in rivals))


def of_peaks(peaks: Sequence[Peak]) -> str:
    """Return what following the advice did."""
    head = ["peak", "people", "longest wait, min", "with advice", "mean wait, min", "with advice", "over 10 min"]
    return _table(
        [*head, "with advice", "lanes opened", "diverted and went"],
        (
            [
                number,
                each.people,
                each.longest_before,
                each.longest_after,
                each.mean_before,
                each.mean_after,
                each.over_before,
                each.over_after,
                each.lanes_opened,
                each.walked,
            ]
            for number, each in enumerate(peaks, 1)
        ),
    )


def _level(each: LevelError) -> str:
    if each.mean is None:
        return f"– ({each.foreseen} of {each.reached})"
    return f"{each.mean:.1f} / {each.median:.1f} ({each.foreseen} of {each.reached})"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in (head, rule, *rows))


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}" if isinstance(value, float) else str(value)
