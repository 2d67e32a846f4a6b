"""A paced audit lets the store rest after each query, and asks it to use one thread where the user may say so."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sinks.clickhouse import ClickHouseReader
from sinks.sink import StoreUnavailable
from streams.audit.pace import PacedReader


@dataclass
class Slow:
    """A store whose queries take as many seconds as they say, on a clock of its own; `query` notes what it is asked."""

    may_set: int = 1
    now: float = 0.0
    asked: list[str] = field(default_factory=list)
    rests: list[float] = field(default_factory=list)

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Answer with the parameter `seconds`, after so long."""
        self.asked.append(sql)
        if "readonly" in sql:
            return [(self.may_set,)]
        seconds = (params or {})["seconds"]
        self.now += seconds
        if sql.startswith("away"):
            raise StoreUnavailable("store", "it is away.", "")
        return [(seconds,)]

    def columns(self, sql: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Answer nothing."""
        raise NotImplementedError(sql, params)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.rests.append(seconds)
        self.now += seconds

    def paced(self, share: float) -> PacedReader:
        """Return a paced reader of it."""
        return PacedReader(self, share, self.sleep, lambda: self.now)


@pytest.mark.parametrize("share", [0.1, 0.25, 1.0])
def test_the_store_works_for_its_share_of_the_time(share: float) -> None:
    store = Slow()
    reader = store.paced(share)
    for seconds in (2.0, 0.5, 4.0):
        assert reader.query("SELECT", {"seconds": seconds}) == [(seconds,)]
    assert 6.5 / store.now == pytest.approx(share)
    assert len(store.rests) == 3


def test_a_store_that_is_away_is_not_waited_for_twice() -> None:
    store = Slow()
    with pytest.raises(StoreUnavailable):
        store.paced(0.25).query("away", {"seconds": 30.0})
    assert store.rests == []


@pytest.mark.parametrize(("may_set", "ending"), [(1, " SETTINGS max_threads = 1"), (0, "")])
def test_threads_are_limited_only_where_the_user_may(may_set: int, ending: str) -> None:
    store = Slow(may_set)
    reader = store.paced(1.0)
    for _ in range(2):
        reader.query("SELECT", {"seconds": 0.0})
    assert store.asked[1:] == [f"SELECT{ending}"] * 2


def test_the_server_uses_one_thread(reader: ClickHouseReader) -> None:
    threads = "SELECT toUInt64(getSetting('max_threads'))"
    assert reader.query(threads) != [(1,)]
    assert PacedReader(reader, 1.0).query(threads) == [(1,)]
