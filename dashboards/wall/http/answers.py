"""The two answers that several addresses of the wall give: a stream of events, and a refusal in both languages."""

import msgspec
import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dashboards.wall.model.refusal import RequestRefused

log = structlog.get_logger(__name__)


class EventStream(EventSourceResponse):
    """A stream of server-sent events that gives up on a display which stops reading."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until either side ends; the display reconnects by itself."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.warning("wall_display_too_slow", display=scope.get("client"), seconds=self.send_timeout)


def refusal(refused: RequestRefused, *, event: str) -> Response:
    """Answer with the reason in both languages, and log `event` without it."""
    log.info(event, status=refused.status)
    headers = {} if refused.retry_after_s is None else {"Retry-After": str(refused.retry_after_s)}
    return Response(msgspec.json.encode(refused.reason), refused.status, headers, media_type="application/json")
