"""Fixtures that more than one package's tests need: a real store and a real broker, one of each per test session."""

from collections.abc import Iterator

import pytest

from infra.broker import EmbeddedBroker
from infra.clickhouse import EmbeddedClickHouse
from tests.infra.processes import running


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python be imported: on Python 3.11 it uses functions that were deprecated for two versions."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    """Start a ClickHouse server without databases of ours; `.address` says where and who may log in."""
    with running(EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"), http_port=0)) as server:
        yield server


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a broker; its address. It has no topics: they appear, with 4 partitions, when first asked for."""
    with running(EmbeddedBroker(tmp_path_factory.mktemp("broker"))) as server:
        yield server.bootstrap
