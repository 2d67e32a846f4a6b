"""Fixtures that more than one package's tests need: a real store and a real broker, one of each per test session."""

from collections.abc import Iterator

import pytest

from infra.broker import EmbeddedBroker
from infra.clickhouse import EmbeddedClickHouse


def pytest_configure(config: pytest.Config) -> None:
    """Let kafka-python be imported: on Python 3.11 it uses functions that were deprecated for two versions."""
    config.addinivalue_line("filterwarnings", "ignore:(read|open)_text is deprecated:DeprecationWarning")


@pytest.fixture(scope="session")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedClickHouse]:
    """Start a ClickHouse server without databases of ours; `.address` says where and who may log in."""
    server = EmbeddedClickHouse(tmp_path_factory.mktemp("clickhouse"), http_port=0)
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a broker; its address. It has no topics: they appear, with 4 partitions, when first asked for."""
    server = EmbeddedBroker(tmp_path_factory.mktemp("broker"))
    server.start()
    try:
        server.wait_ready()
        yield server.bootstrap
    finally:
        server.stop()
