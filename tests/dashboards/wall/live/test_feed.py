"""One round of queries serves all displays, each of which gets the newest snapshot."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

from dashboards.wall.live.feed import Feed, Published
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import TrendRows, WallRows
from tests.support.wall_site import NOON, SITE, alarm, log, reading
from tests.support.wall_sources import HandSource, StoreGoneError


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        """Tell the time."""
        return self.now


def with_feed(test: Callable[[Feed, HandSource, Hand], Coroutine[Any, Any, None]], **options: Any) -> None:
    source, clock = HandSource(), Hand()
    asyncio.run(test(Feed(source, SITE, WallOptions(**options), now=clock), source, clock))


async def next_of(feed: Feed, seen: list[Published], *, upto: int) -> None:
    async for newest in feed.follow():
        seen.append(newest)
        if newest.beat.number >= upto:
            return


def test_every_display_gets_the_same_bytes_from_one_round() -> None:
    async def test(feed: Feed, source: HandSource, _: Hand) -> None:
        seen: list[list[Published]] = [[] for _ in range(50)]
        displays = [asyncio.create_task(next_of(feed, mine, upto=1)) for mine in seen]
        await asyncio.sleep(0)
        await feed.round()
        await asyncio.gather(*displays)
        assert source.rounds == 1
        assert len({id(mine[-1].beat_event) for mine in seen}) == 1

    with_feed(test)


def test_a_display_that_is_busy_misses_snapshots_and_gets_the_newest() -> None:
    async def test(feed: Feed, _source: HandSource, _clock: Hand) -> None:
        display = feed.follow()
        first = await anext(display)
        for _ in range(100):
            feed.beat()
        assert (await anext(display)).beat.number == first.beat.number + 100

    with_feed(test)


def test_before_the_first_round_the_wall_says_that_it_is_starting() -> None:
    async def test(feed: Feed, _source: HandSource, _clock: Hand) -> None:
        now = feed.newest.beat.snapshot
        assert (now.store, now.age_ms, now.today["person"].entries) == ("starting", None, None)

    with_feed(test)


def test_a_lost_store_keeps_the_last_figures_and_says_since_when() -> None:
    async def test(feed: Feed, source: HandSource, clock: Hand) -> None:
        await feed.round()
        source.failure = StoreGoneError("connection refused")
        for clock.now in (NOON + 1000, NOON + 2000):
            await feed.round()
        now = feed.newest.beat.snapshot
        assert (now.store, now.lost_since_ms) == ("lost", NOON + 1000)
        assert (now.today["person"].entries, now.age_ms) == (900, 3000)
        source.failure = None
        await feed.round()
        now = feed.newest.beat.snapshot
        assert (now.store, now.lost_since_ms, now.age_ms) == ("ok", None, 1000)

    with_feed(test)


def test_alarms_of_a_lost_store_are_kept_and_prove_nothing_once_they_are_old() -> None:
    async def test(feed: Feed, source: HandSource, clock: Hand) -> None:
        source.draw = lambda real_ms: replace(reading(real_ms), episodes=[alarm()])
        await feed.round()
        assert feed.newest.beat.snapshot.strip.watch == "ok"
        source.failure = StoreGoneError("connection refused")
        for clock.now in (NOON + 1000, NOON + 60_000):
            await feed.round()
        strip = feed.newest.beat.snapshot.strip
        assert (strip.watch, strip.age_ms, strip.alarms[0].lasting.en) == ("behind", 60_900, "11:45, 16 min")

    with_feed(test)


def test_a_store_that_was_never_there_shows_unknowns_and_not_zeros() -> None:
    async def test(feed: Feed, source: HandSource, _clock: Hand) -> None:
        source.failure = StoreGoneError("connection refused")
        await feed.round()
        now = feed.newest.beat.snapshot
        assert (now.store, now.today["person"].entries, now.health.missing) == ("lost", None, None)

    with_feed(test)


def test_a_round_that_hangs_ages_the_figures_and_starts_no_second_one() -> None:
    async def test(feed: Feed, source: HandSource, clock: Hand) -> None:
        await feed.round()
        source.open.clear()
        running = asyncio.create_task(feed.run())
        clock.now += 60_000
        await next_of(feed, [], upto=feed.newest.beat.number + 3)
        now = feed.newest.beat.snapshot
        assert (source.rounds, now.age_ms, now.stale) == (2, 61_000, True)
        source.open.set()
        feed.close()
        await running

    with_feed(test, period_s=0.01, trend_period_s=1000)


def test_trends_are_asked_for_less_often_than_the_figures_and_beside_them() -> None:
    async def test(feed: Feed, source: HandSource, _clock: Hand) -> None:
        running = asyncio.create_task(feed.run())
        await next_of(feed, [], upto=8)
        assert source.rounds > source.trends == 1
        assert feed.newest.trend is not None
        assert feed.newest.trend[0].entered["visitor"][-1] == 30
        feed.close()
        await running

    with_feed(test, period_s=0.01, trend_period_s=1000)


def test_a_trend_that_the_store_does_not_answer_for_is_no_trend_and_the_figures_go_on() -> None:
    async def test(feed: Feed, source: HandSource, _clock: Hand) -> None:
        await feed.round()
        await feed.trends()
        assert feed.newest.trend
        source.read_trend = gone  # type: ignore[method-assign]
        await feed.trends()
        assert (feed.newest.trend, feed.newest.beat.snapshot.store) == ((), "ok")

    def gone(_: object) -> Sequence[TrendRows]:
        raise StoreGoneError

    with_feed(test)


def test_rows_that_make_no_sense_are_a_lost_store_and_not_a_dead_wall() -> None:
    async def test(feed: Feed, source: HandSource, _clock: Hand) -> None:
        def nonsense(real_ms: int) -> WallRows:
            return replace(reading(real_ms), logs=[log(real_ms)._replace(complete_to="soon")])  # type: ignore[arg-type]  # meant

        source.draw = nonsense
        await feed.round()
        assert feed.newest.beat.snapshot.store == "lost"

    with_feed(test)
