"""Titles of the site as ClickHouse and Grafana show them: Chinese and English side by side. Read next: `spans.py`."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from streams.site.model import Site
from streams.text import Text


class Titled(Protocol):
    """Something with a name in two languages, such as `streams.site.model.Title`."""

    @property
    def zh(self) -> str:
        """The Chinese name."""

    @property
    def en(self) -> str:
        """The English name."""


def both(title: Titled) -> str:
    """Return a title on one line, "北1口 / North gate 1"; one that is the same in both languages once."""
    return title.zh if title.zh == title.en else f"{title.zh} / {title.en}"


def literal(text: str) -> str:
    """Return a string of ClickHouse's SQL; `$` is written as a code, so that Grafana sees no variable in a title."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\x24")
    return f"'{escaped}'"


def literals(texts: Iterable[str]) -> str:
    """Return strings of ClickHouse's SQL, separated by commas."""
    return ", ".join(map(literal, texts))


def titled(column: str, titles: Mapping[str, Titled]) -> str:
    """Return the SQL that shows the ids of a column by their titles; an id without a title as it is."""
    text = f"toString({column})"
    if not titles:
        return text
    return f"transform({text}, [{literals(titles)}], [{literals(map(both, titles.values()))}], {text})"


def among(column: str, variable: str) -> str:
    """Return the condition that a column is among what was chosen; Grafana quotes each value."""
    return f"{column} IN (${{{variable}:sqlstring}})"


def subjects(site: Site) -> dict[str, Text]:
    """Return the titles of what alarms are about; lanes and gateways go by their ids, which say more."""
    titles = {area.id: area.title for area in site.areas} | {gate.id: gate.title for gate in site.entrances}
    return {site.id: site.title} | titles
