"""A source of rows that a test controls, and a wall that is served from it."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dashboards.wall.http.acknowledge import SendCommand
from dashboards.wall.http.run import WallServer, address_of, listen
from dashboards.wall.http.server import create_app
from dashboards.wall.live.feed import Feed
from dashboards.wall.live.queries import Source
from dashboards.wall.model.options import WallOptions
from dashboards.wall.model.rows import ChangeRow, Span, TrendRows, WallRows
from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.site.model import Site
from tests.support.wall_site import SITE, reading, trend_reading
from tests.support.wall_site import span as morning

PATIENCE = 20.0
"""Real seconds until something that should happen has failed to."""


NOBODY = StoreAddress("127.0.0.1", 1, "reader", "")
"""A store that does not answer."""


class StoreGoneError(Exception):
    """What a test's store says when it is away."""


@dataclass
class HandSource:
    """Answers with `draw(real_ms)`; `failure` makes it fail, clearing `open` makes it hang; counts the rounds."""

    draw: Callable[[int], WallRows] = reading
    failure: Exception | None = None
    open: threading.Event = field(default_factory=threading.Event)
    rounds: int = 0
    trends: int = 0
    closed: bool = False
    changes: dict[str, list[ChangeRow]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let the first round through."""
        self.open.set()

    def read(self, real_ms: int) -> WallRows:
        """Answer, hang or fail, as the test wants it."""
        self.rounds += 1
        self.open.wait(PATIENCE)
        if self.failure is not None:
            raise self.failure
        return self.draw(real_ms)

    def read_trend(self, _: Span) -> Sequence[TrendRows]:
        """Answer with a morning, whatever time it is."""
        self.trends += 1
        return [trend_reading(morning())]

    def read_changes(self, episode: str) -> Sequence[ChangeRow]:
        """Answer with the changes that the test has laid out."""
        if self.failure is not None:
            raise self.failure
        return self.changes.get(episode, [])

    def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


@dataclass(frozen=True)
class Wall:
    """A wall that is being served."""

    url: str
    port: int
    feed: Feed


@contextmanager
def wall(
    source: Source,
    options: WallOptions,
    *,
    site: Site = SITE,
    port: int = 0,
    send: SendCommand | None = None,
    connect: Callable[[], ClickHouseReader] = lambda: ClickHouseReader(NOBODY),
) -> Iterator[Wall]:
    """Serve in a thread until the block ends; `send` gets what operators acknowledge, replays ask through `connect`."""
    listener = listen(port=port)
    app = create_app(source, site, options, send=send, connect=connect)
    server = WallServer(app, options)
    url, port = address_of(listener), listener.getsockname()[1]
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started)
        yield Wall(url, port, app.state.feed)
    finally:
        if isinstance(source, HandSource):
            source.open.set()
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive(), "the server did not end"


def until(true: Callable[[], object]) -> None:
    """Wait until something is true, or fail."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)
