"""An overload goes from the turnstiles to the wall, and is acknowledged at its keyboard."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from infra.process.child import Child
from infra.process.ports import accepts, free_port
from infra.servers.broker import EmbeddedBroker
from infra.servers.clickhouse import EmbeddedClickHouse
from tests.streams.worker.test_alarms_on_broker import _SITE, SPEED, crowd, newest_episodes
from tests.support.local_plant import TOPICS, LocalPlant, eventually
from tests.support.processes import running
from tests.support.wall_sources import until

SOON_MS = 30_000


@pytest.fixture
def place(empty_clickhouse: EmbeddedClickHouse, tmp_path: Path) -> Iterator[LocalPlant]:
    """Start a broker for the site of the rehearsals, whose clock runs fast."""
    with running(EmbeddedBroker(tmp_path / "broker", topics=TOPICS)) as broker:
        yield LocalPlant(empty_clickhouse, broker, tmp_path, speed=SPEED)


@contextmanager
def wall_process(place: LocalPlant) -> Iterator[str]:
    """Run `gatepulse wall` as an installation does; its address."""
    port = free_port()
    more = _SITE | {"WALL__PORT": str(port), "WALL__LANGUAGE": "en", "WALL__STALE_AFTER_SECONDS": "15"}
    child = Child(
        [sys.executable, "-P", "-m", "infra.cli.main", "wall"], place.path / "wall.log", place.environment(more)
    )
    child.start()
    try:
        until(lambda: accepts("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}/"
    finally:
        child.stop()


def test_an_overload_is_seen_on_the_wall_and_acknowledged_at_its_keyboard(place: LocalPlant, page: Page) -> None:
    with crowd(place, a_minute=150), place.worker(**_SITE) as worker, wall_process(place) as url:
        page.goto(url)
        expect(page.locator("#strip")).to_have_attribute("data-state", "unproven")
        eventually(lambda: newest_episodes(place), worker, seconds=60)
        (name,) = newest_episodes(place)
        row = page.locator(f".alarm[data-episode='{name}']")
        expect(row).to_have_attribute("data-state", "raised", timeout=SOON_MS)
        expect(row.locator(".what")).to_have_text("entrance overload")
        expect(page.locator("#strip")).to_have_attribute("data-state", "alarm", timeout=SOON_MS)
        row.click()
        page.keyboard.press("Enter")
        page.keyboard.type("张三")
        page.keyboard.press("Enter")
        expect(row.locator(".told")).to_have_text("张三, acknowledged", timeout=SOON_MS)
        assert (newest_episodes(place)[name].state, newest_episodes(place)[name].actor) == ("acknowledged", "张三")
