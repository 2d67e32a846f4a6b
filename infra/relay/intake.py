"""Takes Alertmanager's webhooks in: what is answered with 200 is on disk, and will be told."""

import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from infra.relay.metrics import RelayMetrics
from infra.relay.notice import (
    HEARTBEAT,
    PLATFORM,
    Alert,
    AlertError,
    Notice,
    WebhookError,
    episode_notice,
    is_episode,
    read_webhook,
    unreadable_notice,
)
from infra.relay.options import RelayOptions
from infra.relay.outbox import Outbox
from infra.relay.platform import PlatformBox
from streams.logging import loggable_text

log = structlog.get_logger(__name__)

MOST_BODY: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Intake:
    """Writes alerts into the outbox of the robots they are for; `wake` is called when something is new."""

    options: RelayOptions
    outbox: Outbox
    numbers: RelayMetrics
    wake: Callable[[], None]
    clock: Callable[[], float] = time.time

    def app(self) -> Starlette:
        """Return the web application."""
        return Starlette(
            routes=[
                Route("/alerts/{route}", self._alerts, methods=["POST"]),
                Route("/metrics", self._metrics),
                Route("/healthy", self._healthy),
            ]
        )

    def take(self, route: str, alerts: Sequence[Alert]) -> None:
        """Write the alerts of one request down, all or none."""
        now_ms, platform = int(self.clock() * 1000), PlatformBox(self.outbox)
        with self.outbox.at_once():
            robots = self.options.robots_of(PLATFORM if route == HEARTBEAT else route)
            if route == HEARTBEAT:
                platform.beat(robots, now_ms)
                return
            self.outbox.accept([self._read(each, now_ms) for each in alerts if is_episode(each)], robots, now_ms)
            for each in alerts:
                if not is_episode(each):
                    platform.note(each, robots, now_ms)

    def _read(self, alert: Alert, now_ms: int) -> Notice:
        try:
            return episode_notice(alert)
        except AlertError as error:
            self.numbers.unreadable.inc()
            log.exception("an alert cannot be read", fingerprint=alert.fingerprint)
            return unreadable_notice(alert, error, now_ms)

    async def _alerts(self, request: Request) -> Response:
        if not self._allowed(request):
            return PlainTextResponse("expected the bearer token of `token_file`\n", 401)
        if int(request.headers.get("content-length") or 0) > MOST_BODY:
            return PlainTextResponse(f"expected at most {MOST_BODY} bytes\n", 413)
        try:
            webhook = read_webhook(await request.body())
        except WebhookError as error:
            log.warning("a request that is no webhook", reason=loggable_text(error))
            return PlainTextResponse(f"{error}\n", 400)
        self.take(request.path_params["route"], webhook.alerts)
        self.wake()
        return PlainTextResponse("accepted\n")

    def _allowed(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return not self.options.token or hmac.compare_digest(given, f"Bearer {self.options.token}".encode())

    async def _metrics(self, request: Request) -> Response:
        del request
        return Response(generate_latest(self.numbers.registry), media_type=CONTENT_TYPE_LATEST)

    async def _healthy(self, request: Request) -> Response:
        del request
        return PlainTextResponse("ok\n")
