"""Fixtures for the tests of the replay: a store with its stage, see `stage.py`."""

from collections.abc import Iterator

import pytest

from infra.servers.clickhouse import EmbeddedClickHouse
from tests.dashboards.wall.replay.stage import Stage


@pytest.fixture(scope="module")
def whole_stage(clickhouse: EmbeddedClickHouse) -> Iterator[Stage]:
    """Lay out a store."""
    stage = Stage(clickhouse.address.owner, clickhouse.address.reader)
    yield stage
    stage.close()


@pytest.fixture
def stage(whole_stage: Stage) -> Stage:
    """Return the store, empty."""
    whole_stage.clear()
    return whole_stage
