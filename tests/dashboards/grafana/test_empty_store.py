"""Figures are unknown, not 0, while the store is empty; they are 0 only once that is proven."""

import pytest
from clickhouse_driver import Client

from dashboards.grafana import entrance_queries, queries
from sinks.clickhouse import ClickHouseReader
from tests.dashboards.grafana.boards import everything, panel_queries
from tests.dashboards.grafana.day import START, STOP
from tests.dashboards.grafana.macros import Range, expand
from tests.support.small_site import SITE

SPAN = Range(START, STOP, 60, everything(SITE))
FIGURES = {
    "entries": queries.entered_today(SITE, "person"),
    "inside": queries.inside_now("person"),
    "passages": entrance_queries.passages_today(SITE, "person", "in"),
    "refusals": entrance_queries.refusals_share("person"),
    "missing": queries.MISSING,
    "alarms": queries.OPEN_ALARMS,
    "as of": queries.AS_OF,
    "age": queries.DATA_AGE,
}


def test_every_query_runs_on_an_empty_store(empty: ClickHouseReader) -> None:
    for query in panel_queries(SITE):
        empty.query(expand(query.target["rawSql"], SPAN))


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_unknown_while_nothing_was_heard(figure: str, empty: ClickHouseReader) -> None:
    assert empty.query(expand(FIGURES[figure], SPAN)) == [(None,)]


def test_no_open_alarm_is_said_only_while_alarms_are_judged(empty: ClickHouseReader, owner: Client) -> None:
    put = (
        "INSERT INTO gatepulse_store.log_progress (log, cluster, topic, next_offset, complete_to) "
        "SELECT 'live/alarm.inputs/0', 'live', 'alarm.inputs', {}, now64(3) - INTERVAL {} SECOND"
    )
    for offset, behind, said in ((1, 0, 0), (2, 120, None), (3, 1, 0)):
        owner.execute(put.format(offset, behind))
        assert empty.query(expand(queries.OPEN_ALARMS, SPAN)) == [(said,)]
