"""The sentences and tables of a load test's report, in Chinese and English. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.loadtest.latency import PERCENTILES
from streams.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.loadtest.measure import Bottleneck, TrialFigures
    from infra.loadtest.report import LoadResult
    from infra.loadtest.search import HighestRate

WAITS: Final = {
    "sent_late": Text("到达消息代理", "at the broker"),
    "stored": Text("入库", "stored"),
    "wall": Text("上屏", "on the wall"),
}
"""The waits of `measure.TrialFigures`: until when an event has waited."""
HOW: Final = Text(
    "等待时间从事件按计划应发生的时刻算起，而不是从发生器实际发出的时刻；发生器受阻的时间也计入（无协同遗漏）。"
    "结束时刻是首次查询到已入库、或首次在大屏上看到的时刻，因此只会偏大。",
    "Waits begin when an event was due by the schedule, never when a held-up generator got round to it (no coordinated "
    "omission). They end at the first sample that shows it stored, or on the wall, so they are never too short.",
)
_BROKERS: Final = {
    "kafka": Text("真实 Kafka", "a real Kafka"),
    "embedded": Text("内嵌消息代理（供试用）", "the embedded broker (a mock)"),
    "existing": Text("设置中的 Kafka 与存储", "brokers of the settings"),
}
_SHAPES_ZH: Final = {"steady": "恒定", "burst": "突发", "ramp-to-limit": "递增至上限"}


@dataclass(frozen=True)
class TextTable:
    """What stands above each column, and the rows; numbers read the same in both languages."""

    head: Sequence[Text]
    rows: Sequence[Sequence[Text]]


def both(text: Text) -> str:
    """Return it in Chinese, then in English."""
    return text.en if text.zh == text.en else f"{text.zh} {text.en}"


def verdict(result: LoadResult) -> Text:
    """State first whether every count is right."""
    sent, counted, difference = result.verdict.sent, result.verdict.counted, result.verdict.difference
    if result.ok:
        return Text(
            f"计数完全一致：发送 {sent:,} 条，计入 {counted:,} 条，差异 0",
            f"Every count is right: {sent:,} sent, {counted:,} counted, difference 0",
        )
    if not sent:
        return Text("没有发送任何事件，无法证明", "Nothing was sent: nothing is proven")
    if not difference:
        return Text(
            "计数一致，但未能确认全部事件都已入库", "Counts are equal, but not everything was seen to be stored in time"
        )
    return Text(
        f"计数不一致：发送 {sent:,} 条，计入 {counted:,} 条，差异 {difference:,}",
        f"Counts differ: {sent:,} sent, {counted:,} counted, difference {difference:,}",
    )


def speed(result: LoadResult) -> Text:
    """State how much came, and how long an event took."""
    shown = result.shown
    stored = f"{shown.stored.p99:,} ms" if shown.stored else "?"
    wall = f"{shown.wall.p99:,} ms" if shown.wall else "?"
    return Text(
        f"每秒 {shown.rate:,.0f} 条；99% 的事件在 {stored} 内入库，99% 的进场在 {wall} 内上屏",
        f"{shown.rate:,.0f} events a second; 99 of 100 stored within {stored}, 99 of 100 entries shown within {wall}",
    )


def limit(found: HighestRate) -> Text:
    """State which rate was the highest that held, and why a higher one did not."""
    why = cause(found.cause) if found.cause else Text("", "")
    failed = f"{found.failed_rate or 0:,.0f}"
    if found.rate is None:
        return Text(
            f"所试速率均未达标，最低为每秒 {failed} 条，原因：{why.zh}",
            f"No rate that was tried held, down to {failed} events a second: {why.en}",
        )
    above = Text("未试更高速率", "nothing higher was tried")
    if found.failed_rate is not None:
        above = Text(f"每秒 {failed} 条未达标，原因：{why.zh}", f"{failed} did not hold: {why.en}")
    return Text(
        f"上限：每秒 {found.rate:,.0f} 条（99% 的事件在 1 秒内入库）；{above.zh}",
        f"Highest rate: {found.rate:,.0f} events a second (99 of 100 stored within 1 s); {above.en}",
    )


def cause(found: Bottleneck) -> Text:
    """State what was at its limit."""
    if found.kind == "generator":
        return Text("负载发生器达到极限，系统本身可能更快", "the generator was at its limit; the system may be faster")
    if found.kind == "process":
        return Text(f"进程 {found.name} 占满一个处理器核", f"process {found.name} had its core full")
    if found.kind == "machine":
        users = ", ".join(found.users)
        return Text(f"整机处理器占满（{users}）", f"all processors of the machine were full ({users})")
    return Text("没有进程占满处理器：时间花在相互等待上", "no process was full: the time went into waiting")


def setup(result: LoadResult) -> Text:
    """Describe what was tried; how many workers an installation has is not known."""
    given, broker, cores = result.options, _BROKERS[result.place], result.cores
    workers = given.workers if result.place != "existing" else 0
    workers_zh = f"，{workers} 个工作进程" if workers else ""
    workers_en = f", {workers} worker{'s' if workers > 1 else ''}" if workers else ""
    distortion_zh = f"；扰动 {given.distortion}" if given.distortion else ""
    distortion_en = f"; distorted by {given.distortion}" if given.distortion else ""
    return Text(
        f"负载：{_SHAPES_ZH[given.shape]}，{given.size_text}，{given.seconds:g} 秒；{broker.zh}{workers_zh}，"
        f"{given.generators} 个发生器，{cores} 个处理器核{distortion_zh}",
        f"Load: {given.shape}, {given.size_text}, {given.seconds:g} s; on {broker.en}{workers_en}, "
        f"{given.generators} generator{'s' if given.generators > 1 else ''}, {cores} processor cores{distortion_en}",
    )


def summary(result: LoadResult) -> Text:
    """State how fast the generators are, how many events waited, and which alarms were raised."""
    most, alarms = result.shown.most_waiting, ", ".join(f"{rule} {count}" for rule, count in result.alarms.items())
    return Text(
        f"发生器自身每秒可发 {result.ceiling:,.0f} 条（开始前实测）；Kafka 中最多等待 {most:,} 条；"
        f"触发告警：{alarms or '无'}",
        f"the generators can send {result.ceiling:,.0f}/s; at most {most:,} events waited in Kafka; "
        f"alarms raised: {alarms or 'none'}",
    )


def waits(shown: TrialFigures) -> TextTable:
    """Return the percentiles, the maximum and the number of events; dashes where nothing was seen."""
    columns = (*PERCENTILES, "max", "count")
    rows = []
    for name, title in WAITS.items():
        found = getattr(shown, name)
        rows.append((title, *_plain(*("–" if found is None else f"{getattr(found, each):,}" for each in columns))))
    return TextTable((Text("毫秒", "from due, ms"), *_plain(*columns[:-1]), Text("事件", "events")), rows)


def trials(tried: Sequence[TrialFigures]) -> TextTable:
    """Return what came of each rate that was tried."""
    head = (
        Text("目标", "target/s"), Text("实际", "delivered/s"), Text("入库", "p99 stored, ms"),
        Text("最多等待", "most waiting"), Text("瓶颈", "at its limit"),
    )  # fmt: skip
    rows = []
    for each in tried:
        p99 = f"{each.stored.p99:,}" if each.stored else "–"
        figures = _plain(f"{each.target:,.0f}", f"{each.rate:,.0f}", p99, f"{each.most_waiting:,}")
        rows.append((*figures, cause(each.cause)))
    return TextTable(head, rows)


def processes(result: LoadResult) -> TextTable:
    """Return what each process used, and last the whole machine."""
    shown, cores = result.shown, result.cores
    head = Text("进程", "process"), Text("核", "cores"), Text("最高", "at most"), Text("内存", "memory MB")
    rows = [_plain(use.name, f"{use.cores:.2f}", f"{use.most_cores:.2f}", f"{use.memory_mb:,}") for use in shown.uses]
    total = Text("整机", "whole machine"), *_plain(f"{shown.machine_share * cores:.2f}", f"of {cores}", "")
    return TextTable(head, [*rows, total])


def views(result: LoadResult) -> TextTable:
    """Return how many rows of each view were compared, and how many differ."""
    head = Text("视图", "view"), Text("已比对行", "rows compared"), Text("不同", "different")
    compared = result.verdict.views.items()
    return TextTable(head, [_plain(name, f"{each.compared:,}", f"{each.different:,}") for name, each in compared])


def _plain(*cells: str) -> tuple[Text, ...]:
    return tuple(Text(cell, cell) for cell in cells)
