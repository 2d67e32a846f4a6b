"""Compares every row of every public view in the store with the ledger, and waits until all is stored.

The oracle: lost = delivered - shown, phantom = shown - sent, duplicated = shown twice; all three must be empty.
What is not known to be delivered may be shown or not, and every other view must agree with which it is.
The verdict itself is in `report.py`.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from simulators.ledger.ledger import Ledger, read_ledger
from simulators.ledger.tables import Integers, Table
from simulators.verify import accounts, truth
from simulators.verify.compare import EXAMPLES, Comparison, compare
from simulators.verify.fates import Fates, Limits, judge, suspect_corrections
from simulators.verify.report import Verdict
from simulators.verify.stored import VIEWS, read
from sinks.sink import ColumnReader, StoreReader
from streams.comparison import ViewComparison
from streams.site.model import Site

PART = 250_000
"""Passages that are compared at a time: what bounds the memory."""

_SETTLED_SECONDS: Final = 60.0


def verify(ledger_path: Path, reader: StoreReader, site: Site, limits: Limits | None = None) -> Verdict:
    """Compare all views that `reader` shows with the ledger (or the folder of ledgers) at `ledger_path`.

    What came through several logs is waited for until it is settled, for a minute at most.
    `limits` are those that the workers were given, their defaults if left out. Raises LedgerError if the ledger
    cannot be used or is of another site, and whatever the reader raises.
    """
    ledger = read_ledger(ledger_path)
    truth.check_site(ledger, site)
    _wait_until_settled(reader)
    return _verdict(ledger, *compare_views(ledger, reader, site, limits or Limits()))


def _wait_until_settled(reader: StoreReader) -> None:
    """Return once no event is counted through two logs any more, or when that takes too long."""
    end = time.monotonic() + _SETTLED_SECONDS
    while any(events for (events,) in reader.query("SELECT sum(events) FROM gatepulse.unsettled")):
        if time.monotonic() > end:
            return
        time.sleep(0.5)


def compare_views(
    ledger: Ledger, reader: ColumnReader, site: Site, limits: Limits
) -> tuple[dict[str, Comparison], Fates]:
    """Return the comparison of every view in `stored.VIEWS`, in that order, and what became of the passages.

    Passages, corrections and rejections come first: they settle what the other views must show of uncertain deliveries.
    """
    ahead = suspect_corrections(ledger, limits)
    fates, corrected = judge(ledger, truth.sent_passages(ledger), limits), truth.sent_corrections(ledger, ~ahead)
    refusals = accounts.rejections(ledger, fates, ahead)
    steps = truth.corrections(ledger, corrected, site)
    found = {
        "passages": _compare_passages(truth.passages(ledger, fates.counted), reader),
        "corrections": compare("corrections", steps, read(reader, "corrections")),
        "rejections": compare("rejections", refusals.view, read(reader, "rejections")),
    }
    settled = replace(
        fates,
        counted=fates.counted.settled(found["passages"].present),
        suspect=fates.suspect.settled(found["rejections"].present[refusals.row_of_suspect]),
    )
    shown_steps = found["corrections"].present
    expected = truth.published(ledger, site, settled.counted, steps[corrected.certain | shown_steps])
    expected["completeness"] = accounts.completeness(ledger, settled)
    expected["late_passages"] = accounts.late_passages(ledger, settled.late, site)
    expected["progress"] = accounts.progress(ledger, settled, refusals, corrected=corrected.settled(shown_steps))
    found |= {name: compare(name, table, read(reader, name)) for name, table in expected.items()}
    return {name: found[name] for name in VIEWS}, settled


def _compare_passages(expected: Table, reader: ColumnReader) -> Comparison:
    """Compare the passages device by device, so that neither side is ever held as a whole."""
    present = np.zeros(len(expected), bool)
    parts = []
    for rows, above, upto in _parts(expected):
        part = compare("passages", expected[rows], read(reader, "passages", above=above, upto=upto))
        present[rows] = part.present
        parts.append(part)
    numbers = ("compared", "missing", "extra", "repeated", "altered")
    return Comparison(
        present=present,
        **{name: sum(getattr(part, name) for part in parts) for name in numbers},
        examples=tuple(example for part in parts for example in part.examples)[: 4 * EXAMPLES],
    )


def _parts(expected: Table) -> Iterator[tuple[Integers, str | None, str | None]]:
    """Yield rows of `expected` by ranges of devices (above, upto], together all devices that there can be."""
    labels = expected.keys["device"]
    names = np.sort(labels.words[np.unique(labels.codes)])  # type: ignore[union-attr]  # devices are text
    rank = labels.each(lambda word: int(np.searchsorted(names, word)), np.int64)  # type: ignore[union-attr]  # same
    order = np.argsort(rank, kind="stable")
    ends = np.cumsum(np.bincount(rank, minlength=len(names)))
    start, above = 0, None
    for end, name in zip(ends[:-1], names[:-1], strict=True):
        if end - start >= PART:
            yield order[start:end], above, name
            start, above = end, name
    yield order[start:], above, None


def _verdict(ledger: Ledger, found: Mapping[str, Comparison], settled: Fates) -> Verdict:
    shown = found["passages"]
    counted = int(shown.present.sum()) + shown.extra
    late, refused = int(settled.late.certain.sum()), len(settled.suspect) + int(settled.outside.certain.sum())
    sent = int(shown.present.sum()) + shown.missing + late + refused
    wrong = shown.missing + shown.extra + shown.repeated
    difference = wrong or sum(comparison.different for comparison in found.values())
    return Verdict(
        ok=difference == 0 and sent > 0,
        sent=sent,
        counted=counted,
        late=late,
        refused=refused,
        difference=difference,
        views={name: ViewComparison(each.compared, each.different) for name, each in found.items()},
        lost=shown.missing,
        phantom=shown.extra,
        duplicated=shown.repeated,
        altered=shown.altered,
        differences=tuple(example for each in found.values() for example in each.examples),
        notes=(*ledger.notes, *truth.gaps(ledger)),
    )
