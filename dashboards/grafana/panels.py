"""One function for each kind of panel in the dashboards. Read next: `frame.py`.

Sizes are in Grafana's grid: 24 columns, rows of about 30 pixels. Queries to ClickHouse are in the JSON of Grafana's
plugin, version 4.15 or later (Grafana 11.6); the SDK has no class for it.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from grafana_foundation_sdk.builders import bargauge, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, StackingConfig, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.builders.prometheus import Dataquery as PrometheusQuery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue, FieldColorModeId, Panel

from dashboards.grafana.theme import COLOURS, thresholds

PLUGIN: Final = "grafana-clickhouse-datasource"
STORE: Final = DataSourceRef(type_val=PLUGIN, uid="gatepulse-clickhouse")
METRICS: Final = DataSourceRef(type_val="prometheus", uid="gatepulse-prometheus")

COUNT: Final = "locale"
"""Whole numbers with thousands separated: persons, vehicles, events."""

PER_MINUTE: Final = "suffix:/min"

PanelBuilder = Builder[Panel]
QueryFormat = Literal["timeseries", "table"]
"""`timeseries`: a column `time`, numbers, and texts that tell the series apart."""


@dataclass(frozen=True)
class ClickHouseQuery(Dataquery, Builder[Dataquery]):
    """One query in SQL, with the plugin's macros; its own builder."""

    sql: str
    shape: QueryFormat = "table"
    ref: str = "A"

    def build(self) -> Dataquery:
        """Return itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the query in the plugin's JSON.

        Without `pluginVersion`, `queryType` and the numeric `format` together, the plugin's editor treats it as one of
        an old version and changes it.
        """
        return {
            "datasource": STORE.to_json(),
            "editorType": "sql",
            "format": 1 if self.shape == "table" else 0,
            "meta": {},
            "pluginVersion": "4.15.0",
            "queryType": self.shape,
            "rawSql": textwrap.dedent(self.sql).strip(),
            "refId": self.ref,
        }


@dataclass(frozen=True)
class PanelSpec:
    """The properties that every panel has: title and description in both languages, unit, and size."""

    title: str
    about: str
    unit: str
    width: int
    height: int
    decimals: int = 0


@dataclass(frozen=True)
class Metric:
    """A query to Prometheus; `legend` is the name of each series, with labels in {{ }}."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Look:
    """How a number is coloured, and how far its gauge goes."""

    limits: ThresholdsConfig = field(default_factory=lambda: thresholds(()))
    colour: FieldColor = field(default_factory=lambda: FieldColor().mode(FieldColorModeId.THRESHOLDS))
    most: float | None = None


Cells = Mapping[str, object]
"""Properties of the cells of one column, such as their unit."""
COLOURED_TEXT: Final[Cells] = {"custom.cellOptions": {"type": "color-text"}}

_BY_NAME: Final = Look(colour=FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
"""Grafana's palette, in which a series keeps its colour by its name."""


def number(spec: PanelSpec, query: str | Metric, look: Look) -> PanelBuilder:
    """Show one number, large."""
    panel = stat.Panel().graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.VALUE)
    panel.reduce_options(ReduceDataOptions().calcs(["lastNotNull"]).values(values=False).fields(""))
    return _finished(panel, spec, [query], look)


def bars(spec: PanelSpec, sql: str, look: Look) -> PanelBuilder:
    """Draw a horizontal bar for each row: a text and a number."""
    panel = bargauge.Panel().orientation(common.VizOrientation.HORIZONTAL)
    panel.display_mode(common.BarGaugeDisplayMode.BASIC).show_unfilled(show_unfilled=True).min(0)
    panel.reduce_options(ReduceDataOptions().values(values=True).calcs([]).fields(""))
    return _finished(panel, spec, [sql], look)


def lines(spec: PanelSpec, query: str | Sequence[Metric], *, named: str = "") -> PanelBuilder:
    """Draw steps over time; `named`: the text column that tells the series apart."""
    panel = _series(named).draw_style(common.GraphDrawStyle.LINE).line_width(2)
    panel.line_interpolation(common.LineInterpolation.STEP_AFTER)
    queries = [query] if isinstance(query, str) else query
    return _finished(panel, spec, queries, _BY_NAME, "timeseries")


def columns(spec: PanelSpec, sql: str, *, named: str = "") -> PanelBuilder:
    """Draw stacked bars over time: a time without passages is a gap."""
    panel = _series(named).draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).line_width(0).min(0)
    panel.stacking(StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    for column, colour in (("进 / In", "in"), ("出 / Out", "out")):
        _override(panel, column, {"color": {"mode": "fixed", "fixedColor": COLOURS[colour]}})
    return _finished(panel, spec, [sql], _BY_NAME, "timeseries")


def rows(spec: PanelSpec, sql: str, cells: Mapping[str, Cells] | None = None) -> PanelBuilder:
    """Show rows in a table; `cells`: the properties of single columns."""
    panel = table.Panel().show_header(show_header=True).cell_height(common.TableCellHeight.SM)
    for column, properties in (cells or {}).items():
        _override(panel, column, properties)
    return _finished(panel, spec, [sql], Look())


def _override(panel: table.Panel | timeseries.Panel, column: str, properties: Cells) -> None:
    panel.override_by_name(column, [DynamicConfigValue(id_val=name, value=value) for name, value in properties.items()])


def _series(named: str) -> timeseries.Panel:
    panel = timeseries.Panel().show_points(common.VisibilityMode.NEVER)
    panel.legend(VizLegendOptions().show_legend(show_legend=True).placement(common.LegendPlacement.BOTTOM))
    return panel.display_name(f"${{__field.labels.{named}}}") if named else panel


def _finished(
    panel: Any,  # noqa: ANN401 - the SDK's panels have the same methods and no type in common
    spec: PanelSpec,
    queries: Sequence[str | Metric],
    look: Look,
    shape: QueryFormat = "table",
) -> PanelBuilder:
    panel.title(spec.title).description(spec.about).unit(spec.unit).decimals(spec.decimals)
    panel.span(spec.width).height(spec.height).no_value("–")
    panel.thresholds(look.limits).color_scheme(look.colour)
    if look.most is not None:
        panel.min(0).max(look.most)
    panel.datasource(METRICS if isinstance(queries[0], Metric) else STORE)
    if shape == "timeseries" and isinstance(queries[0], str):
        panel.interval("1m")  # the finest that the views of minutes have
    for place, each in enumerate(queries):
        panel.with_target(_target(each, "ABCDEFGH"[place], shape))
    finished: PanelBuilder = panel
    return finished


def _target(query: str | Metric, ref: str, shape: QueryFormat) -> Builder[Dataquery]:
    if isinstance(query, str):
        return ClickHouseQuery(query, shape, ref)
    target = PrometheusQuery().expr(query.expr).ref_id(ref).datasource(METRICS).legend_format(query.legend)
    return target.range() if shape == "timeseries" else target.instant()
