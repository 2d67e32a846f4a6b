"""Texts that advise what to do about an alarm, by rule and level, in two languages; its names: `alarm_words.py`.

Sources: announce at the first level of the capacity and stop admission at the last (LB/T 034-2014); a person
whose health status is abnormal is led away by the zone's security team through the special passage, and faults are
answered on three levels: on the spot, by remote guidance, by a spare part of the zone (documents of the expo). The
rest is plain sense.
"""

from typing import Final

from streams.text import Text

LEVEL_SIGNS: Final[dict[str, str]] = {"yellow": "🟡", "orange": "🟠", "red": "🔴"}

_LANES: Final = Text(
    "加开通道，引导人员到相邻入口；等候超过 10 分钟时向指挥中心报告。",
    "Open more lanes and guide people to the next entrance; report to the command centre if they wait for 10 min.",
)
_ESCORT: Final = Text(
    "健康状态异常人员由{team}经专用通道引导离开；核对测温和核验设备。",
    "{team} leads persons with an abnormal health status away through the special passage; check the readers.",
)
_FAULT: Final = Text(
    "派人到现场查看设备、电源和网络；现场解决不了的远程指导，重大故障用责任区备件更换。",
    "Look at device, power and network on the spot; else ask for remote guidance; major faults: the zone's spare part.",
)
_SOURCE: Final = Text(
    "通知平台值班工程师：运行 gatepulse logs show 查看原因和处理办法；在此之前不要依据相关数字调度。",
    "Call the platform's engineer: `gatepulse logs show` says why and what to do; do not steer by these figures.",
)

_TODO: Final[dict[str, dict[str, Text]]] = {
    "entrance-overload": {
        "yellow": _LANES,
        "orange": _LANES,
        "red": Text(
            "立即加开全部通道并分流，入口外设缓冲区，增派人员维持秩序。",
            "Open all lanes at once and divert people; hold them in a buffer area outside, and send more officers.",
        ),
    },
    "vehicle-overload": {
        "yellow": _LANES,
        "orange": Text("加开车道，引导车辆到其他停车场。", "Open more lanes and guide vehicles to other car parks."),
    },
    "area-capacity": {
        "yellow": Text(
            "达到容量 {limit}%：广播提示并上报，准备分流。",
            "{limit} % of the capacity: announce it, report it, prepare to divert.",
        ),
        "orange": Text(
            "达到容量 {limit}%：只出不进或单进多出，引导人员到其他区域。",
            "{limit} % of the capacity: slow the entries, open more exits, guide people to other areas.",
        ),
        "red": Text(
            "达到容量 {limit}%：立即停止放行进入，只出不进，逐级上报。",
            "{limit} % of the capacity: stop admission now, let people out only, report upwards.",
        ),
    },
    "silence": {"yellow": _FAULT, "orange": _FAULT, "red": _FAULT},
    "drift": {
        "orange": Text(
            "核对告警所列入口的进出计数，现场清点后录入更正。",
            "Check the counts of the gate named here; count on the spot and enter a correction.",
        ),
    },
    "source": {"orange": _SOURCE, "red": _SOURCE},
    "unprocessable": {
        "orange": Text(
            "平台无法处理该分区的个别事件，其余照常计数：查视图 rejections（reason 为 unprocessable），"
            "将位置与哈希报平台工程师。",
            "The platform fails on single events of this partition; all others count: see the view rejections (reason "
            "unprocessable), and give the engineer their positions and hashes.",
        ),
    },
    "refusals": {"yellow": _ESCORT, "orange": _ESCORT, "red": _ESCORT},
    "health": {"orange": _ESCORT},
}
_OTHERWISE: Final = Text("到现场查看并报告指挥中心。", "Look at it on the spot, and report to the command centre.")
_WHEN_OVER: Final = Text("恢复正常值守。", "Back to normal duty.")


def todo(rule: str, level: str, *, over: bool) -> Text:
    """Return what to do; `{team}` stands in it for the zone's team, `{limit}` for the limit that is exceeded."""
    if over:
        return _WHEN_OVER
    by_level = _TODO.get(rule) or _TODO.get(rule.split("-", maxsplit=1)[0], {})
    return by_level.get(level) or next(iter(by_level.values()), _OTHERWISE)
