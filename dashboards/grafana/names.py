"""Writes titles of the site into SQL, Chinese and English side by side. Read next: `spans.py`."""

from collections.abc import Iterable, Mapping

from streams.site.model import Site
from streams.text import Text


def both(title: Text) -> str:
    """Return a title on one line, "北1口 / North gate 1"; if both are the same, only once."""
    return title.zh if title.zh == title.en else f"{title.zh} / {title.en}"


def literal(text: str) -> str:
    """Return a string of ClickHouse's SQL; `$` is escaped, so that Grafana finds no variable in a title."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\x24")
    return f"'{escaped}'"


def literals(texts: Iterable[str]) -> str:
    """Return strings of ClickHouse's SQL, separated by commas."""
    return ", ".join(map(literal, texts))


def titled(column: str, titles: Mapping[str, Text]) -> str:
    """Return the SQL that shows the ids of a column by their titles; an id without a title as it is."""
    text = f"toString({column})"
    if not titles:
        return text
    return f"transform({text}, [{literals(titles)}], [{literals(map(both, titles.values()))}], {text})"


def among(column: str, variable: str) -> str:
    """Return the condition that a column has one of a variable's values; Grafana quotes each of them."""
    return f"{column} IN (${{{variable}:sqlstring}})"


def subjects(site: Site) -> dict[str, Text]:
    """Return the titles of the subjects of alarms; lanes and gateways are shown by their ids, which say more."""
    titles = {area.id: area.title for area in site.areas} | {each.id: each.title for each in site.entrances}
    return {site.id: site.title} | titles
