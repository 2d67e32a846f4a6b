"""Builds the frame that all dashboards share: name, links to the others, variables, alarms as annotations.

Read next: `command_centre.py`.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, CustomVariable, Dashboard, DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType, VariableOption

from dashboards.grafana.panels import COUNT, STORE, ClickHouseQuery, Look, PanelBuilder, PanelSpec, number
from dashboards.grafana.sql import COMPLETE_TO, JUDGED_TO, both, literal, titled, today
from dashboards.grafana.theme import AGE_STEPS, ANY, COLOURS, thresholds
from dashboards.messages.alarm_words import LEVEL_NAMES, RULE_NAMES, place_titles
from streams.site.model import Area, Category, Entrance, Site
from streams.text import Kind

_TAG: Final = "gatepulse"
FOLDER_UID: Final = "gatepulse"
FOLDER_TITLE: Final = "闸机实时监测 / gatepulse"

_JUDGED_WITHIN: Final = 30  # s
_MARKS_SHOWN: Final = 500


def entrances_for(site: Site, kind: Kind) -> tuple[Entrance, ...]:
    """Return the entrances for persons, or those for vehicles."""
    return tuple(each for each in site.entrances if each.kind == kind)


def main_kind(site: Site) -> Kind:
    """Return what the site mainly counts: persons, unless it has entrances for vehicles only."""
    return "person" if entrances_for(site, "person") else "vehicle"


def new_dashboard(
    title: str, name: str, *, about: str, site: Site, refresh: str, hours: int, panels: Iterable[PanelBuilder]
) -> Dashboard:
    """Build the dashboard `gatepulse-<name>` of the last `hours`, in the site's time zone, refreshed every `refresh`.

    Panels are placed from left to right, row by row, and numbered from 1.
    """
    board = Dashboard(f"{title} · {both(site.title)}").uid(f"gatepulse-{name}").description(about)
    board.tags([_TAG, site.id]).readonly()
    board.timezone(site.time_zone).refresh(refresh).time(f"now-{hours}h", "now")
    board.tooltip(DashboardCursorSync.CROSSHAIR)
    others = DashboardLink("其他大屏 / Other dashboards").type(DashboardLinkType.DASHBOARDS).tags([_TAG])
    board.link(others.as_dropdown(as_dropdown=False).keep_time(keep_time=True).include_vars(include_vars=True))
    for panel in panels:
        board.with_panel(panel)
    for number_, built in enumerate(board.build().panels or [], 1):
        built.id_val = number_
    return board


def with_alarms(board: Dashboard, site: Site) -> Dashboard:
    """Mark alarms on the time axis from raise to clear, each level in its colour."""
    text = f"concat({titled('rule', RULE_NAMES)}, ': ', {titled('subject', place_titles(site))})"
    on_in_range = "raised_at <= $__toTime_ms AND (cleared_at IS NULL OR cleared_at >= $__fromTime_ms)"
    for level, title in LEVEL_NAMES.items():
        sql = f"""
            SELECT
                raised_at AS time,
                ifNull(cleared_at, $__toTime_ms) AS timeEnd,
                {text} AS text
            FROM gatepulse.alarm_episodes
            WHERE level = {literal(level)} AND {on_in_range}
            ORDER BY time
            LIMIT {_MARKS_SHOWN}
        """
        marks = AnnotationQuery().name(f"报警 {title.zh} / {title.en.capitalize()} alarms").datasource(STORE)
        marks.enable(enable=True).hide(hide=False).icon_color(COLOURS[level])
        marks.target(ClickHouseQuery(sql))
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
    as_of_ms = f"SELECT toUnixTimestamp64Milli({COMPLETE_TO}) AS as_of"
    age_seconds = f"SELECT dateDiff('millisecond', {COMPLETE_TO}, now64(3)) / 1000 AS age"
    missing_or_null = "SELECT if(count() = 0, NULL, sum(missing)) AS total FROM gatepulse.completeness"
    watched = Look(limits=thresholds(ANY, calm="good"))
    return [
        number(as_of, as_of_ms, Look(limits=thresholds((), calm="text"))),
        number(age, age_seconds, Look(limits=thresholds(AGE_STEPS, calm="good"))),
        number(missing, missing_or_null, watched),
        _lost(site, watched),
        _open_alarms(watched),
    ]


def _lost(site: Site, look: Look) -> PanelBuilder:
    """Show the day's losses and those of the areas: of each kind the area that misses most since it was counted."""
    spec = PanelSpec(
        "不完整：丢失记录 / Incomplete: records lost",
        "操作员已确认丢失、永远不会计入的记录：今日的数字最多少这么多；场内自上次人工清点以来可能偏差这么多。 "
        "Records whose loss was accepted: today's figures lack up to so many, and inside may be off by so many since "
        "areas were last counted by hand.",
        COUNT, 6, 3,
    )  # fmt: skip
    sql = f"""
        SELECT
            (SELECT sum(lost) FROM gatepulse.site_today WHERE day = {today(site)}) AS "今日 / Today",
            (SELECT sum(most) FROM (SELECT max(lost) AS most FROM gatepulse.occupancy GROUP BY kind)) AS "场内 / Inside"
    """
    return number(spec, sql, look)


def _open_alarms(look: Look) -> PanelBuilder:
    """Show 0 only if that is known: alarms must have been judged lately."""
    spec = PanelSpec(
        "未解除报警 / Open alarms",
        "全场未解除的报警数；报警判断停止时为空。 "
        "Alarms that have not cleared, of the whole site; empty when nobody judges alarms.",
        COUNT, 4, 3,
    )  # fmt: skip
    unknown = f"ifNull({JUDGED_TO} < now64(3) - INTERVAL {_JUDGED_WITHIN} SECOND, 1)"
    sql = f"""
        SELECT if(count() = 0 AND {unknown}, NULL, count()) AS open
        FROM gatepulse.alarm_episodes
        WHERE cleared_at IS NULL
    """
    return number(spec, sql, look)


def _escaped(title: str) -> str:
    """Return a title for Grafana's list of values, where commas and " : " are separators."""
    return title.replace("\\", "\\\\").replace(",", "\\,").replace(" : ", ": ")
