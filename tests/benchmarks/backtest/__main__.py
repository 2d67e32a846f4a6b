"""Measures forecasts and advice: `python -m tests.benchmarks.backtest` plays simulated days and prints tables.

On the days of the tuning seed methods and constants were chosen; the days that are judged have another seed. Next:
`days.py` (the days), `score.py` (the forecasts on them), `methods.py` and
`library.py` (their rivals), `queue.py` (the advice), `tables.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from streams.site.reader import load_site
from tests.benchmarks.backtest.days import flow_day
from tests.benchmarks.backtest.library import NoLibraryError, methods
from tests.benchmarks.backtest.methods import METHODS, Rival, compare
from tests.benchmarks.backtest.queue import Peak, play_peak
from tests.benchmarks.backtest.score import Score, score
from tests.benchmarks.backtest.tables import of_peaks, of_rivals, of_scores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.benchmarks.backtest.methods import Method

TUNING: Final = 5
"""Seed of the days on which methods and constants were chosen."""
JUDGING: Final = 2021
"""Seed of the days that are judged."""
HISTORY: Final = 3
"""Days before the first one that is judged."""
_PAST: Final = (0, 1, 3)
_WRONG_USAGE: Final = 2


@dataclass(frozen=True)
class BackTest:
    """What came of it; `days` were judged after HISTORY days that were only looked at."""

    seed: int
    days: int
    scores: tuple[Score, ...]
    rivals: tuple[Rival, ...]
    peaks: tuple[Peak, ...]


def back_test(*, seed: int, days: int, rivals: Mapping[tuple[str, int], Method]) -> BackTest:
    """Play `days` days after HISTORY others, and as many peaks; judge our forecasts, the `rivals` and the advice."""
    site = load_site("expo")
    played = [flow_day(site, seed=seed, number=number) for number in range(HISTORY + days)]
    return BackTest(
        seed=seed,
        days=days,
        scores=tuple(score(played, past=past, history=HISTORY) for past in _PAST),
        rivals=tuple(compare(played, history=HISTORY, methods=rivals)),
        peaks=tuple(play_peak(seed * 1000 + number) for number in range(days)),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the back-test; return the exit code: 0 done, 2 wrong usage."""
    options = _options(arguments)
    try:
        rivals = {**METHODS, **(methods() if options.library else {})}
    except NoLibraryError as error:
        sys.stderr.write(f"--library: {error}\n")
        return _WRONG_USAGE
    result = back_test(seed=options.seed, days=options.days, rivals=rivals)
    if options.json:
        sys.stdout.write(json.dumps(asdict(result)) + "\n")
    else:
        parts = [*of_scores(result.scores), of_rivals(result.rivals), of_peaks(result.peaks)]
        sys.stdout.write("\n\n".join(parts) + "\n")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.backtest", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("--days", type=int, default=10, help="days to judge (default: 10)")
    parser.add_argument("--seed", type=int, default=JUDGING, help=f"of the days ({TUNING}: those used for tuning)")
    parser.add_argument("--library", action="store_true", help="judge models of statsforecast, too (takes long)")
    parser.add_argument("--json", action="store_true", help="print one object instead of tables")
    options = parser.parse_args(arguments)
    if options.days < 1:
        parser.error(f"--days: {options.days}; expected 1 or more")
    return options


if __name__ == "__main__":
    sys.exit(main())
