"""Runs the relay as a process that reads alarms and sends them to robots; `gatepulse relay` calls `run`.

Its HTTP endpoint for Alertmanager's webhooks answers 200 once an alert is on disk, to be sent later.
"""

import asyncio
import contextlib
import hmac
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from dashboards.messages.message_text import MessageText
from dashboards.messages.notice import PLATFORM
from dashboards.wall.http.origin import is_loopback
from infra.process.ports import claim
from infra.relay.follower import Follower
from infra.relay.metrics import RelayMetrics
from infra.relay.options import HEARTBEAT, RelayOptions
from infra.relay.outbox import Outbox
from infra.relay.platform import EPISODE, MONITORING, PlatformBox, Webhook, WebhookError, read_webhook
from infra.relay.sender import RobotSender
from streams.logging import loggable_text
from streams.settings import KafkaSettings

log = structlog.get_logger(__name__)

MOST_BODY: Final = 4 * 1024 * 1024
_FORGET_EVERY: Final = 3600.0


def run(options: RelayOptions, kafka: KafkaSettings) -> None:
    """Serve until SIGINT or SIGTERM, then return. Raises PortTaken and OutboxError."""
    port = claim(options.port, "port", options.host)
    # It logs each attempt to reach a broker that is away, many a second; our own message is one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    if not is_loopback(options.host) and not options.token:
        log.warning("relay_open_to_network", host=options.host, advice="set token_file, or listen on 127.0.0.1")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # uvicorn ends in order, then raises it again
    with Outbox(options.state / "outbox.sqlite") as outbox, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(options, kafka, outbox, port))


async def _serve(options: RelayOptions, kafka: KafkaSettings, outbox: Outbox, port: int) -> None:
    now_ms = int(time.time() * 1000)
    outbox.begin(now_ms)
    PlatformBox(outbox).begin(options.robots_of(PLATFORM), now_ms)
    known = {robot.name for robot in options.robots}
    for robot, (count, _) in outbox.backlog(now_ms).items():
        if robot not in known:
            log.warning("notices wait for a robot that is not in the settings", robot=robot, count=count)
    metrics = RelayMetrics((robot.name for robot in options.robots), outbox)
    text = MessageText(options.site)
    senders = [RobotSender(robot, outbox, text, metrics) for robot in options.robots]

    def wake() -> None:
        for each in senders:
            each.wake()

    follower = Follower(kafka, options, outbox, metrics, wake)
    app = Intake(options, outbox, metrics, wake).app()
    server = uvicorn.Config(
        app, options.host, port, log_config=None, access_log=False, server_header=False, ws="none", lifespan="off",
        timeout_graceful_shutdown=3,
    )  # fmt: skip
    # What breaks ends the process, so that a supervisor notices.
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run(session)) for each in senders]
        tasks += [group.create_task(follower.run()), group.create_task(_forgetting(outbox))]
        await uvicorn.Server(server).serve()
        for task in tasks:
            task.cancel()


async def _forgetting(outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(_FORGET_EVERY)
        outbox.forget(int(time.time() * 1000))


@dataclass(frozen=True)
class Intake:
    """Writes the platform's alerts into the outbox of their robots; `wake` is called when something is new."""

    options: RelayOptions
    outbox: Outbox
    metrics: RelayMetrics
    wake: Callable[[], None]

    def app(self) -> Starlette:
        """Return the web application."""
        return Starlette(
            routes=[
                Route("/alerts/{route}", self._alerts, methods=["POST"]),
                Route("/metrics", self._metrics),
                Route("/healthy", self._healthy),
            ]
        )

    async def _alerts(self, request: Request) -> Response:
        given, token = request.headers.get("authorization", "").encode(), self.options.token
        if token and not hmac.compare_digest(given, f"Bearer {token}".encode()):
            return PlainTextResponse("expected the bearer token of `token_file`\n", 401)
        if int(request.headers.get("content-length") or 0) > MOST_BODY:
            return PlainTextResponse(f"expected at most {MOST_BODY} bytes\n", 413)
        try:
            webhook = read_webhook(await request.body())
        except WebhookError as error:
            log.warning("a request that is no webhook", reason=loggable_text(error))
            return PlainTextResponse(f"{error}\n", 400)
        self._accept(request.path_params["route"], webhook)
        self.wake()
        return PlainTextResponse("accepted\n")

    def _accept(self, route: str, webhook: Webhook) -> None:
        """Write the alerts of one request down, all or none; those about episodes come from Kafka, and are left out."""
        now_ms, platform = int(time.time() * 1000), PlatformBox(self.outbox)
        robots = self.options.robots_of(PLATFORM)
        with self.outbox.at_once():
            if route == HEARTBEAT:
                platform.beat(MONITORING, robots, now_ms)
                return
            for alert in webhook.alerts:
                if alert.labels.get("alertname") != EPISODE:
                    platform.note(alert, robots, now_ms)

    async def _metrics(self, _: Request) -> Response:
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _healthy(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")
