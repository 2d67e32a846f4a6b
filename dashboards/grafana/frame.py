"""Builds the frame that all dashboards share: name, links to the others, variables, alarms as annotations.

Read next: `command_centre.py`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, CustomVariable, Dashboard, DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, VariableOption

from dashboards.grafana.clickhouse import STORE, ClickHouseQuery, Ready
from dashboards.grafana.names import both
from dashboards.grafana.panels import COUNT, Look, PanelBuilder, PanelSpec, number
from dashboards.grafana.queries import AS_OF, DATA_AGE, MISSING, OPEN_ALARMS, alarm_marks, lost
from dashboards.grafana.theme import AGE_STEPS, ANY, COLOURS, thresholds
from dashboards.messages.alarm_words import LEVEL_NAMES
from streams.site.model import Area, Category, Entrance, Site
from streams.text import Kind

TAG: Final = "gatepulse"
FOLDER_UID: Final = "gatepulse"
FOLDER_TITLE: Final = "闸机实时监测 / gatepulse"

WALL_UID: Final = "gatepulse-wall"
ENTRANCES_UID: Final = "gatepulse-entrances"
VEHICLES_UID: Final = "gatepulse-vehicles"
AREAS_UID: Final = "gatepulse-areas"
HEALTH_UID: Final = "gatepulse-health"


def entrances_for(site: Site, kind: Kind) -> tuple[Entrance, ...]:
    """Return the entrances for persons, or those for vehicles."""
    return tuple(each for each in site.entrances if each.kind == kind)


def main_kind(site: Site) -> Kind:
    """Return what the site mainly counts: persons, unless it has entrances for vehicles only."""
    return "person" if entrances_for(site, "person") else "vehicle"


def new_dashboard(title: str, uid: str, *, about: str, site: Site, refresh: str, hours: int) -> Dashboard:
    """Begin a dashboard of the last `hours`, in the site's time zone, refreshed every `refresh`."""
    board = Dashboard(f"{title} · {both(site.title)}").uid(uid).description(about).tags([TAG, site.id]).readonly()
    board.timezone(site.time_zone).refresh(refresh).time(f"now-{hours}h", "now")
    board.tooltip(DashboardCursorSync.CROSSHAIR)
    others = DashboardLink("其他大屏 / Other dashboards").type(DashboardLinkType.DASHBOARDS).tags([TAG])
    board.link(others.as_dropdown(as_dropdown=False).keep_time(keep_time=True).include_vars(include_vars=True))
    return board


def with_panels(board: Dashboard, panels: Iterable[PanelBuilder]) -> Dashboard:
    """Add panels from left to right, row by row; they are numbered from 1."""
    for number_, panel in enumerate(panels, 1):
        built = panel.build()
        built.id_val = number_
        board.with_panel(Ready(built))
    return board


def with_alarms(board: Dashboard, site: Site) -> Dashboard:
    """Mark alarms on the time axis from raise to clear, each level in its colour."""
    for level, title in LEVEL_NAMES.items():
        marks = AnnotationQuery().name(f"报警 {title.zh} / {title.en.capitalize()} alarms").datasource(STORE)
        marks.enable(enable=True).hide(hide=False).icon_color(COLOURS[level])
        marks.target(Ready(ClickHouseQuery(alarm_marks(site, level))))
        board.annotation(marks)
    return board


def chosen(name: str, label: str, things: Sequence[Entrance | Area | Category]) -> CustomVariable:
    """Let the reader choose among things of the site; at first all of them."""
    options = ", ".join(f"{_escaped(both(each.title))} : {each.id}" for each in things)
    variable = CustomVariable(name).label(label).values(options).multi(multi=True).include_all(include_all=True)
    variable.allow_custom_value(allow_custom_value=False)
    return variable.current(VariableOption(selected=True, text=["All"], value=["$__all"]))


def vitals(site: Site) -> list[PanelBuilder]:
    """Return the first row of a dashboard with counts: how old and how complete they are, and the open alarms."""
    as_of = PanelSpec(
        "数据截至 / As of",
        "此刻之前收到的事件全部计入本页数字。 Everything received before this moment is in the figures of this page.",
        "time:MM-DD HH:mm:ss", 5, 3,
    )  # fmt: skip
    age = PanelSpec(
        "数据延迟 / Data age",
        "距数据截至时刻的秒数；超过 5 秒为黄色，超过 30 秒为红色，此时数字不可用于决策。 "
        "Seconds since then; from 5 s on the figures are stale, from 30 s on do not act on them.",
        "s", 4, 3, decimals=1,
    )  # fmt: skip
    missing = PanelSpec(
        "已知缺失事件 / Known missing events",
        "设备已编号而未收到的事件；数字因此偏少。 Events that devices have numbered and that have not come.",
        COUNT, 5, 3,
    )  # fmt: skip
    incomplete = PanelSpec(
        "不完整：丢失记录 / Incomplete: records lost",
        "操作员已确认丢失、永远不会计入的记录：今日的数字最多少这么多；场内自上次人工清点以来可能偏差这么多。 "
        "Records whose loss was accepted: today's figures lack up to so many, and inside may be off by so many since "
        "areas were last counted by hand.",
        COUNT, 6, 3,
    )  # fmt: skip
    alarms = PanelSpec(
        "未解除报警 / Open alarms",
        "全场未解除的报警数；报警判断停止时为空。 "
        "Alarms that have not cleared, of the whole site; empty when nobody judges alarms.",
        COUNT, 4, 3,
    )  # fmt: skip
    watched = Look(limits=thresholds(ANY, calm="good"))
    return [
        number(as_of, AS_OF, Look(limits=thresholds((), calm="text"))),
        number(age, DATA_AGE, Look(limits=thresholds(AGE_STEPS, calm="good"))),
        number(missing, MISSING, watched),
        number(incomplete, lost(site), watched),
        number(alarms, OPEN_ALARMS, watched),
    ]


def _escaped(title: str) -> str:
    """Return a title for Grafana's list of values, where commas and " : " are separators."""
    return title.replace("\\", "\\\\").replace(",", "\\,").replace(" : ", ": ")
