"""A worker's metrics, played by hand: episodes that are raised, change and are cleared; it can be away for a while."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from infra.process.ports import lasting_port


@dataclass
class Exporter:
    """Shows one series for each episode, that of its newest change, at `address`."""

    port: int = field(default_factory=lasting_port)
    series: dict[str, tuple[Mapping[str, str], float]] = field(default_factory=dict)
    server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        """Where it is scraped."""
        return f"127.0.0.1:{self.port}"

    def show(self, labels: Mapping[str, str], value: float) -> None:
        """Show an episode's newest change."""
        self.series[labels["episode"]] = (labels, value)

    def text(self) -> str:
        """Return what it shows, as Prometheus reads it."""
        lines = []
        for labels, value in self.series.values():
            shown = ",".join(f'{name}="{text}"' for name, text in labels.items())
            lines.append(f"gatepulse_alarm_episode{{{shown}}} {value}")
        return "\n".join(["# TYPE gatepulse_alarm_episode gauge", *lines, ""])

    def begin(self) -> None:
        """Serve."""
        exporter = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = exporter.text().encode()
                self.send_response(200)
                self.send_header("content-type", "text/plain; version=0.0.4")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def end(self) -> None:
        """Be away, as a worker that was killed."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Serve for the time of a block."""
        self.begin()
        try:
            yield
        finally:
            self.end()
