"""One function for each kind of panel that the dashboards are made of. Read next: `around.py`.

Sizes are in Grafana's grid: 24 columns, rows of about 30 pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
)
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, Panel

from dashboards.grafana.clickhouse import METRICS, STORE, ClickHouseQuery, Ready, Shape
from dashboards.grafana.theme import COLOURS, by_series, by_thresholds, thresholds

COUNT: Final = "locale"
"""Whole numbers with thousands separated: persons, vehicles, events."""

PER_MINUTE: Final = "suffix:/min"
NOTHING: Final = "–"

PanelBuilder = Builder[Panel]


@dataclass(frozen=True)
class Figure:
    """What every panel says of itself: title and description in both languages, the unit, and its size."""

    title: str
    about: str
    unit: str
    width: int
    height: int
    decimals: int = 0


@dataclass(frozen=True)
class Metric:
    """A question to Prometheus; `legend` is what each series is called, with labels in {{ }}."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Look:
    """How a number is coloured, and how far its gauge goes."""

    limits: ThresholdsConfig = field(default_factory=lambda: thresholds(()))
    colour: FieldColor = field(default_factory=by_thresholds)
    most: float | None = None


def number(figure: Figure, asked: str | Metric, look: Look | None = None) -> PanelBuilder:
    """Show one number, large."""
    panel = stat.Panel().graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.VALUE)
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields(""))
    return _dressed(panel, figure, [asked], look or Look())


def bars(figure: Figure, sql: str, look: Look | None = None) -> PanelBuilder:
    """Draw a horizontal bar for each row: a text and a number."""
    panel = bargauge.Panel().orientation(common.VizOrientation.HORIZONTAL)
    panel.display_mode(common.BarGaugeDisplayMode.BASIC).show_unfilled(show_unfilled=True).min(0)
    panel.reduce_options(ReduceDataOptions().values(values=True).calcs([]).fields(""))
    return _dressed(panel, figure, [sql], look or Look())


def lines(figure: Figure, asked: str | Sequence[Metric], *, named: str = "") -> PanelBuilder:
    """Draw steps over time; `named`: the text column that tells the series apart."""
    panel = _series(named).draw_style(common.GraphDrawStyle.LINE).line_width(2)
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    given = [asked] if isinstance(asked, str) else asked
    return _dressed(panel, figure, given, Look(colour=by_series()), "timeseries")


def columns(figure: Figure, sql: str, *, named: str = "") -> PanelBuilder:
    """Draw stacked bars over time: what did not happen is a gap, and not a line."""
    panel = _series(named).draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).line_width(0).min(0)
    panel.stacking(StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    for column, colour in (("进 / In", "in"), ("出 / Out", "out")):
        panel.override_by_name(column, [_set("color", {"mode": "fixed", "fixedColor": COLOURS[colour]})])
    return _dressed(panel, figure, [sql], Look(colour=by_series()), "timeseries")


def rows(figure: Figure, sql: str, **cells: Sequence[DynamicConfigValue]) -> PanelBuilder:
    """Show rows as they are; `cells`: what is particular to a column."""
    panel = table.Panel().show_header(show_header=True).cell_height(common.TableCellHeight.SM)
    for column, properties in cells.items():
        panel.override_by_name(column, list(properties))
    return _dressed(panel, figure, [sql], Look())


def cell(name: str, value: object) -> DynamicConfigValue:
    """Set one property of a column's cells, such as its unit."""
    return _set(name, value)


def _set(name: str, value: object) -> DynamicConfigValue:
    return DynamicConfigValue(id_val=name, value=value)


def _series(named: str) -> timeseries.Panel:
    panel = timeseries.Panel().show_points(common.VisibilityMode.NEVER)
    panel.legend(VizLegendOptions().show_legend(show_legend=True).placement(common.LegendPlacement.BOTTOM))
    return panel.display_name(f"${{__field.labels.{named}}}") if named else panel


def _dressed(
    panel: Any,  # noqa: ANN401 - the SDK's panels have the same methods and no type in common
    figure: Figure,
    asked: Sequence[str | Metric],
    look: Look,
    shape: Shape = "table",
) -> PanelBuilder:
    panel.title(figure.title).description(figure.about).unit(figure.unit).decimals(figure.decimals)
    panel.span(figure.width).height(figure.height).no_value(NOTHING)
    panel.thresholds(look.limits).color_scheme(look.colour)
    if look.most is not None:
        panel.min(0).max(look.most)
    panel.datasource(METRICS if isinstance(asked[0], Metric) else STORE)
    if shape == "timeseries" and isinstance(asked[0], str):
        panel.interval("1m")  # the finest that the views of minutes have
    for place, each in enumerate(asked):
        panel.with_target(_target(each, "ABCDEFGH"[place], shape))
    dressed: PanelBuilder = panel
    return dressed


def _target(asked: str | Metric, ref: str, shape: Shape) -> Builder[Dataquery]:
    if isinstance(asked, str):
        return Ready(ClickHouseQuery(asked, shape, ref))
    query = PrometheusQuery().expr(asked.expr).ref_id(ref).datasource(METRICS).legend_format(asked.legend)
    return query.range() if shape == "timeseries" else query.instant()
