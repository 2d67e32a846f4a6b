"""A webhook receiver on this machine that prints each signed message of the relay as one line; for demos.

A demo has no robots' addresses, so it has this. It does what every receiver of signed webhooks has to do: check the
signature and how old it is, know a repetition by its id, and answer 200 for what it has accepted.
"""

import contextlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final, Self

import msgspec

from dashboards.messages.message_text import MessageText
from dashboards.messages.notice import from_plain
from infra.process.ports import LOOPBACK
from infra.relay.robots import webhook_signature
from streams.site.model import Site

MOST_BODY: Final = 1 << 20
_MOST_AGE: Final = 300  # s; as the Standard Webhooks specification advises
_POLL_SECONDS: Final = 0.1  # s; how often it is looked whether to end
_PATIENCE: Final = 5.0  # s for a request to come in


class MessageError(ValueError):
    """What was posted is no message of the relay's; the text names the field, and what was expected."""


class _Data(msgspec.Struct, frozen=True):
    notices: list[dict[str, Any]]


class _Message(msgspec.Struct, frozen=True):
    data: _Data


class Receiver:
    """Listens at `url` for the time of a block, and passes a line for each message to `report`."""

    def __init__(self, site: Site, secret: str, report: Callable[[str], None]) -> None:
        self._text, self._secret, self._report = MessageText(site), secret, report
        self._newest = ""
        self._server = HTTPServer((LOOPBACK, 0), _handler(self))
        self.url = f"http://{LOOPBACK}:{self._server.server_port}/"

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), name="receiver", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def receive(self, headers: Mapping[str, str], body: bytes, *, now: float) -> None:
        """Report a message unless it repeats the newest; names of `headers` in small letters, `now` in s UTC.

        Raises MessageError.
        """
        message = self._check(headers, body, now)
        try:
            data = msgspec.json.decode(body, type=_Message).data
            line = self._line(data) if data.notices else ""
        except msgspec.DecodeError as error:
            raise MessageError(f"body: expected a message of the relay's: {error}") from None
        if message != self._newest and line:
            self._report(line)
        self._newest = message

    def _check(self, headers: Mapping[str, str], body: bytes, now: float) -> str:
        """Return the message's id if the relay has signed it, lately."""
        message, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not (seconds.isascii() and seconds.isdigit() and abs(int(seconds) - now) <= _MOST_AGE):
            raise MessageError(f"webhook-timestamp = {seconds[:20]!r}: expected a second of the last five minutes")
        expected = webhook_signature(self._secret, message, seconds, body)
        if not hmac.compare_digest(expected.encode(), headers.get("webhook-signature", "").encode()):
            raise MessageError("webhook-signature: does not fit; expected the one that the secret gives")
        return message

    def _line(self, data: _Data) -> str:
        head, more = from_plain(data.notices[0]), len(data.notices) - 1
        group = self._text.addressee(head)
        rest = f"（另有 {more} 条 / {more} more）" if more else ""
        return f"ALARM → {group.zh} / {group.en}: {self._text.line(head)}{rest}"


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE

        def do_POST(self) -> None:
            with contextlib.suppress(ConnectionError):  # the relay has gone: it posts again
                self._answer(*self._judge())

        def _judge(self) -> tuple[int, str]:
            length = self.headers.get("content-length", "")
            if not (length.isascii() and length.isdigit() and int(length) <= MOST_BODY):
                return 413, f"expected at most {MOST_BODY} bytes\n"
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                receiver.receive(headers, self.rfile.read(int(length)), now=time.time())
            except MessageError as error:
                return 400, f"{error}\n"
            return 200, ""

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing: the receiver reports the messages."""

    return Handler
