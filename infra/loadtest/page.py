"""Renders the report as one HTML page in Chinese and English: verdict, trials, plots. Pure."""

from __future__ import annotations

import datetime as dt
from html import escape
from typing import TYPE_CHECKING, Final

from infra.loadtest import plots, words
from infra.loadtest.latency import PERCENTILES
from infra.loadtest.plots import Mark, Series, axis, chart
from infra.loadtest.report import cells
from infra.loadtest.search import HOLDS_BELOW_MS
from streams.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
_NAMES: Final = {
    "broker": Text("到达消息代理", "at the broker"),
    "stored": Text("入库", "stored"),
    "wall": Text("上屏", "on the wall"),
}


def page(result: LoadResult) -> str:
    """Return the whole page; nothing in it is fetched from elsewhere."""
    began = dt.datetime.fromtimestamp(result.setup.began_ms / 1000, dt.UTC)
    body = [
        f"<h1>gatepulse 压力测试报告 <span class='en'>Load test, {began:%Y-%m-%d %H:%M} UTC</span></h1>",
        _verdict(result),
        _heading(Text("试验内容", "What was tried")),
        _paragraph(words.setup(result.setup)),
        _paragraph(words.HOW),
        *(f"<p>{escape(note)}</p>" for note in result.notes),
        _heading(Text("等待时间（毫秒）", "Waits from when events were due, in milliseconds")),
        _waits(result.shown),
        *_ramp(result),
        *_plots(result.shown),
        _heading(Text("进程与资源", "Processes")),
        _processes(result),
        _heading(Text("核对", "Comparison with the ledgers")),
        _views(result),
    ]
    head = f'<meta charset="utf-8"><title>gatepulse loadtest</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="zh"><head>{head}</head>\n<body>\n' + "\n".join(body) + "\n</body></html>\n"


def _verdict(result: LoadResult) -> str:
    lines = [words.verdict(result), words.speed(result), *([words.limit(result.limit)] if result.limit else [])]
    return f'<div class="verdict {"ok" if result.ok else "bad"}">{"".join(map(_both, lines))}</div>'


def _both(text: Text) -> str:
    return f'<div>{escape(text.zh)}<span class="en" lang="en">{escape(text.en)}</span></div>'


def _heading(text: Text) -> str:
    return f'<h2>{escape(text.zh)} <span class="en" lang="en">{escape(text.en)}</span></h2>'


def _paragraph(text: Text) -> str:
    return f'<p>{escape(text.zh)}<span class="en" lang="en">{escape(text.en)}</span></p>'


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(each)}</th>" for each in head)
    lines = ("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{''.join(lines)}</table>"


def _cell(text: str) -> str:
    """Return a cell: numbers to the right, words to the left."""
    kind = ' class="words"' if text[:1].isalpha() else ""
    return f"<td{kind}>{escape(text)}</td>"


def _waits(shown: TrialFigures) -> str:
    found = {"broker": shown.sent_late, "stored": shown.stored, "wall": shown.wall}
    rows = [(f"{_NAMES[name].zh} {_NAMES[name].en}", *cells(each)) for name, each in found.items()]
    return _table(["", *PERCENTILES, "max", "事件 events"], rows)


def _ramp(result: LoadResult) -> list[str]:
    """Draw how the wait grew with the rate, if several were tried."""
    tried = sorted((each.target, each.stored.p99) for each in result.trials if each.stored)
    if len(tried) < 2:
        return []
    across = axis("事件/秒 events/s", max(rate for rate, _ in tried))
    up = axis("p99 ms", min(max(p99 for _, p99 in tried), 4 * HOLDS_BELOW_MS))
    mark = Mark("1 s", HOLDS_BELOW_MS)
    text = Text("速率与等待", "The wait at each rate that was tried")
    rows = [
        (f"{each.target:,.0f}", f"{each.rate:,.0f}", f"{each.stored.p99:,}" if each.stored else "–",
         f"{each.most_waiting:,}", words.cause(each.cause).zh, words.cause(each.cause).en)
        for each in result.trials
    ]  # fmt: skip
    head = ["目标 target/s", "实际 delivered/s", "p99 ms", "最多等待 waiting", "瓶颈", "at its limit"]
    return [_heading(text), chart(text.en, across, up, [Series("p99", tried, dots=True)], [mark]), _table(head, rows)]


def _plots(shown: TrialFigures) -> list[str]:
    seconds = axis("秒 seconds", max(each.number for each in shown.course) if shown.course else 1)
    return [part for drawing in (_rates, _waiting, _worst) for part in drawing(shown, seconds)] + _distribution(shown)


def _rates(shown: TrialFigures, seconds: plots.Axis) -> list[str]:
    text = Text("每秒事件数", "Events a second")
    due = Series("计划 due", [(each.number, each.due) for each in shown.course])
    stored = Series("入库 stored", [(each.number, each.stored) for each in shown.course])
    highest = max((max(each.due, each.stored) for each in shown.course), default=1)
    return [_heading(text), chart(text.en, seconds, axis("事件/秒 events/s", highest), [due, stored])]


def _waiting(shown: TrialFigures, seconds: plots.Axis) -> list[str]:
    text = Text("在 Kafka 中等待入库的事件", "Consumer lag: events in Kafka that are not stored yet")
    line = Series("等待 waiting", [(each.number, each.waiting) for each in shown.course])
    return [_heading(text), chart(text.en, seconds, axis("事件 events", shown.most_waiting), [line])]


def _worst(shown: TrialFigures, seconds: plots.Axis) -> list[str]:
    points = [(each.number, each.p99) for each in shown.course if each.p99 is not None]
    if not points:
        return []
    text = Text("每一秒到期事件的等待（p99）", "Wait of the events due in each second (p99)")
    up = axis("ms", max(p99 for _, p99 in points))
    return [_heading(text), chart(text.en, seconds, up, [Series("p99", points)])]


def _distribution(shown: TrialFigures) -> list[str]:
    found = {"stored": shown.stored, "wall": shown.wall, "broker": shown.sent_late}
    series = [
        Series(f"{_NAMES[name].zh} {_NAMES[name].en}", [(plots.percentile_place(at), ms) for at, ms in each.curve])
        for name, each in found.items()
        if each
    ]
    text = Text("等待时间分布", "Distribution of latency")
    up = axis("ms", max((each.max for each in found.values() if each), default=1))
    return [_heading(text), chart(text.en, plots.PERCENTILES, up, series)]


def _processes(result: LoadResult) -> str:
    shown = result.shown
    rows = [(use.name, f"{use.cores:.2f}", f"{use.most_cores:.2f}", f"{use.memory_mb:,}") for use in shown.uses]
    total = ("整机 whole machine", f"{shown.machine_share * result.setup.cores:.2f}", f"/ {result.setup.cores}", "")
    alarms = ", ".join(f"{rule} {count}" for rule, count in result.alarms.items()) or "0"
    summary = Text(
        f"发生器自身每秒可发 {result.ceiling:,.0f} 条（开始前实测）；触发告警：{alarms}",
        f"The generators can send {result.ceiling:,.0f} a second (measured before); alarms raised: {alarms}",
    )
    return _table(["", "核 cores", "最高 at most", "内存 MB"], [*rows, total]) + _paragraph(summary)


def _views(result: LoadResult) -> str:
    rows = [(name, f"{each.compared:,}", f"{each.different:,}") for name, each in result.verdict.views.items()]
    return _table(["视图 view", "已比对行 rows compared", "不同 different"], rows)
