"""Every query of every dashboard runs on a real store, as the reader, in types that Grafana's plugin knows."""

import re

import pytest

from dashboards.grafana.files import Sources, data_sources
from dashboards.grafana.sql import literal
from sinks.clickhouse import ClickHouseReader
from streams.site.model import Site
from tests.dashboards.grafana.boards import SITES, everything, panel_queries
from tests.dashboards.grafana.day import START, STOP
from tests.dashboards.grafana.macros import Range, expand
from tests.support.small_site import SITE

KNOWN_TYPES = re.compile(
    r"Nullable\((U?Int(8|16|32|64)|Float64|String|DateTime.*)\)|U?Int(8|16|32|64)|Float64|String|DateTime.*"
    r"|LowCardinality\(String\)"
)
"""What the plugin has a converter for."""


@pytest.mark.parametrize("site", SITES.values(), ids=SITES)
def test_every_query_runs_as_the_reader_and_answers_in_types_that_the_plugin_knows(
    site: Site, reader: ClickHouseReader
) -> None:
    span = Range(START, STOP, 60, everything(site))
    ran = 0
    for query in panel_queries(site):
        sql = expand(query.target["rawSql"], span)
        reader.query(sql)
        types = [(name, kind) for name, kind, *_ in reader.query(f"DESCRIBE ({sql})")]
        assert [each for each in types if not KNOWN_TYPES.fullmatch(each[1])] == [], query
        if query.target["queryType"] == "timeseries":
            assert types[0][0] == "time", query
            assert types[0][1].startswith("DateTime"), query
            assert any(re.search("Int|Float", kind) for _, kind in types), query
        ran += 1
    assert ran > 30


def test_the_reader_lets_the_plugin_limit_the_time_of_a_query(reader: ClickHouseReader) -> None:
    seconds = int(data_sources(Sources())["datasources"][0]["jsonData"]["queryTimeout"])
    for most in (seconds, seconds + 5):  # the plugin's client adds some to what is configured
        assert reader.query(f"SELECT 1 SETTINGS max_execution_time = {most}") == [(1,)]


def test_every_query_shows_something_of_the_day(reader: ClickHouseReader) -> None:
    span = Range(START, STOP, 60, everything(SITE))
    empty = [str(query) for query in panel_queries(SITE) if not reader.query(expand(query.target["rawSql"], span))]
    assert [each for each in empty if "Yellow alarms" not in each] == []


@pytest.mark.parametrize("text", ["it's", "back\\slash", "${entrance} $__toTime", "两\n行", "\\'); --"])
def test_a_title_comes_out_as_it_went_in(text: str, reader: ClickHouseReader) -> None:
    sql = f"SELECT {literal(text)}"
    assert "$" not in sql
    assert reader.query(sql) == [(text,)]
