"""The command `gatepulse wall`; the wall is `dashboards/wall`."""

from functools import partial

from dashboards.wall.http.run import run_wall
from dashboards.wall.model.options import WallOptions
from streams import console
from streams.connections import views_address
from streams.logging import configure_logging
from streams.operations.alarm_commands import send
from streams.settings import load_settings
from streams.site.kernel_views import clock_of
from streams.site.reader import load_site


def wall() -> None:
    """Serve the wall page from the store's views."""
    settings = load_settings()
    configure_logging(settings.log.level)
    options = WallOptions(
        language=settings.wall.language,
        stale_after_ms=round(settings.wall.stale_after_seconds * 1000),
        clock=clock_of(settings),
        acknowledge=settings.wall.acknowledge,
    )
    run_wall(
        views_address(settings), load_site(settings.site), options, host=settings.wall.host, port=settings.wall.port,
        ready=lambda url: console.report(f"wall: {url}"), send=partial(send, settings.kafka),
    )  # fmt: skip
