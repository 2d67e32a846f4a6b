"""The HTTP endpoint for Alertmanager's webhooks: answers 200 once an alert is on disk, to be sent later."""

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

from dashboards.messages.notice import PLATFORM
from infra.relay.alerts import EPISODE, HEARTBEAT, Alert, WebhookError, read_webhook
from infra.relay.metrics import RelayMetrics
from infra.relay.options import RelayOptions
from infra.relay.outbox import Outbox
from infra.relay.platform import MONITORING, PlatformBox
from streams.logging import loggable_text

log = structlog.get_logger(__name__)

MOST_BODY: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Intake:
    """Writes the platform's alerts into the outbox of their robots; `wake` is called when something is new."""

    options: RelayOptions
    outbox: Outbox
    metrics: RelayMetrics
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

    def accept(self, route: str, alerts: Sequence[Alert]) -> None:
        """Write the alerts of one request down, all or none; those about episodes come from Kafka, and are left out."""
        now_ms, platform = int(self.clock() * 1000), PlatformBox(self.outbox)
        robots = self.options.robots_of(PLATFORM)
        with self.outbox.at_once():
            if route == HEARTBEAT:
                platform.beat(MONITORING, robots, now_ms)
                return
            for alert in alerts:
                if alert.labels.get("alertname") != EPISODE:
                    platform.note(alert, robots, now_ms)

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
        self.accept(request.path_params["route"], webhook.alerts)
        self.wake()
        return PlainTextResponse("accepted\n")

    def _allowed(self, request: Request) -> bool:
        given = request.headers.get("authorization", "").encode()
        return not self.options.token or hmac.compare_digest(given, f"Bearer {self.options.token}".encode())

    async def _metrics(self, request: Request) -> Response:
        del request
        return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def _healthy(self, request: Request) -> Response:
        del request
        return PlainTextResponse("ok\n")
