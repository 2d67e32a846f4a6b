"""A stream of server-sent events to one display. Read next: `server.py`."""

import structlog
from sse_starlette import EventSourceResponse
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

log = structlog.get_logger(__name__)


class Events(EventSourceResponse):
    """A stream of events that gives up on a display which stops reading."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until either side ends; the display reconnects by itself."""
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            log.warning("wall_display_too_slow", display=scope.get("client"), seconds=self.send_timeout)
