"""The error for a request that the wall refuses, with the reason for the person who made it."""

from streams.text import Text


class RequestRefused(Exception):
    """A request is refused: `status` for HTTP, `reason` (in both languages) for the operator, with what to do next."""

    quotes_events = True  # may hold an operator's name or a part of the request, so it is never logged

    def __init__(self, status: int, zh: str, en: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(en)
        self.status = status
        self.reason = Text(zh, en)
        self.retry_after_s = retry_after_s
