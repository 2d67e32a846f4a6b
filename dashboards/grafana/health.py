"""The dashboard for the platform itself, from Prometheus: workers, lag, what was not counted, store, alarms, audit.

The metrics are declared in `streams/worker/metrics.py`, `streams/worker/process_ends.py`, `streams/audit/watch.py`
and `infra/relay/metrics.py`.
"""

from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.grafana.frame import new_dashboard
from dashboards.grafana.panels import COUNT, Look, Metric, PanelBuilder, PanelSpec, lines, number
from dashboards.grafana.theme import thresholds
from streams.site.model import Site

_PER_SECOND = "suffix:/s"
_RATE = "[$__rate_interval]"
_NEWEST = "gatepulse_entrance_last_event_timestamp_seconds"
_OPEN = "max by (rule, subject, kind, level) (gatepulse_alarm_episode)"
_REFUSED = 'gatepulse_relay_failed_total{how="refused"}'
_BAD = ((1, "red"),)


def health(site: Site) -> Dashboard:
    """Build the dashboard *Pipeline health*."""
    return new_dashboard(
        "平台健康 / Pipeline health", "health",
        about="计数进程、延迟、缺失、存储与审计。 Workers, lag, what is missing, the store, audits.",
        site=site, refresh="5s", hours=1, panels=[*_now(), *_events(), *_durations(), *_places(), *_people()],
    )  # fmt: skip


def _now() -> Iterator[PanelBuilder]:
    yield _tile(
        "计数进程 / Workers", "有响应的进程数。 Workers that answer.", 'sum(up{job="gatepulse-worker"})', COUNT,
        [(1, "good")], calm="red",
    )  # fmt: skip
    yield _tile(
        "显示延迟中位数 / Delay, median", "事件时间到可见，近 5 分钟。 Event time to row visible, last 5 minutes.",
        _quantile("0.5", "gatepulse_end_to_end_seconds", "[5m]"), "s", [(5, "yellow"), (30, "red")], decimals=2,
    )  # fmt: skip
    yield _tile(
        "收支差 / Unaccounted", "收到而不知去向的行；应为 0。 Lines received of which nothing became; should be 0.",
        "max(abs(gatepulse_identity_violated))", COUNT, _BAD,
    )  # fmt: skip
    yield _tile(
        "已知缺失 / Known missing", "设备已编号而未收到。 Numbered by devices, not received.",
        "sum(gatepulse_missing_events)", COUNT, [(1, "yellow")],
    )  # fmt: skip
    yield _tile(
        "搁置批次 / Parked batches", "存储拒收、等待处理。 Refused by the store, waiting.",
        "sum(gatepulse_parked_batches)", COUNT, [(1, "orange")],
    )  # fmt: skip
    yield _tile(
        "审计差异 / Audit", "公布数字与原始记录不符的行数。 Published rows that are not what the raw passages say.",
        "max(gatepulse_audit_differences)", COUNT, _BAD,
    )  # fmt: skip


def _events() -> Iterator[PanelBuilder]:
    fates = {"received": "收到 / received", "counted": "计入 / counted", "duplicate": "重复 / duplicate"}
    fates |= {"late": "迟到 / late", "rejected": "拒收 / rejected", "conflicts": "冲突 / conflicts"}
    yield _graph(
        "事件速率 / Events",
        "收到 = 计入 + 重复 + 迟到 + 拒收 + 冲突。 received = counted + duplicate + late + rejected + conflicts.",
        _PER_SECOND,
        [Metric(f"sum(rate(gatepulse_events_{fate}_total{_RATE}))", legend) for fate, legend in fates.items()],
    )  # fmt: skip
    yield _graph(
        "拒收原因 / Rejected by reason", "每秒行数；详情见视图 rejections。 Lines a second; see the view rejections.",
        _PER_SECOND,
        [Metric(f"sum by (reason) (rate(gatepulse_events_rejected_total{_RATE}))", "{{reason}}")],
    )  # fmt: skip


def _durations() -> Iterator[PanelBuilder]:
    yield _graph(
        "端到端延迟 / End to end", "事件时间到可见。 Event time to row visible.", "s",
        [Metric(_quantile(q, "gatepulse_end_to_end_seconds"), f"p{float(q) * 100:g}") for q in ("0.5", "0.99")],
    )  # fmt: skip
    yield _graph(
        "写入与检查点 / Inserts and checkpoints", "第 99 百分位。 99th percentile.", "s",
        [
            Metric(_quantile("0.99", "gatepulse_store_insert_seconds"), "写入 / insert"),
            Metric(_quantile("0.99", "gatepulse_checkpoint_seconds"), "检查点 / checkpoint"),
            Metric("max(gatepulse_store_waiting_seconds)", "等待存储 / waiting for the store"),
        ],
    )  # fmt: skip


def _places() -> Iterator[PanelBuilder]:
    yield _graph(
        "各出入口静默时间 / Since the newest event", "距最新事件的秒数，最久的 10 个。 The 10 longest.", "s",
        [Metric(f"topk(10, time() - max by (entrance) ({_NEWEST}))", "{{entrance}}")],
    )  # fmt: skip
    yield _graph(
        "各出入口缺失 / Missing by entrance", "已编号而未收到的事件。 Numbered, and not received.", COUNT,
        [Metric("sum by (entrance) (gatepulse_missing_events) > 0", "{{entrance}}")],
    )  # fmt: skip


def _people() -> Iterator[PanelBuilder]:
    yield _graph(
        "进程结束与日志缺口 / Ends and holes", "15 分钟内次数。 Within 15 minutes.", COUNT,
        [
            Metric("sum by (reason) (increase(gatepulse_worker_ends_total[15m]))", "{{reason}}"),
            Metric("sum(increase(gatepulse_holes_total[15m]))", "缺口 / holes"),
        ],
    )  # fmt: skip
    yield _graph(
        "报警与推送 / Alarms and robots", "未解除的报警；未送达的消息。 Open alarms; messages not delivered.", COUNT,
        [
            Metric(f"count by (level) ({_OPEN})", "{{level}}"),
            Metric("sum by (robot) (gatepulse_relay_waiting)", "等待 / waiting: {{robot}}"),
            Metric(f"sum by (robot) (increase({_REFUSED}[10m]))", "拒收 / refused: {{robot}}"),
        ],
    )  # fmt: skip


def _quantile(q: str, histogram: str, window: str = _RATE) -> str:
    return f"histogram_quantile({q}, sum by (le) (rate({histogram}_bucket{window})))"


def _tile(
    title: str, about: str, expr: str, unit: str, steps: Sequence[tuple[float, str]], *, calm: str = "good",
    decimals: int = 0,
) -> PanelBuilder:  # fmt: skip
    return number(
        PanelSpec(title, about, unit, 4, 4, decimals), Metric(expr), Look(limits=thresholds(steps, calm=calm))
    )


def _graph(title: str, about: str, unit: str, metrics: Sequence[Metric]) -> PanelBuilder:
    return lines(PanelSpec(title, about, unit, 12, 7, decimals=1 if unit == _PER_SECOND else 0), metrics)
