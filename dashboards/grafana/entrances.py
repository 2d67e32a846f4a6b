"""The dashboard for the entrances for persons: who comes in where, who is refused, queues and devices."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from dashboards.grafana import entrance_queries as ask
from dashboards.grafana.frame import (
    ENTRANCES_UID,
    chosen,
    entrances_for,
    new_dashboard,
    vitals,
    with_alarms,
    with_panels,
)
from dashboards.grafana.panels import (
    COUNT,
    PER_MINUTE,
    Look,
    PanelBuilder,
    PanelSpec,
    bars,
    cell,
    columns,
    number,
    rows,
)
from dashboards.grafana.theme import ANY, fixed, thresholds
from streams.site.model import Site
from streams.text import Kind

_REFUSALS = ((10, "yellow"), (25, "orange"))
"""Per cent of all who tried; the limits of the alarm `refusals`."""


def entrances(site: Site) -> Dashboard:
    """Build the dashboard *Entrances*."""
    board = new_dashboard(
        "出入口 / Entrances", ENTRANCES_UID,
        about="人员出入口的进出、拒绝、排队与设备。 Persons through the entrances: flows, refusals, queues, devices.",
        site=site, refresh="10s", hours=3,
    )  # fmt: skip
    board.with_variable(chosen("entrance", "出入口 / Entrance", entrances_for(site, "person")))
    board.with_variable(chosen("category", "证件类型 / Category", site.categories))
    today = [passages(site, "person", "in", 8), passages(site, "person", "out", 8), _refused()]
    flows = [flow(site, "person", "in"), flow(site, "person", "out")]
    who = [categories(site, "person"), by_category(site, "person"), _reasons()]
    panels = [*vitals(site), *today, *flows, *who, totals(site, "person", 8), _queues(site), devices(site, 8)]
    return with_alarms(with_panels(board, panels), site)


def passages(site: Site, kind: Kind, direction: str, width: int) -> PanelBuilder:
    """Show how often the chosen entrances were passed today, one way."""
    zh, en = ("进", "In") if direction == "in" else ("出", "Out")
    spec = PanelSpec(
        f"今日{zh} / {en} today",
        "所选出入口与类型，按场地时区的一天。 Through the chosen entrances, chosen categories, on the site's day.",
        COUNT, width, 4,
    )  # fmt: skip
    return number(spec, ask.passages_today(site, kind, direction), Look(colour=fixed(direction)))


def _refused() -> PanelBuilder:
    spec = PanelSpec(
        "拒绝率 / Refused",
        "所选时段内被拒绝的占比；10 % 黄色，25 % 橙色。 "
        "Of all who tried in the range; yellow from 10 %, orange from 25 %.",
        "percent", 8, 4, decimals=1,
    )  # fmt: skip
    return number(spec, ask.refusals_share("person"), Look(limits=thresholds(_REFUSALS, calm="good")))


def flow(site: Site, kind: Kind, direction: str) -> PanelBuilder:
    """Show the flow one way through each chosen entrance."""
    zh, en = ("进", "In") if direction == "in" else ("出", "Out")
    spec = PanelSpec(
        f"各出入口{zh}流量 / {en} by entrance",
        "每分钟；只显示已完整收到的时段。 Per minute; spans that are not complete yet are left out.",
        PER_MINUTE, 12, 9, decimals=1,
    )  # fmt: skip
    return columns(spec, ask.flow_by_entrance(site, kind, direction), named="entrance_title")


def categories(site: Site, kind: Kind) -> PanelBuilder:
    """Show who came in today, by category."""
    spec = PanelSpec(
        "今日进场按类型 / In today by category",
        "所选出入口。 Through the chosen entrances.",
        COUNT, 8, 8,
    )  # fmt: skip
    return bars(spec, ask.categories_today(site, kind), Look(colour=fixed("in")))


def by_category(site: Site, kind: Kind) -> PanelBuilder:
    """Show the flow in, by category."""
    spec = PanelSpec(
        "进场流量按类型 / Flow in by category",
        "每分钟；只显示已完整收到的时段。 Per minute; spans that are not complete yet are left out.",
        PER_MINUTE, 8, 8, decimals=1,
    )  # fmt: skip
    return columns(spec, ask.flow_by_category(site, kind), named="type")


def _reasons() -> PanelBuilder:
    spec = PanelSpec(
        "拒绝原因 / Refusals by reason",
        "每分钟。 Per minute.",
        PER_MINUTE, 8, 8, decimals=1,
    )  # fmt: skip
    return columns(spec, ask.refusals_by_reason("person"), named="why")


def totals(site: Site, kind: Kind, width: int) -> PanelBuilder:
    """List the chosen entrances with today's passages."""
    spec = PanelSpec(
        "今日各出入口 / Entrances today",
        "按进出合计排序。 The busiest first.",
        COUNT, width, 10,
    )  # fmt: skip
    return rows(spec, ask.totals(site, kind))


def _queues(site: Site) -> PanelBuilder:
    spec = PanelSpec(
        "排队推算 / Queues, estimated",
        "等候与清空以分钟计；为推算值，仅凭通行数无法判断时为空。 "
        "Minutes to wait and until the queue is gone; estimated, and empty where passages alone cannot tell.",
        "m", 8, 10, decimals=1,
    )  # fmt: skip
    persons, lanes = [cell("unit", COUNT), cell("decimals", 0)], [cell("unit", "none"), cell("decimals", 0)]
    return rows(spec, ask.queues(site), **{"排队 / Waiting": persons, "开放通道 / Open lanes": lanes})


def devices(site: Site, width: int) -> PanelBuilder:
    """List the devices of the chosen entrances and what is missing from them."""
    spec = PanelSpec(
        "设备 / Devices",
        "缺失为设备已编号而未收到的事件。 Missing: events that the device has numbered and that have not come.",
        COUNT, width, 10,
    )  # fmt: skip
    steps = thresholds(ANY, calm="text").build().to_json()
    missing = [cell("thresholds", steps), cell("custom.cellOptions", {"type": "color-text"})]
    return rows(spec, ask.lanes(site), **{"缺失 / Missing": missing})
