"""The wall's server streams to all displays, and withstands slow or broken ones."""

import http.client
import json
import re
import socket
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from dashboards.wall.http import run
from dashboards.wall.http.run import SEND_BUFFER, WallPortTaken, listen
from dashboards.wall.http.server import HEADERS, STATIC
from dashboards.wall.model.options import WallOptions
from streams.site.reader import load_site
from tests.support.wall_site import reading
from tests.support.wall_sources import HandSource, StoreGoneError, Wall, until, wall

FAST = WallOptions(period_s=0.05, trend_period_s=0.05)


def get(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - our own server
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def get_json(url: str) -> Any:
    return json.loads(get(url)[2])


def stream(port: int, *, receive_buffer: int | None = None) -> socket.socket:
    """Open an event stream and return its socket, with nothing read yet."""
    display = socket.socket()
    if receive_buffer:
        display.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    display.settimeout(20)
    display.connect(("127.0.0.1", port))
    display.sendall(b"GET /events HTTP/1.1\r\nHost: wall\r\n\r\n")
    return display


def read_until(display: socket.socket, pattern: bytes) -> bytes:
    text = b""
    while not re.search(pattern, text):
        more = display.recv(65536)
        assert more, f"the stream ended before {pattern!r}: {text[-200:]!r}"
        text += more
    return text


def numbers(text: bytes) -> list[int]:
    return [int(number) for number in re.findall(rb'"number":(\d+),"sent_ms"', text)]


def rounds_of(running: Wall) -> int:
    return running.feed.newest.beat.number


def test_a_stream_begins_with_the_site_and_goes_on_with_beats() -> None:
    with wall(HandSource(), FAST) as running, stream(running.port) as display:
        text = read_until(display, rb"(?s)event: trend\n.*event: beat\n.*event: beat\n")
        assert text.index(b"event: site\n") < text.index(b"event: beat\n")
        assert b"content-type: text/event-stream" in text.lower()
        assert numbers(text) == sorted(set(numbers(text)))


def test_all_displays_share_one_round_per_period() -> None:
    source = HandSource()
    with wall(source, WallOptions(period_s=0.25, trend_period_s=1000)) as running:
        displays = [stream(running.port) for _ in range(20)]
        until(lambda: source.rounds > 1)
        began, before = time.monotonic(), source.rounds
        for display in displays:
            assert len(numbers(read_until(display, rb'(?s)"number".*"number".*"number"'))) >= 3
        periods = (time.monotonic() - began) / 0.25
        assert source.rounds - before <= periods + 1
        for display in displays:
            display.close()


def test_a_display_that_does_not_read_costs_no_memory_and_then_gets_the_newest() -> None:
    options = WallOptions(period_s=0.001, trend_period_s=1000)
    with wall(HandSource(), options, site=load_site("expo")) as running:
        with stream(running.port, receive_buffer=4096) as slow:
            read_until(slow, rb"event: beat\n")
            first = rounds_of(running)
            until(lambda: rounds_of(running) > first + 600)
            newest, size = rounds_of(running), len(running.feed.newest.beat_event)
            held = b""
            while not any(number >= newest for number in numbers(held)):
                held += slow.recv(65536)
        assert (newest - first) * size > 50 * SEND_BUFFER
        assert len(held) < 8 * SEND_BUFFER


def test_a_display_that_never_reads_is_let_go() -> None:
    options = WallOptions(period_s=0.001, trend_period_s=1000, send_timeout_s=0.3)
    with wall(HandSource(), options, site=load_site("expo")) as running, stream(running.port, receive_buffer=4096):
        until(lambda: get_json(running.url + "healthz")["displays"] == 1)
        until(lambda: get_json(running.url + "healthz")["displays"] == 0)


@pytest.mark.parametrize("said", [b"", b"GET /events HTT"])
def test_a_connection_that_never_finishes_its_request_is_closed(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "REQUEST_SECONDS", 0.2)
    with wall(HandSource(), FAST) as running, socket.create_connection(("127.0.0.1", running.port), 20) as halting:
        halting.sendall(said)
        assert halting.recv(1) == b""


def test_a_stream_goes_on_however_long_ago_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "REQUEST_SECONDS", 0.05)
    with wall(HandSource(), FAST) as running, stream(running.port) as display:
        first = rounds_of(running)
        until(lambda: rounds_of(running) > first + 10)
        assert read_until(display, b'"number":%d,' % (first + 10))


def test_one_display_too_many_is_told_so_and_let_in_when_another_leaves() -> None:
    with wall(HandSource(), WallOptions(max_displays=1, period_s=0.05)) as running:
        with stream(running.port) as first:
            read_until(first, rb"event: beat\n")
            status, _, text = get(running.url + "events")
            assert (status, b"max_displays" in text) == (503, True)
        until(lambda: get_json(running.url + "healthz")["displays"] == 0)
        with stream(running.port) as second:
            assert b" 200 OK" in read_until(second, rb"event: beat\n")


@pytest.mark.parametrize("path", ["", "static/wall.js", "static/wall.css", "snapshot.json", "healthz", "nowhere"])
def test_every_answer_holds_the_browser_to_our_own_files(path: str) -> None:
    with wall(HandSource(), FAST) as running:
        _, headers, _ = get(running.url + path)
        assert {name: headers.get(name.lower()) for name in HEADERS} == HEADERS
        assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_an_event_stream_has_the_same_headers_and_is_not_cached() -> None:
    with wall(HandSource(), FAST) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=20)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.getheader("Content-Security-Policy") == HEADERS["Content-Security-Policy"]
        assert answer.getheader("Cache-Control") == "no-store"
        connection.close()


def test_no_file_of_the_page_names_another_origin_or_brings_code_inline() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text), (
            path.name
        )
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)", page)


def test_the_same_snapshot_is_there_for_scripts() -> None:
    with wall(HandSource(), FAST) as running:
        until(lambda: get_json(running.url + "snapshot.json")["trend"])
        body = get_json(running.url + "snapshot.json")
        assert body["beat"]["snapshot"]["today"]["person"]["entries"] == 900
        assert body["site"]["entrances"]["N1"]["title"] == {"zh": "北一口", "en": "North 1"}


def test_health_is_good_only_while_the_figures_are_fresh() -> None:
    source = HandSource()
    with wall(source, FAST) as running:
        until(lambda: get(running.url + "healthz")[0] == 200)
        source.draw = lambda real_ms: reading(real_ms - 60_000)
        source.failure = StoreGoneError("gone")
        until(lambda: get(running.url + "healthz")[0] == 503)
        assert get_json(running.url + "healthz")["store"] == "lost"


def test_open_streams_do_not_keep_the_server_from_ending() -> None:
    source = HandSource()
    with wall(source, FAST) as running:
        display = stream(running.port)
        read_until(display, rb"event: beat\n")
        began = time.monotonic()
    assert time.monotonic() - began < 2.5
    assert source.closed
    display.close()


def test_a_port_that_is_taken_is_named_with_what_to_do() -> None:
    with listen() as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WallPortTaken, match=rf"wall\.port = {port}: .*choose another port\.$"):
            listen(port=port)


def test_unknown_paths_are_not_found() -> None:
    with wall(HandSource(), FAST) as running:
        assert get(running.url + "static/../server.py")[0] == 404
        assert get(running.url + "nowhere")[0] == 404
