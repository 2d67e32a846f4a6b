"""Compares every row of every public view in the store with the ledger, and waits until all is stored.

The oracle: lost = delivered - shown, phantom = shown - sent, duplicated = shown twice; all three must be empty.
What is not known to be delivered may be shown or not, and every other view must agree with which it is.
The verdict itself is in `report.py`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeAlias

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

Ask: TypeAlias = Callable[..., Future[Table]]
"""Asks for a view as `stored.read` does, without waiting for it."""
_Part: TypeAlias = tuple[Integers, str | None, str | None]


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

    Views are read by a thread, so that the store answers while the truth is worked out.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="views")

    def ask(name: str, **devices: str | None) -> Future[Table]:
        return thread.submit(read, reader, name, **devices)

    try:
        return _compare_views(ledger, ask, site, limits)
    finally:
        thread.shutdown(cancel_futures=True)


def _compare_views(ledger: Ledger, ask: Ask, site: Site, limits: Limits) -> tuple[dict[str, Comparison], Fates]:
    """Compare passages, corrections and rejections first.

    They settle what the other views must show of uncertain deliveries.
    """
    shown = {name: ask(name) for name in VIEWS if name != "passages"}
    ahead = suspect_corrections(ledger, limits)
    fates, corrected = judge(ledger, truth.sent_passages(ledger), limits), truth.sent_corrections(ledger, ~ahead)
    refusals = accounts.rejections(ledger, fates, ahead)
    steps = truth.corrections(ledger, corrected, site)
    found = {
        "passages": _compare_passages(truth.passages(ledger, fates.counted), ask),
        "corrections": compare("corrections", steps, shown["corrections"].result()),
        "rejections": compare("rejections", refusals.view, shown["rejections"].result()),
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
    found |= {name: compare(name, table, shown[name].result()) for name, table in expected.items()}
    return {name: found[name] for name in VIEWS}, settled


def _compare_passages(expected: Table, ask: Ask) -> Comparison:
    """Compare the passages by ranges of devices, so that what the store shows is never held as a whole."""
    present = np.zeros(len(expected), bool)
    parts = []
    for rows, shown in _one_ahead(_parts(expected), ask):
        part = compare("passages", expected[rows], shown.result())
        present[rows] = part.present
        parts.append(part)
    numbers = ("compared", "missing", "extra", "repeated", "altered")
    return Comparison(
        present=present,
        **{name: sum(getattr(part, name) for part in parts) for name in numbers},
        examples=tuple(example for part in parts for example in part.examples)[: 4 * EXAMPLES],
    )


def _one_ahead(parts: Iterable[_Part], ask: Ask) -> Iterator[tuple[Integers, Future[Table]]]:
    """Yield rows and what is shown of their devices; by then the next part has been asked for."""
    before: tuple[Integers, Future[Table]] | None = None
    for rows, above, upto in parts:
        following = rows, ask("passages", above=above, upto=upto)
        if before:
            yield before
        before = following
    if before:
        yield before


def _parts(expected: Table) -> Iterator[_Part]:
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
