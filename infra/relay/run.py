"""Runs the relay as a process that reads alarms and sends them to robots; `gatepulse relay` calls `run`."""

import asyncio
import contextlib
import logging
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import aiohttp
import structlog
import uvicorn

from dashboards.messages.message_text import MessageText
from dashboards.messages.notice import PLATFORM
from infra.process.ports import claim
from infra.relay.follower import Follower
from infra.relay.intake import Intake
from infra.relay.metrics import RelayMetrics
from infra.relay.options import RelayOptions
from infra.relay.outbox import Outbox
from infra.relay.platform import PlatformBox
from infra.relay.sender import RobotSender
from streams.settings import KafkaSettings

log = structlog.get_logger(__name__)

OUTBOX: Final = "outbox.sqlite"
_LOOPBACK: Final = {"127.0.0.1", "localhost", "::1"}
_FORGET_EVERY: Final = 3600.0


def run(options: RelayOptions, kafka: KafkaSettings) -> None:
    """Serve until SIGINT or SIGTERM, then return. Raises PortTaken and OutboxError."""
    port = claim(options.port, "port", options.host)
    # It logs each attempt to reach a broker that is away, many a second; our own message is one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    if options.host not in _LOOPBACK and not options.token:
        log.warning("relay_open_to_network", host=options.host, advice="set token_file, or listen on 127.0.0.1")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn ends in order, then raises it again
    with Outbox(options.state / OUTBOX) as outbox, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options, kafka, outbox, port))


async def _serve(options: RelayOptions, kafka: KafkaSettings, outbox: Outbox, port: int) -> None:
    now_ms = int(time.time() * 1000)
    outbox.begin(now_ms)
    PlatformBox(outbox).begin(options.robots_of(PLATFORM), now_ms)
    _report_orphans(options, outbox, now_ms)
    metrics = RelayMetrics((robot.name for robot in options.robots), outbox)
    text = MessageText(options.site)
    senders = [RobotSender(robot, outbox, text, metrics) for robot in options.robots]

    def wake() -> None:
        for each in senders:
            each.wake()

    follower = Follower(kafka, options, outbox, metrics, wake)
    async with _at_work(follower, senders, outbox):
        app = Intake(options, outbox, metrics, wake).app()
        config = uvicorn.Config(
            app, log_config=None, access_log=False, server_header=False, ws="none", lifespan="off",
            timeout_graceful_shutdown=3,
        )  # fmt: skip
        with _listening(options.host, port) as listener:
            await uvicorn.Server(config).serve(sockets=[listener])


@contextlib.asynccontextmanager
async def _at_work(follower: Follower, senders: Sequence[RobotSender], outbox: Outbox) -> AsyncIterator[None]:
    """Follow and send for a block; what breaks ends the process, so that a supervisor notices."""
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(session)) for each in senders]
        tasks += [group.create_task(follower.run()), group.create_task(_forgetting(outbox))]
        yield
        for task in tasks:
            task.cancel()


async def _forgetting(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(_FORGET_EVERY)
        outbox.forget(int(time.time() * 1000))


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        yield listener


def _report_orphans(options: RelayOptions, outbox: Outbox, now_ms: int) -> None:
    """Log what waits for robots that are no longer there."""
    known = {robot.name for robot in options.robots}
    for robot, (count, _) in outbox.backlog(now_ms).items():
        if robot not in known:
            log.warning("notices wait for a robot that is not in the settings", robot=robot, count=count)
