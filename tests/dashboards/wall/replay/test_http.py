"""Replays over HTTP from a real store: what is streamed or refused, and that every stream ends."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest

from dashboards.wall.http.server import MOST_REPLAYS
from dashboards.wall.model.options import WallOptions
from dashboards.wall.replay.history import History
from dashboards.wall.replay.player import ReplayPlayer
from dashboards.wall.replay.request import ReplayRequest
from sinks.clickhouse import ClickHouseReader
from sinks.sink import StoreRefused, StoreUnavailable
from tests.dashboards.wall.replay.stage import SITE, TWENTY_PAST, Delivery, Stage
from tests.dashboards.wall.replay.test_facts import entry
from tests.support import wall_sources as sources
from tests.support.wall_site import at
from tests.support.wall_sources import NOBODY, PATIENCE, HandSource, until

FEW_MINUTES = {"from": "2026-11-07T00:10", "to": "2026-11-07T00:13", "known": "corrected", "speed": "60"}


def options(stage: Stage) -> WallOptions:
    """Twenty beats a second, each three seconds of the site's clock further at sixty times its speed."""
    return WallOptions(clock=stage.clock, period_s=0.05, trend_period_s=0.05)


@contextmanager
def wall(stage: Stage, connect: Callable[[], ClickHouseReader] | None = None) -> Iterator[int]:
    """Serve a wall with replays until the block ends; its port."""
    connect = connect or (lambda: ClickHouseReader(stage.reader))
    with sources.wall(HandSource(), options(stage), site=SITE, connect=connect) as running:
        yield running.port


def ask(port: int, path: str, **given: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", f"{path}?{urlencode(given)}" if given else path)
    return connection.getresponse()


def events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    """Read a stream: names and data of its events."""
    name = ""
    while line := answer.readline().decode().strip("\n\r"):
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
            answer.readline()


def seed(stage: Stage) -> None:
    """Let one come in at 00:11:00 and one at 00:12:30."""
    stage.flush([Delivery("a", (entry(1, at("00:11:00")), entry(2, at("00:12:30"))))])


def test_a_replay_is_streamed_as_the_live_wall_is_and_stays_on_its_last_picture(stage: Stage) -> None:
    seed(stage)
    with wall(stage) as port, closing(ask(port, "/replay/events", **FEW_MINUTES)) as answer:
        stream = events(answer)
        name, card = next(stream)
        assert (name, card["id"], card["acknowledge"]) == ("site", "small", False)
        assert card["replay"] == {
            "from_ms": at("00:10:00"), "to_ms": at("00:13:00"), "speed": 60.0, "known": "corrected",
        }  # fmt: skip
        beats: list[Any] = []
        trends: list[Any] = []
        while len(beats) < 64:
            name, data = next(stream)
            (beats if name == "beat" else trends).append(data)
    moments = [beat["snapshot"]["site_ms"] for beat in beats]
    assert moments[:61] == list(range(at("00:10:00"), at("00:13:00") + 1, 3000))
    assert moments[61:] == [at("00:13:00")] * 3
    assert [beat["ended"] for beat in beats] == [False] * 60 + [True] * 4
    assert [beat["number"] for beat in beats] == list(range(1, 65))
    entries = [beat["snapshot"]["today"]["person"]["entries"] for beat in beats]
    assert [entries.count(number) for number in (None, 1, 2)] == [20, 30, 14]
    assert all(beat["snapshot"]["store"] == "ok" for beat in beats)
    assert [each[0]["inside"][-1] for each in trends] == [None]  # 00:05 to 00:10: the next step is not over at 00:13


def test_a_replay_may_begin_in_the_middle(stage: Stage) -> None:
    seed(stage)
    with wall(stage) as port, closing(ask(port, "/replay/events", **FEW_MINUTES, at="2026-11-07T00:12:59")) as answer:
        beats = [data for name, data in (next(stream) for stream in [events(answer)] * 4) if name == "beat"]
        assert [beat["ended"] for beat in beats] == [False, True]
        assert beats[0]["snapshot"]["today"]["person"]["entries"] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"speed": "100"}, "speed is '100': expected a number from 1 to 60"),
        ({"from": "2026-11-07T00:14"}, "from is '2026-11-07T00:14': expected before to (2026-11-07T00:13)"),
        ({"to": "2030-01-01T00:00"}, "to is '2030-01-01T00:00': expected no later than now"),
        ({"known": "then"}, "from is '2026-11-07T00:10:00': what was known then is recorded from"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_both_languages(stage: Stage, given: dict[str, str], said: str) -> None:
    # Of what was known at ten past nothing is recorded: the schema was laid out about twenty past.
    with wall(stage) as port, closing(ask(port, "/replay/events", **FEW_MINUTES | given)) as answer:
        body = json.load(answer)
        assert answer.status == 400
        assert body["en"].startswith(said)
        assert " 为 " in body["zh"]


def test_at_most_so_many_replays_go_on_at_once_and_one_that_left_makes_room(stage: Stage) -> None:
    seed(stage)
    with wall(stage) as port:
        streams = [ask(port, "/replay/events", **FEW_MINUTES) for _ in range(MOST_REPLAYS)]
        for each in streams:
            assert each.readline() == b"event: site\n"
        with closing(ask(port, "/replay/events", **FEW_MINUTES)) as refused:
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
            assert json.load(refused)["en"].startswith("4 replays are going on")
        streams[0].close()

        def room() -> bool:
            with closing(ask(port, "/replay/events", **FEW_MINUTES)) as answer:
                return answer.status == 200

        until(room)
        for each in streams[1:]:
            each.close()


def test_what_there_is_to_replay_is_told(stage: Stage) -> None:
    with wall(stage) as port:
        with closing(ask(port, "/replay/span.json")) as answer:
            assert json.load(answer)["first_ms"] is None
        seed(stage)
        with closing(ask(port, "/replay/span.json")) as answer:
            span = json.load(answer)
    assert (span["first_ms"], span["last_ms"]) == (at("00:11:00"), at("00:12:30"))
    [(applied,)] = stage.client.execute(
        "SELECT min(toUnixTimestamp64Milli(applied_at)) FROM gatepulse_store.schema_migrations WHERE number = 11"
    )
    assert span["then_from_ms"] == stage.clock.now(applied)


class Silent(ClickHouseReader):
    """A connection to a store that says nothing but why not."""

    def __init__(self, error: Exception) -> None:
        super().__init__(NOBODY)
        self.error = error

    def query(self, sql: str, params: Any = None) -> list[tuple[Any, ...]]:  # noqa: ARG002 - whatever is asked
        """Fail."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreUnavailable("store", "away.", "Wait."), "the store does not answer; try again once it does"),
        (StoreRefused("store", "no such view.", "Act."), "the store has no views for a replay: run `gatepulse schema"),
    ],
)
def test_a_store_that_cannot_be_asked_is_no_error_of_the_display(stage: Stage, error: Exception, said: str) -> None:
    with wall(stage, lambda: Silent(error)) as port:
        for path, given in (("/replay/span.json", {}), ("/replay/events", FEW_MINUTES)):
            with closing(ask(port, path, **given)) as answer:
                assert answer.status == 503
                assert json.load(answer)["en"].startswith(said)


def test_a_store_that_is_lost_stops_the_replay_which_goes_on_where_it_was(stage: Stage) -> None:
    seed(stage)
    answers = [True, False, True]
    asked = ReplayRequest(at("00:12:00"), at("00:13:00"), at("00:12:00"), 60.0, "corrected")

    def begin(site_ms: int) -> History:
        if not answers.pop(0):
            raise StoreUnavailable("store", "away.", "Wait.")
        return stage.history(stage.clock.real(site_ms), "corrected", end=stage.clock.real(asked.end))

    player = ReplayPlayer(begin, asked, SITE, options(stage))

    async def beats() -> list[Any]:
        found: list[Any] = []
        async for each in player.events(lambda: len(found) > 3):
            name, _, data = each.decode().strip().partition("\n")
            if name == "event: beat":
                found.append(json.loads(data.removeprefix("data: "))["snapshot"])
                if len(found) == 1:
                    player._history = None  # as after an answer that did not come
        return found

    first, lost, back, *_ = asyncio.run(beats())
    assert (first["store"], first["site_ms"]) == ("ok", at("00:12:00"))
    assert (lost["store"], lost["site_ms"], lost["today"]) == ("lost", at("00:12:00"), first["today"])
    assert (back["store"], back["site_ms"]) == ("ok", at("00:12:03"))
    assert back["site_ms"] < TWENTY_PAST


def test_a_store_that_takes_long_leaves_the_last_picture_standing_and_the_stream_alive(stage: Stage) -> None:
    seed(stage)
    asked = ReplayRequest(at("00:12:00"), at("00:13:00"), at("00:12:00"), 60.0, "corrected")
    answer = threading.Event()

    def begin(site_ms: int) -> History:
        answer.wait(PATIENCE)
        return stage.history(stage.clock.real(site_ms), "corrected", end=stage.clock.real(asked.end))

    player = ReplayPlayer(begin, asked, SITE, options(stage), long_s=0.05)

    async def beats() -> list[str]:
        found: list[str] = []
        async for each in player.events(lambda: "ok" in found):
            name, _, data = each.decode().strip().partition("\n")
            if name == "event: beat":
                found.append(json.loads(data.removeprefix("data: "))["snapshot"]["store"])
            if len(found) == 3:
                answer.set()
        return found

    found = asyncio.run(beats())
    assert found[:3] == ["starting"] * 3
    assert found[-1] == "ok"


def test_a_display_that_leaves_lets_go_of_its_connection(stage: Stage) -> None:
    seed(stage)
    closed = threading.Event()

    class Noting(ClickHouseReader):
        def close(self) -> None:
            super().close()
            closed.set()

    with wall(stage, lambda: Noting(stage.reader)) as port:
        answer = ask(port, "/replay/events", **FEW_MINUTES)
        assert answer.readline() == b"event: site\n"
        assert not closed.is_set()
        answer.close()
        assert closed.wait(PATIENCE)
