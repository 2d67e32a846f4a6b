"""Fixtures: a store with a day in it, queried as Grafana does, as the reader user with macros expanded."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from clickhouse_driver import Client

from infra.servers.clickhouse import EmbeddedClickHouse
from sinks.clickhouse import ClickHouseReader, connect
from tests.dashboards.grafana import day
from tests.dashboards.grafana.boards import everything
from tests.dashboards.grafana.macros import Range, expand
from tests.support.small_site import SITE
from tests.support.stores import lay_out

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def passages() -> day.Passages:
    """Return the day's passages, to count by hand."""
    return day.arrays(day.draw())


@pytest.fixture(scope="module")
def owner(clickhouse: EmbeddedClickHouse) -> Iterator[Client]:
    """Yield a connection of the user who writes; the tables are there and empty when a module begins."""
    with connect(clickhouse.address.owner) as owner:
        lay_out(owner)
        yield owner


@pytest.fixture(scope="module")
def empty(owner: Client, clickhouse: EmbeddedClickHouse) -> Iterator[ClickHouseReader]:  # noqa: ARG001 - the schema is needed
    """Yield a reader of a store with nothing in it."""
    where = clickhouse.address
    reader = ClickHouseReader(where.reader)
    yield reader
    reader.close()


@pytest.fixture(scope="module")
def reader(owner: Client, empty: ClickHouseReader, tmp_path_factory: pytest.TempPathFactory) -> ClickHouseReader:
    """Return a reader of a store with the day in it."""
    day.store(owner, day.draw(), tmp_path_factory.mktemp("day"))
    day.store_judgements(owner)
    return empty


@pytest.fixture
def ask(reader: ClickHouseReader) -> Ask:
    """Return what runs a panel's SQL over the day: `step` in seconds, `chosen` values of variables."""

    def asked(sql: str, *, step: int = 60, end: int = day.STOP, **chosen: list[str]) -> list[tuple[Any, ...]]:
        return reader.query(expand(sql, Range(day.START, end, step, everything(SITE) | chosen)))

    return asked
