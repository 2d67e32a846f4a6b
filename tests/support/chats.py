"""Simulated group chats of robots: they check signature, form and rate, and answer with the real codes."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.alerts import SECRET, WEBHOOK_SECRET

FAST = {"wecom": 45009, "dingtalk": 130101, "feishu": 11232}
HOUR = 3600


@dataclass
class Chat:
    """A chat of one kind; `texts` are those that it has accepted (`letters` with id and all), `asked` counts requests.

    `answer_next` decides about the next request instead: "500", "fast", "silent" (takes it, and breaks off without
    an answer), "page" (a web page, as a captive portal gives).
    """

    kind: str
    secret: str = SECRET
    per_minute: int = 20
    texts: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    letters: list[tuple[str, Any]] = field(default_factory=list)
    answer_next: list[str] = field(default_factory=list)
    asked: int = 0
    url: str = ""
    on_text: Callable[[], None] = lambda: None

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes] | None:
        """Return status and body; None: break off."""
        self.asked += 1
        instead = self.answer_next.pop(0) if self.answer_next else ""
        if instead == "500":
            return 500, b"oops"
        if instead == "page":
            return 200, b"<html>please log in</html>"
        if instead == "fast":
            return self._code(FAST[self.kind])
        content = json.loads(body)
        wrong = getattr(self, f"_{self.kind}")(path, headers, body, content)
        if wrong:
            return self._code(wrong)
        now = time.monotonic()
        if sum(now - each < 60 for each in self.at) >= self.per_minute:
            return self._code(FAST[self.kind])
        self.at.append(now)
        self.letters.append((headers.get("webhook-id", ""), content))
        self.texts.append(self._text(content))
        self.on_text()
        return None if instead == "silent" else self._code(0)

    def _text(self, content: Any) -> str:
        where = {"feishu": "content", "webhook": "data"}.get(self.kind, "text")
        return str(content[where]["text" if where != "text" else "content"])

    def _code(self, code: int) -> tuple[int, bytes]:
        if self.kind == "webhook":
            return (200, b"") if code == 0 else (400, b"")
        said = "ok" if code == 0 else "refused"
        if self.kind == "feishu":
            old = {"StatusCode": 0, "StatusMessage": "success"} if code == 0 else {}
            return 200, json.dumps({"code": code, "msg": said, "data": {}} | old).encode()
        return 200, json.dumps({"errcode": code, "errmsg": said}).encode()

    def _wecom(self, path: str, headers: Any, body: bytes, content: Any) -> int:
        del headers, body
        if parse_qs(urlsplit(path).query).get("key") != ["wecom-key"]:
            return 93000
        long = len(content["text"]["content"].encode()) > 2048
        return 40058 if long or content["msgtype"] != "text" else 0

    def _dingtalk(self, path: str, headers: Any, body: bytes, content: Any) -> int:
        del headers, body
        query = parse_qs(urlsplit(path).query)
        moment = query.get("timestamp", ["0"])[0]
        expected = _hmac(self.secret.encode(), f"{moment}\n{self.secret}".encode())
        if query.get("sign") != [expected] or abs(int(moment) / 1000 - time.time()) > HOUR:
            return 310000
        return 0 if content["msgtype"] == "text" and query["access_token"] else 400

    def _feishu(self, path: str, headers: Any, body: bytes, content: Any) -> int:
        del path, headers
        moment = content.get("timestamp", "0")
        expected = _hmac(f"{moment}\n{self.secret}".encode(), b"")
        if content.get("sign") != expected or abs(int(moment) - time.time()) > HOUR:
            return 19021
        return 0 if content["msg_type"] == "text" and len(body) <= 20_000 else 9499

    def _webhook(self, path: str, headers: Any, body: bytes, content: Any) -> int:
        del path, content
        message, moment = headers["webhook-id"], headers["webhook-timestamp"]
        key = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
        expected = "v1," + _hmac(key, f"{message}.{moment}.".encode() + body)
        return 0 if headers["webhook-signature"] == expected and abs(int(moment) - time.time()) < 300 else 401


def _hmac(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


@contextmanager
def chatting(*chats: Chat) -> Iterator[None]:
    """Serve chats on loopback for the time of a block, each at its `url`."""
    servers = [_serve(chat) for chat in chats]
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _serve(chat: Chat) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            answer = chat.answer(self.path, self.headers, body)
            if answer is None:
                self.close_connection = True
                return
            self.send_response(answer[0])
            self.send_header("content-length", str(len(answer[1])))
            self.end_headers()
            self.wfile.write(answer[1])

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    query = {"wecom": "?key=wecom-key", "dingtalk": "?access_token=dingtalk-token"}.get(chat.kind, "")
    chat.url = f"http://127.0.0.1:{server.server_port}/send{query}"
    return server
