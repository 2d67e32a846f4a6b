"""Figures are unknown, not 0, while the store is empty; they are 0 only once that is proven."""

import pytest
from clickhouse_driver import Client

from sinks.clickhouse import ClickHouseReader
from tests.dashboards.grafana.boards import everything, panel_queries, sql_of
from tests.dashboards.grafana.day import START, STOP
from tests.dashboards.grafana.macros import Range, expand
from tests.support.small_site import SITE

SPAN = Range(START, STOP, 60, everything(SITE))
FIGURES = {
    "entries": sql_of("Persons entered today"),
    "inside": sql_of("Persons inside now"),
    "passages": sql_of("In today", "entrances"),
    "refusals": sql_of("Refused", "entrances"),
    "missing": sql_of("Known missing events"),
    "alarms": sql_of("Open alarms"),
    "as of": sql_of("As of"),
    "age": sql_of("Data age"),
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
        assert empty.query(expand(FIGURES["alarms"], SPAN)) == [(said,)]
