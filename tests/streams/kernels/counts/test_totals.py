"""A partition publishes only the totals that changed, and consumers still know them all."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.kernels.counts.site_totals import EntranceTotals, entrance_totals
from streams.kernels.counts.snapshot import freeze, thaw
from streams.worker.agents import RESTATE_SECONDS, KafkaOutlet
from streams.worker.consumer import Offsets
from tests.support.events import HORIZON, LOG, NINE, PLACE, Event, batch, log

# Two lanes that are moved from one entrance to another, with numbers left out and repeated, some much too late.
EVENTS = st.builds(
    Event,
    seq=st.integers(1, 9),
    device=st.sampled_from(["L1", "L2"]),
    entrance=st.sampled_from(["N1", "N2", "H1"]),
    direction=st.sampled_from(["in", "out"]),
    outcome=st.sampled_from(["passed", "denied"]),
    ts=st.sampled_from([NINE, NINE - 2 * HORIZON]),
)


@given(st.lists(EVENTS, max_size=12), st.integers(1, 4))
def test_what_was_announced_last_of_each_entrance_is_what_is_known_of_it(events: list[Event], size: int) -> None:
    counting, announced = log(), dict[str, EntranceTotals]()
    for at in range(0, len(events), size):
        some = [replace(each, offset=at + i) for i, each in enumerate(events[at : at + size])]
        counting.apply(batch(some, first=at, after=at + len(some)))
        announced |= {each.entrance: each for each in entrance_totals(counting)}
        assert entrance_totals(counting) == []  # nothing has changed since
    taken_up = thaw(freeze(counting), LOG, "person", PLACE)
    assert by_entrance(entrance_totals(taken_up, everything=True)) == by_entrance(announced.values())


def by_entrance(figures: Iterable[EntranceTotals]) -> dict[str, tuple[object, ...]]:
    """Return what figures say, without entrances of which nothing is known (any more)."""
    said = {
        each.entrance: (
            sorted((total.direction, total.category, total.passages) for total in each.totals),
            each.missing,
            each.last_ts,
        )
        for each in figures
    }
    return {name: each for name, each in said.items() if each != ([], 0, None)}


class Topic:
    """Takes what is sent at once, and remembers the keys."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []

    def send_soon(self, *, key: bytes, value: bytes) -> Awaitable[None]:
        """Send, as Faust does: with a promise, that is kept already."""
        assert value
        self.keys.append(key)
        sent = asyncio.get_running_loop().create_future()
        sent.set_result(None)
        return sent


def test_everything_is_said_again_now_and_then_since_who_follows_may_have_begun_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        topic, counting = Topic(), log()
        app = cast("Any", SimpleNamespace(topic=lambda *_, **__: topic))
        outlet = KafkaOutlet(app, LOG.topic, cast("Any", None), Offsets())
        clock = [100.0]
        monkeypatch.setattr("streams.worker.agents.time.monotonic", lambda: clock[0])

        async def announced(*events: Event) -> list[bytes]:
            first = counting.next_offset
            some = [replace(each, offset=first + i) for i, each in enumerate(events)]
            counting.apply(batch(some, first=first, after=first + len(some)))
            topic.keys.clear()
            await outlet.publish([counting])
            return list(topic.keys)

        assert await announced(Event(seq=1), Event(seq=1, device="N2-L01", entrance="N2")) == [b"N1", b"N2"]
        assert await announced(Event(seq=2)) == [b"N1"]
        clock[0] += RESTATE_SECONDS
        assert await announced() == [b"N1", b"N2"]
        assert await announced() == []

    asyncio.run(story())
