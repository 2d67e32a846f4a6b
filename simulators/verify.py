"""Proves that what the store shows is what was sent: every public view against the ledger, every row of it.

The oracle: lost = delivered - shown, phantom = shown - sent, duplicated = shown twice; all three must be empty.
What is not known to be delivered may be shown or not, and every other view must agree with which it is.
The verdict itself is in `report.py`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from rich.console import Console

from simulators import accounts, truth
from simulators.compare import EXAMPLES, Comparison, compare
from simulators.ledger import Ledger, read_ledger
from simulators.report import Verdict, ViewResult, show, to_json
from simulators.stored import VIEWS, Reader, read, read_devices
from simulators.tables import Integers, Table
from streams.site import KINDS, Site

PART = 250_000
"""Passages that are compared at a time: what bounds the memory."""


def verify(ledger_path: Path, reader: Reader, site: Site) -> Verdict:
    """Compare all views that `reader` shows with the ledger (or the folder of ledgers) at `ledger_path`.

    Raises LedgerError if the ledger cannot be used or is of another site, and whatever the reader raises.
    """
    ledger = read_ledger(ledger_path)
    truth.check_site(ledger, site)
    found = compare_views(ledger, reader, site)
    return _verdict(found, ledger)


def compare_views(ledger: Ledger, reader: Reader, site: Site) -> dict[str, Comparison]:
    """Return the comparison of every view in `stored.VIEWS`, in that order.

    Passages and corrections come first: they settle what the other views must show of deliveries in doubt.
    """
    sent, corrected = truth.sent_passages(ledger), truth.sent_corrections(ledger)
    shown = _compare_passages(truth.passages(ledger, sent), reader)
    steps = truth.corrections(ledger, corrected, site)
    shown_steps = compare("corrections", steps, read(reader, "corrections"))
    counted, settled = sent.settled(shown.present), steps[corrected.certain | shown_steps.present]
    expected = truth.published(ledger, site, counted, settled)
    expected["rejections"] = accounts.rejections(ledger)
    numbers = _numbers(ledger, counted.rows) | {"corrections": len(settled)}
    certain = _numbers(ledger, counted.rows[counted.certain]) | {"corrections": int(corrected.certain.sum())}
    expected["progress"] = accounts.progress(ledger, numbers, certain)
    found = {name: compare(name, table, read(reader, name)) for name, table in expected.items()}
    found |= {"passages": shown, "corrections": shown_steps}
    return {name: found[name] for name in VIEWS}


def _numbers(ledger: Ledger, rows: Integers) -> dict[str, int]:
    """Count passages by kind."""
    kinds = ledger.passages["kind"][rows]
    return {str(kind): int(kinds.equal(kind).sum()) for kind in KINDS}


def _compare_passages(expected: Table, reader: Reader) -> Comparison:
    """Compare the passages device by device, so that neither side is ever held as a whole."""
    present = np.zeros(len(expected), bool)
    parts = []
    for rows, above, upto in _parts(expected):
        part = compare("passages", expected[rows], read_devices(reader, above=above, upto=upto))
        present[rows] = part.present
        parts.append(part)
    return Comparison(
        present=present,
        compared=sum(part.compared for part in parts),
        missing=sum(part.missing for part in parts),
        extra=sum(part.extra for part in parts),
        repeated=sum(part.repeated for part in parts),
        altered=sum(part.altered for part in parts),
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


def _verdict(found: Mapping[str, Comparison], ledger: Ledger) -> Verdict:
    shown = found["passages"]
    counted = int(shown.present.sum()) + shown.extra
    sent = int(shown.present.sum()) + shown.missing
    wrong = shown.missing + shown.extra + shown.repeated
    difference = wrong or sum(comparison.different for comparison in found.values())
    return Verdict(
        ok=difference == 0 and sent > 0,
        sent=sent,
        counted=counted,
        difference=difference,
        views={name: ViewResult(each.compared, each.different) for name, each in found.items()},
        lost=shown.missing,
        phantom=shown.extra,
        duplicated=shown.repeated,
        altered=shown.altered,
        differences=tuple(example for each in found.values() for example in each.examples),
        notes=(*ledger.notes, *truth.gaps(ledger)),
    )


def run_verify(
    ledger_path: Path, reader: Reader, site: Site, *, as_json: bool = False, console: Console | None = None
) -> int:
    """Verify and print the verdict to `console` (default: stdout); return the exit code: 0 equal, 1 not.

    Raises what `verify` raises.
    """
    verdict = verify(ledger_path, reader, site)
    out = console or Console(highlight=False)
    if as_json:
        out.print(to_json(verdict), markup=False, soft_wrap=True)
    else:
        show(verdict, out)
    return 0 if verdict.ok else 1
