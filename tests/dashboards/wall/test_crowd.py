"""With 200 displays, some badly behaved, the others still get every beat, and memory is bounded."""

import json
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Any, Final

import numpy as np
import pytest

from dashboards.wall.http.run import SEND_BUFFER
from infra.process.ports import LOOPBACK
from tests.dashboards.wall.apart import Apart, apart, resident
from tests.dashboards.wall.crowd import Beat, Crowd
from tests.support.wall_sources import PATIENCE, until

READERS, CRAWLERS, DEAF, VISITORS, HALTING = 140, 20, 15, 20, 5
WARM_UP: Final = 12.0  # s
TIME: Final = 24.0  # s
LOOK: Final = 0.25  # s
GREY: Final = 3.0
"""Seconds without a beat after which a page calls its figures old."""
LEAST_BEATS: Final = round(0.6 * TIME)
"""Of one a second; a machine that is busy with something else may leave some out."""
NEVER: Final = 600.0
"""Seconds until the wall lets go of who does not read: so it holds all that it may ever hold for them."""

MB: Final = 1024 * 1024
TRANSPORT: Final = 64 * 1024
"""Bytes that asyncio holds back for one connection before it makes its writer wait."""
CONNECTION: Final = 64 * 1024
"""Bytes for the tasks and objects of one connection, generously."""
COMING_AND_GOING: Final = 8 * MB
"""For what is encoded each second, for visitors on their way out, and what the allocator keeps of both."""
GROWTH: Final = 2 * MB
"""Within half of the time: 2 kB for each of some 1,000 visits; pages of a heap that is in use move by a tenth of it.
A queue for each of those who do not read would be 13 MB."""


@dataclass(frozen=True)
class Evening:
    """What came of it. Moments are monotonic seconds, memory is the wall's own, in bytes; `health` is what it says.

    `event` is the size of a beat in bytes, or a little more.
    """

    crowd: Crowd
    event: int
    first: float
    last: float
    hurried: float
    alone: int
    memory: list[tuple[float, int]]
    health: dict[str, Any]
    health_after: dict[str, Any]

    @property
    def late(self) -> float:
        """How late (s) a beat may be: until pages go grey, and as long as the machine has held up this process."""
        moments = np.array([at for at, _ in self.memory])
        return GREY + float(np.diff(moments).max()) - LOOK


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """Let the crowd look at a wall for a while, let those who crawled hurry, and let all go home."""
    with apart(tmp_path_factory.mktemp("wall"), send_timeout_s=NEVER) as wall:
        yield spend(wall)


def spend(wall: Apart) -> Evening:
    until(lambda: health_of(wall)["ok"])
    event, alone, memory = len(body(wall, "/snapshot.json")), resident(wall.pid), []
    crowd = Crowd(wall.port, readers=READERS, crawlers=CRAWLERS, deaf=DEAF, visitors=VISITORS, halting=HALTING)
    with crowd.looking():
        until(lambda: all(display.connections for display in crowd.all))
        time.sleep(WARM_UP)
        first = time.monotonic()
        while time.monotonic() < first + TIME:
            memory.append((time.monotonic(), resident(wall.pid)))
            time.sleep(LOOK)
        last, health = time.monotonic(), health_of(wall)
        hurried = time.monotonic()
        crowd.hurry()
        until(lambda: all(beats_of_now(display.beats, hurried) for display in crowd.crawlers))
    until(lambda: health_of(wall)["displays"] == 0)
    return Evening(crowd, event, first, last, hurried, alone, memory, health, health_of(wall))


def body(wall: Apart, path: str) -> bytes:
    line = HTTPConnection(LOOPBACK, wall.port, timeout=PATIENCE)
    line.request("GET", path)
    with closing(line):
        return line.getresponse().read()


def health_of(wall: Apart) -> Any:
    return json.loads(body(wall, "/healthz"))


def beats_of_now(beats: list[Beat], moment: float) -> list[Beat]:
    return [beat for beat in list(beats) if beat.sent > moment]


def test_everybody_who_reads_gets_a_beat_each_second_whatever_the_others_do(evening: Evening) -> None:
    first, last = evening.first, evening.last
    assert max(reader.longest_gap(first, last) for reader in evening.crowd.readers) < evening.late
    assert min(len(reader.between(first, last)) for reader in evening.crowd.readers) >= LEAST_BEATS
    assert [reader.ends for reader in evening.crowd.readers] == [0] * READERS


def test_beats_are_of_now_when_they_come(evening: Evening) -> None:
    held_up = [
        beat.came - beat.sent
        for reader in evening.crowd.readers
        for beat in reader.between(evening.first, evening.last)
    ]
    assert max(held_up) < evening.late


def test_who_comes_again_and_again_is_let_in_each_time(evening: Evening) -> None:
    assert min(visitor.connections for visitor in evening.crowd.visitors) > TIME / 5
    for visitor in evening.crowd.visitors:
        assert len(visitor.beats) >= visitor.connections - 1  # the last visit may have been cut short


def test_memory_stays_below_what_the_buffers_of_all_displays_add_up_to(evening: Evening) -> None:
    held = (CRAWLERS + DEAF) * (TRANSPORT + 2 * evening.event)  # one event being written, and one of those before
    bound = held + len(evening.crowd.all) * CONNECTION + COMING_AND_GOING
    assert max(size for _, size in evening.memory) - evening.alone < bound


def test_memory_does_not_grow_with_time(evening: Evening) -> None:
    at, sizes = np.array(evening.memory[len(evening.memory) // 2 :]).T
    rise = np.polyfit(at - at[0], sizes, 1)[0]
    assert rise * (at[-1] - at[0]) < GROWTH


def test_a_display_that_crawled_and_hurries_gets_the_figures_of_now_and_no_old_queue(evening: Evening) -> None:
    for crawler in evening.crowd.crawlers:
        assert crawler.ends == 0  # it is on its first connection, with all that was ever held for it
        now = beats_of_now(crawler.beats, evening.hurried)[0]
        old = [beat for beat in crawler.beats if beat.number < now.number]
        assert now.number - old[0].number > len(old) + TIME / 4  # most beats were never sent to it
        assert now.place < 8 * SEND_BUFFER  # what was still on its way: buffers of both ends, and one transport's


def test_the_wall_tells_how_many_look_and_forgets_who_has_left(evening: Evening) -> None:
    least = READERS + CRAWLERS + DEAF
    assert evening.health["ok"]
    assert least <= evening.health["displays"] <= least + VISITORS
    assert evening.health_after["displays"] == 0
