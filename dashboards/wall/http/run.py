"""Runs the wall as a process, on figures out of the store. `gatepulse wall` and the demo call `run_wall`."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from functools import partial

import structlog

from dashboards.wall.http.command_sender import SendCommand
from dashboards.wall.http.origin import is_loopback, may_acknowledge
from dashboards.wall.http.serving import LOOPBACK, address_of, listen, serve
from dashboards.wall.live.queries import Rounds
from dashboards.wall.model.options import WallOptions
from sinks.clickhouse import ClickHouseReader, StoreAddress
from streams.site.model import Site

log = structlog.get_logger(__name__)

QUERY_SECONDS = 5.0
"""How long a round may hang before the wall calls the store lost."""
REPLAY_SECONDS = 30.0
"""The same for a replay, which reads a whole day when it begins."""


def store_source(address: StoreAddress, site: Site, options: WallOptions) -> Rounds:
    """Read the figures from a store, as the reader user who sees the public views only."""
    reader, trend_reader = (ClickHouseReader(address, seconds=QUERY_SECONDS) for _ in range(2))

    def close() -> None:
        reader.close()
        trend_reader.close()

    return Rounds(
        reader.query,
        site,
        options.clock,
        flow_minutes=options.flow_minutes,
        ask_trend=trend_reader.query,
        close=close,
    )


def run_wall(
    address: StoreAddress,
    site: Site,
    options: WallOptions,
    *,
    host: str = LOOPBACK,
    port: int = 8080,
    ready: Callable[[str], None] | None = None,
    send: SendCommand | None = None,
) -> None:
    """Serve the wall until SIGINT or SIGTERM, then return; `ready` gets its URL once the socket is open.

    `send` hands an operator's acknowledgement to the alarms; without it the wall takes none.

    A store that cannot be reached is no error here: the page says so, and shows figures as soon as it answers.
    """
    listener = listen(host, port)
    if not is_loopback(host):
        log.warning("wall_open_to_network", host=host, advice=_advice(options, host))
    if ready is not None:
        ready(address_of(listener))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn ends in order first, then raises the signal again
        source = store_source(address, site, options)
        connect = partial(ClickHouseReader, address, seconds=REPLAY_SECONDS)
        asyncio.run(serve(source, site, options, listener, host=host, send=send, connect=connect))


def _advice(options: WallOptions, host: str) -> str:
    seen = "anyone who reaches this port sees the wall"
    if not may_acknowledge(options.acknowledge, host):
        return seen
    return f"{seen} and can acknowledge alarms (wall.acknowledge)"
