"""Names of alarm rules, levels, states and units in Chinese and English, for all who show alarms.

What to do about an alarm is in `advice.py`; sentences are in `sentences.py`.
"""

from collections.abc import Mapping
from typing import Final

from streams.site.model import Site
from streams.text import Text

LEVEL_NAMES: Final[Mapping[str, Text]] = {
    "yellow": Text("黄色", "YELLOW"),
    "orange": Text("橙色", "ORANGE"),
    "red": Text("红色", "RED"),
}

_RANKS: Final[Mapping[str, int]] = {"yellow": 0, "orange": 1, "red": 2}

STATE_NAMES: Final[Mapping[str, Text]] = {
    "raised": Text("新告警", "raised"),
    "escalated": Text("升级", "escalated"),
    "deescalated": Text("降级", "de-escalated"),
    "repeated": Text("仍未解除", "still on"),
    "acknowledged": Text("已确认", "acknowledged"),
    "shelved": Text("已搁置", "shelved"),
    "unshelved": Text("恢复提醒", "no longer shelved"),
    "cleared": Text("已解除", "cleared"),
}
"""What has happened to an episode; a message about a change names one of these."""

UNACKNOWLEDGED: Final = Text("未确认", "not acknowledged")

RULE_NAMES: Final[Mapping[str, Text]] = {
    "entrance-overload": Text("入口超载", "entrance overload"),
    "vehicle-overload": Text("车辆入口超载", "vehicle entrance overload"),
    "area-capacity": Text("区域容量", "area capacity"),
    "silence": Text("无数据", "silence"),
    "silence-lane": Text("通道无数据", "silent lane"),
    "silence-entrance": Text("入口无数据", "silent entrance"),
    "silence-gateway": Text("网关无数据", "silent gateway"),
    "silence-everything": Text("全场无数据", "everything is silent"),
    "drift": Text("计数漂移", "drift of the count"),
    "drift-entrance": Text("入口漏计", "entrance with missing events"),
    "source-unread": Text("数据源未读取", "source is not read"),
    "source-time": Text("数据源时间异常", "source with wrong times"),
    "conflicts": Text("编号重复而内容不同", "same number, other content"),
    "unprocessable": Text("事件无法处理", "events that cannot be processed"),
    "refusals": Text("拒绝通行偏多", "many refusals"),
    "health": Text("健康状态异常", "abnormal health status"),
    "platform": Text("平台", "platform"),
}

UNITS: Final[Mapping[str, Text]] = {
    "persons/min/lane": Text("人/分钟/通道", "persons/min/lane"),
    "vehicles/min/lane": Text("辆/分钟/通道", "vehicles/min/lane"),
    "persons": Text("人", "persons"),
    "vehicles": Text("辆", "vehicles"),
    "events": Text("条", "events"),
    "lines": Text("行", "lines"),
    "s": Text("秒", "s"),
    "min": Text("分钟", "min"),
}

KIND_NAMES: Final[Mapping[str, Text]] = {"person": Text("人员", "persons"), "vehicle": Text("车辆", "vehicles")}


def rank(level: str) -> int:
    """Tell how bad a level is; one that is not known is as bad as can be."""
    return _RANKS.get(level, len(_RANKS))


def place_titles(site: Site) -> dict[str, Text]:
    """Return the titles of site, areas and entrances; Grafana shows lanes and gateways by their ids, which say more."""
    titles = {area.id: area.title for area in site.areas} | {each.id: each.title for each in site.entrances}
    return {site.id: site.title} | titles


def duration(ms: int) -> Text:
    """Say a duration in its two largest units, down to seconds; one below zero is none."""
    seconds = max(0, ms) // 1000
    parts = [
        (seconds // 86_400, "天", "d"),
        (seconds // 3600 % 24, "小时", "h"),
        (seconds // 60 % 60, "分", "min"),
        (seconds % 60, "秒", "s"),
    ]
    first = next((place for place, (n, _, _) in enumerate(parts) if n), 3)
    shown = [part for part in parts[first : first + 2] if part[0] or first == 3]
    return Text(" ".join(f"{n} {zh}" for n, zh, _ in shown), " ".join(f"{n} {en}" for n, _, en in shown))
