"""A double of Grafana's HTTP API, as far as a push needs it: folders and dashboards, with a token."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Grafana:
    """What it knows; `answer` replaces its answer to a dashboard by a status, as (status, message)."""

    token: str
    url: str = ""
    folders: dict[str, str] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    answer: tuple[int, str] | None = None

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Answer a GET."""
        uid = path.removeprefix("/api/folders/")
        if uid in self.folders:
            return 200, {"uid": uid, "title": self.folders[uid]}
        return 404, {"message": "folder not found", "status": "not-found"}

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Answer a POST."""
        if path == "/api/folders":
            self.folders[body["uid"]] = body["title"]
            return 200, body
        if path != "/api/dashboards/db":
            return 404, {"message": "Not found"}
        if self.answer:
            return self.answer[0], {"message": self.answer[1]}
        board = body["dashboard"]
        if body.get("folderUid") not in self.folders:
            return 400, {"message": "folder not found"}
        if board["uid"] in self.dashboards and not body.get("overwrite"):
            return 412, {"message": "The dashboard has been changed by someone else"}
        self.dashboards[board["uid"]] = board
        return 200, {"uid": board["uid"], "url": f"/d/{board['uid']}", "status": "success"}


@contextmanager
def running(token: str) -> Iterator[Grafana]:
    """Serve a double on a free port of loopback."""
    grafana = Grafana(token)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(lambda: grafana.get(self.path))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._reply(lambda: grafana.post(self.path, body))

        def _reply(self, answer: Any) -> None:
            grafana.seen.append(f"{self.command} {self.path}")
            known = self.headers["Authorization"] == f"Bearer {grafana.token}"
            status, content = answer() if known else (401, {"message": "Invalid API key"})
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    grafana.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield grafana
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
