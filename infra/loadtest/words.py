"""The sentences of a load test's report, in Chinese and English. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.text import Text

if TYPE_CHECKING:
    from infra.loadtest.bottleneck import Bottleneck
    from infra.loadtest.report import HighestRate, LoadResult, Setup


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
    if found.rate is None:
        return Text(
            f"所试速率均未达标，最低为每秒 {found.failed_rate or 0:,.0f} 条，原因：{why.zh}",
            f"No rate that was tried held, down to {found.failed_rate or 0:,.0f} events a second: {why.en}",
        )
    held = Text(
        f"上限：每秒 {found.rate:,.0f} 条（99% 的事件在 1 秒内入库）",
        f"Highest rate: {found.rate:,.0f} events a second (99 of 100 stored within 1 s)",
    )
    if found.failed_rate is None or found.cause is None:
        return Text(
            f"{held.zh}；未试更高速率",
            f"{held.en}; nothing higher was tried",
        )
    return Text(
        f"{held.zh}；每秒 {found.failed_rate:,.0f} 条未达标，原因：{why.zh}",
        f"{held.en}; {found.failed_rate:,.0f} did not hold: {why.en}",
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


def setup(given: Setup) -> Text:
    """Describe what was tried."""
    broker_zh = {"kafka": "真实 Kafka", "embedded": "内嵌消息代理（供试用）", "existing": "设置中的 Kafka 与存储"}
    broker_en = {
        "kafka": "a real Kafka", "embedded": "the embedded broker (a mock)", "existing": "brokers of the settings",
    }  # fmt: skip
    shape_zh = {"steady": "恒定", "burst": "突发", "ramp-to-limit": "递增至上限"}
    zh = f"负载：{shape_zh[given.shape]}，{given.load}，{given.seconds:g} 秒；{broker_zh[given.place]}"
    en = f"Load: {given.shape}, {given.load}, {given.seconds:g} s; on {broker_en[given.place]}"
    workers_zh = f"，{given.workers} 个工作进程" if given.workers else ""
    workers_en = f", {given.workers} worker{'s' if given.workers > 1 else ''}" if given.workers else ""
    distortion_zh = f"；扰动 {given.distortion}" if given.distortion else ""
    distortion_en = f"; distorted by {given.distortion}" if given.distortion else ""
    return Text(
        f"{zh}{workers_zh}，{given.generators} 个发生器，{given.cores} 个处理器核{distortion_zh}",
        f"{en}{workers_en}, {given.generators} generator{'s' if given.generators > 1 else ''}, "
        f"{given.cores} processor cores{distortion_en}",
    )


HOW = Text(
    "等待时间从事件按计划应发生的时刻算起，而不是从发生器实际发出的时刻；发生器受阻的时间也计入（无协同遗漏）。"
    "结束时刻是首次查询到已入库、或首次在大屏上看到的时刻，因此只会偏大。",
    "Waits begin when an event was due by the schedule, never when a held-up generator got round to it (no coordinated "
    "omission). They end at the first sample that shows it stored, or on the wall, so they are never too short.",
)
