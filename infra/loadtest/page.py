"""Renders the report as one HTML page in Chinese and English: verdict, trials, plots. Pure."""

from __future__ import annotations

import datetime as dt
from html import escape
from typing import TYPE_CHECKING, Final

from infra.loadtest import plots, words
from infra.loadtest.measure import HOLDS_BELOW_MS
from infra.loadtest.plots import Axis, Series, axis, chart
from infra.loadtest.words import both
from streams.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.loadtest.measure import TrialFigures
    from infra.loadtest.report import LoadResult

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; max-width: 56rem;
  margin: 2rem auto; padding: 0 1rem; background: #fff; color: #1a1a1a; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
.verdict { padding: 1rem 1.2rem; border-left: .5rem solid; font-size: 1.2rem; }
.ok { border-color: #2f7d32; background: #eaf5ea; } .bad { border-color: #b3261e; background: #fbeceb; }
.en { color: #555; display: block; } .verdict .en { font-size: 1rem; color: #333; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .2rem .7rem; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child, td.words { text-align: left; }
svg { width: 100%; height: auto; margin: .5rem 0 1rem; }
.grid { stroke: #ddd; } .mark { stroke: #b3261e; stroke-dasharray: 6 4; } .line { fill: none; stroke-width: 2; }
.tick, .axis { font-size: 12px; fill: #555; } .legend { font-size: 13px; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { background: #16181c; color: #e8e8e8; } .en { color: #aaa; } .verdict .en { color: #ccc; }
  .ok { background: #16301a; } .bad { background: #3a1715; } th, td { border-color: #3a3d44; }
  .grid { stroke: #33363d; } .tick, .axis { fill: #aaa; }
}
"""


def page(result: LoadResult) -> str:
    """Return the whole page; nothing in it is fetched from elsewhere."""
    began = dt.datetime.fromtimestamp(result.began_ms / 1000, dt.UTC)
    body = [
        f"<h1>gatepulse 压力测试报告 <span class='en'>Load test, {began:%Y-%m-%d %H:%M} UTC</span></h1>",
        _verdict(result),
        _both("h2", Text("试验内容", "What was tried")),
        _both("p", words.setup(result)),
        _both("p", words.HOW),
        *(f"<p>{escape(note)}</p>" for note in result.notes),
        _both("h2", Text("等待时间（毫秒）", "Waits from when events were due, in milliseconds")),
        _table(words.waits(result.shown)),
        *_ramp(result),
        *_course(result.shown),
        _distribution(result.shown),
        _both("h2", Text("进程与资源", "Processes")),
        _table(words.processes(result)),
        _both("p", words.summary(result)),
        _both("h2", Text("核对", "Comparison with the ledgers")),
        _table(words.views(result)),
    ]
    head = f'<meta charset="utf-8"><title>gatepulse loadtest</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="zh"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _verdict(result: LoadResult) -> str:
    lines = [words.verdict(result), words.speed(result), *([words.limit(result.limit)] if result.limit else [])]
    return f'<div class="verdict {"ok" if result.ok else "bad"}">{"".join(_both("div", line) for line in lines)}</div>'


def _both(tag: str, text: Text) -> str:
    return f'<{tag}>{escape(text.zh)} <span class="en" lang="en">{escape(text.en)}</span></{tag}>'


def _table(given: words.TextTable) -> str:
    """Lay a table out, numbers to the right."""
    head = "".join(f"<th>{escape(both(title))}</th>" for title in given.head)
    rows = ("<tr>" + "".join(map(_cell, map(both, row))) + "</tr>" for row in given.rows)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _cell(text: str) -> str:
    kind = ' class="words"' if text[:1].isalpha() else ""
    return f"<td{kind}>{escape(text)}</td>"


def _plot(title: Text, across: Axis, up: Axis, *series: Series, mark: tuple[float, str] | None = None) -> str:
    return f"{_both('h2', title)}\n{chart(title.en, across, up, series, mark)}"


def _ramp(result: LoadResult) -> Iterator[str]:
    """Draw how the wait grew with the rate, if several were tried."""
    tried = sorted((each.target, each.stored.p99) for each in result.trials if each.stored)
    if len(tried) < 2:
        return
    across = axis("事件/秒 events/s", max(rate for rate, _ in tried))
    up = axis("p99 ms", min(max(p99 for _, p99 in tried), 4 * HOLDS_BELOW_MS))
    title = Text("速率与等待", "The wait at each rate that was tried")
    yield _plot(title, across, up, Series("p99", tried, dots=True), mark=(HOLDS_BELOW_MS, "1 s"))
    yield _table(words.trials(result.trials))


def _course(shown: TrialFigures) -> Iterator[str]:
    """Draw what happened in each second."""
    course = shown.course
    seconds = axis("秒 seconds", max((each.number for each in course), default=1))
    due = Series("计划 due", [(each.number, each.due) for each in course])
    stored = Series("入库 stored", [(each.number, each.stored) for each in course])
    highest = max((max(each.due, each.stored) for each in course), default=1)
    yield _plot(Text("每秒事件数", "Events a second"), seconds, axis("事件/秒 events/s", highest), due, stored)

    title = Text("在 Kafka 中等待入库的事件", "Consumer lag: events in Kafka that are not stored yet")
    waiting = Series("等待 waiting", [(each.number, each.waiting) for each in course])
    yield _plot(title, seconds, axis("事件 events", shown.most_waiting), waiting)

    p99s = [(each.number, each.p99) for each in course if each.p99 is not None]
    if p99s:
        title = Text("每一秒到期事件的等待（p99）", "Wait of the events due in each second (p99)")
        yield _plot(title, seconds, axis("ms", max(p99 for _, p99 in p99s)), Series("p99", p99s))


def _distribution(shown: TrialFigures) -> str:
    found = {name: getattr(shown, name) for name in ("stored", "wall", "sent_late") if getattr(shown, name)}
    series = [
        Series(both(words.WAITS[name]), [(plots.percentile_place(at), ms) for at, ms in each.curve])
        for name, each in found.items()
    ]
    up = axis("ms", max((each.max for each in found.values()), default=1))
    return _plot(Text("等待时间分布", "Distribution of latency"), plots.PERCENTILES, up, *series)
