"""What alarms are called, in Chinese and English: the one list for robots' messages and for the wall; pure.

What to do about an alarm is in `infra/relay/advice.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.site import Site, Title


@dataclass(frozen=True)
class Said:
    """The same in two languages."""

    zh: str
    en: str


LEVEL_NAMES: Final[Mapping[str, Said]] = {
    "yellow": Said("黄色", "YELLOW"),
    "orange": Said("橙色", "ORANGE"),
    "red": Said("红色", "RED"),
}

STATE_NAMES: Final[Mapping[str, Said]] = {
    "raised": Said("新告警", "raised"),
    "escalated": Said("升级", "escalated"),
    "deescalated": Said("降级", "de-escalated"),
    "repeated": Said("仍未解除", "still on"),
    "acknowledged": Said("已确认", "acknowledged"),
    "shelved": Said("已搁置", "shelved"),
    "unshelved": Said("恢复提醒", "no longer shelved"),
    "cleared": Said("已解除", "cleared"),
}
"""What has happened to an episode; a change is told with one of these."""

UNACKNOWLEDGED: Final = Said("未确认", "not acknowledged")

RULE_NAMES: Final[Mapping[str, Said]] = {
    "entrance-overload": Said("入口超载", "entrance overload"),
    "vehicle-overload": Said("车辆入口超载", "vehicle entrance overload"),
    "area-capacity": Said("区域容量", "area capacity"),
    "silence": Said("无数据", "silence"),
    "silence-lane": Said("通道无数据", "silent lane"),
    "silence-entrance": Said("入口无数据", "silent entrance"),
    "silence-gateway": Said("网关无数据", "silent gateway"),
    "silence-everything": Said("全场无数据", "everything is silent"),
    "drift": Said("计数漂移", "drift of the count"),
    "drift-entrance": Said("入口漏计", "entrance with missing events"),
    "source-unread": Said("数据源未读取", "source is not read"),
    "source-time": Said("数据源时间异常", "source with wrong times"),
    "conflicts": Said("编号重复而内容不同", "same number, other content"),
    "unprocessable": Said("事件无法处理", "events that cannot be processed"),
    "refusals": Said("拒绝通行偏多", "many refusals"),
    "health": Said("健康状态异常", "abnormal health status"),
    "platform": Said("平台", "platform"),
}

UNITS: Final[Mapping[str, Said]] = {
    "persons/min/lane": Said("人/分钟/通道", "persons/min/lane"),
    "vehicles/min/lane": Said("辆/分钟/通道", "vehicles/min/lane"),
    "persons": Said("人", "persons"),
    "vehicles": Said("辆", "vehicles"),
    "events": Said("条", "events"),
    "lines": Said("行", "lines"),
    "s": Said("秒", "s"),
    "min": Said("分钟", "min"),
}

KIND_NAMES: Final[Mapping[str, Said]] = {"person": Said("人员", "persons"), "vehicle": Said("车辆", "vehicles")}


def rule_name(rule: str) -> Said | None:
    """Return what a rule is called; of one that is not known, the name of its family."""
    return RULE_NAMES.get(rule) or RULE_NAMES.get(rule.split("-", maxsplit=1)[0])


def titles_of(site: Site) -> dict[str, Title]:
    """Return the titles of what an alarm may be about: site, areas, entrances; a lane has that of its entrance."""
    titles = {lane: each.title for each in site.entrances for lane in each.lanes} | {site.id: site.title}
    return titles | {each.id: each.title for each in site.areas} | {each.id: each.title for each in site.entrances}


def duration(ms: int) -> Said:
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
    return Said(" ".join(f"{n} {zh}" for n, zh, _ in shown), " ".join(f"{n} {en}" for n, _, en in shown))
