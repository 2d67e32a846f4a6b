"""What each alarm is called, and what to do about it, by rule and level; in Chinese and English.

Sources: announce at 80 % of the capacity and stop admission at 100 % (LB/T 034-2014); a person whose health status is
abnormal is led away by the zone's security team through the special passage, and faults are answered on three levels:
on the spot, by remote guidance, by a spare part of the zone (documents of the expo). The rest is plain sense.
"""

from dataclasses import dataclass
from typing import Final

from infra.relay.notice import Level


@dataclass(frozen=True)
class Said:
    """The same in two languages."""

    zh: str
    en: str


LEVEL_NAMES: Final[dict[Level, Said]] = {
    "yellow": Said("黄色", "YELLOW"),
    "orange": Said("橙色", "ORANGE"),
    "red": Said("红色", "RED"),
}
LEVEL_SIGNS: Final[dict[Level, str]] = {"yellow": "🟡", "orange": "🟠", "red": "🔴"}

STATE_NAMES: Final = {
    "raised": Said("新告警", "raised"),
    "escalated": Said("升级", "escalated"),
    "deescalated": Said("降级", "de-escalated"),
    "repeated": Said("仍未解除", "still on"),
    "acknowledged": Said("已确认", "acknowledged"),
    "shelved": Said("已搁置", "shelved"),
    "unshelved": Said("恢复提醒", "no longer shelved"),
    "cleared": Said("已解除", "cleared"),
}

RULE_NAMES: Final = {
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
    "refusals": Said("拒绝通行偏多", "many refusals"),
    "health": Said("健康状态异常", "abnormal health status"),
    "platform": Said("平台", "platform"),
}

UNITS: Final = {
    "persons/min/lane": Said("人/分钟/通道", "persons/min/lane"),
    "vehicles/min/lane": Said("辆/分钟/通道", "vehicles/min/lane"),
    "persons": Said("人", "persons"),
    "vehicles": Said("辆", "vehicles"),
    "events": Said("条", "events"),
    "s": Said("秒", "s"),
    "min": Said("分钟", "min"),
}

_LANES: Final = Said(
    "加开通道，引导人员到相邻入口；等候超过 10 分钟时向指挥中心报告。",
    "Open more lanes and guide people to the next entrance; report to the command centre if they wait for 10 min.",
)
_ESCORT: Final = Said(
    "健康状态异常人员由{team}经专用通道引导离开；核对测温和核验设备。",
    "{team} leads persons with an abnormal health status away through the special passage; check the readers.",
)
_FAULT: Final = Said(
    "派人到现场查看设备、电源和网络；现场解决不了的远程指导，重大故障用责任区备件更换。",
    "Look at device, power and network on the spot; else ask for remote guidance; major faults: the zone's spare part.",
)

_TODO: Final[dict[str, dict[Level, Said]]] = {
    "entrance-overload": {
        "yellow": _LANES,
        "orange": _LANES,
        "red": Said(
            "立即加开全部通道并分流，入口外设缓冲区，增派人员维持秩序。",
            "Open all lanes at once and divert people; hold them in a buffer area outside, and send more officers.",
        ),
    },
    "vehicle-overload": {
        "yellow": _LANES,
        "orange": Said("加开车道，引导车辆到其他停车场。", "Open more lanes and guide vehicles to other car parks."),
    },
    "area-capacity": {
        "yellow": Said(
            "达到容量 80%：广播提示并上报，准备分流。",
            "80 % of the capacity: announce it, report it, prepare to divert.",
        ),
        "orange": Said(
            "达到容量 90%：只出不进或单进多出，引导人员到其他区域。",
            "90 % of the capacity: slow the entries, open more exits, guide people to other areas.",
        ),
        "red": Said(
            "达到核定容量：立即停止放行进入，只出不进，逐级上报。",
            "The approved capacity is reached: stop admission now, let people out only, report upwards.",
        ),
    },
    "silence": {"yellow": _FAULT, "orange": _FAULT, "red": _FAULT},
    "drift": {
        "orange": Said(
            "核对告警所列入口的进出计数，现场清点后录入更正。",
            "Check the counts of the gate named here; count on the spot and enter a correction.",
        ),
    },
    "refusals": {"yellow": _ESCORT, "orange": _ESCORT, "red": _ESCORT},
    "health": {"orange": _ESCORT},
}
_OTHERWISE: Final = Said("到现场查看并报告指挥中心。", "Look at it on the spot, and report to the command centre.")
_WHEN_OVER: Final = Said("恢复正常值守。", "Back to normal duty.")


def rule_name(rule: str) -> Said | None:
    """Return what a rule is called; of one that is not known, the name of its family."""
    return RULE_NAMES.get(rule) or RULE_NAMES.get(rule.split("-", maxsplit=1)[0])


def todo(rule: str, level: Level, *, over: bool) -> Said:
    """Return what to do; `{team}` stands in it for the zone's team."""
    if over:
        return _WHEN_OVER
    by_level = _TODO.get(rule) or _TODO.get(rule.split("-", maxsplit=1)[0], {})
    return by_level.get(level) or next(iter(by_level.values()), _OTHERWISE)
