"""Writes the results into docs/growth.md, between its marks; text that people wrote there stays."""

from pathlib import Path

from tests.benchmarks.growth import kept
from tests.benchmarks.growth.plot import growth
from tests.benchmarks.growth.reckoned import reckoned
from tests.benchmarks.growth.tables import chain_tables, kernel_tables


class NoMarksError(ValueError):
    """The page has no place for a part; the message names the marks that are expected."""


def between(text: str, name: str, part: str) -> str:
    """Return the page with one part anew. Raises NoMarksError."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise NoMarksError(f"the page has no {begin} with an {end} behind it; write both, each on a line of its own")
    return f"{before}{begin}\n{part}\n{end}{after}"


def write(page: Path = kept.PAGE, folder: Path = kept.FOLDER) -> None:
    """Write all that is kept. Raises NoMarksError, NothingMeasuredError."""
    text, kernels, chain = page.read_text(encoding="utf-8"), kept.kernels(folder), kept.chain(folder)
    if kernels is not None:
        text = between(text, "kernels", f"{kernels.said}\n\n{kernel_tables(kernels.results)}")
        (folder / "kernels.svg").write_text(growth(kernels.results), encoding="utf-8")
    if chain is not None:
        text = between(text, "chain", f"{chain.said}\n\n{chain_tables(chain.results)}")
        text = between(text, "reckoned", f"{chain.said}\n\n{reckoned(chain.results)}")
    page.write_text(text, encoding="utf-8")
