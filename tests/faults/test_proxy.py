"""The proxy disturbs the network exactly while and as a test asks it to."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from infra.process.ports import LOOPBACK
from tests.faults.proxy import SWALLOW, Proxy, Way
from tests.support.processes import eventually


class Echo:
    """A server that sends back what it gets."""

    def __init__(self) -> None:
        self.received = b""
        self._socket = socket.create_server((LOOPBACK, 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while chunk := connection.recv(1000):
                    self.received += chunk
                    connection.sendall(chunk)
            except OSError:
                return

    def close(self) -> None:
        """Take no more connections."""
        self._socket.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Run a server."""
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    """Run a proxy in front of it."""
    with Proxy(echo.port) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """Connect through the proxy."""
    with socket.create_connection((LOOPBACK, proxy.port), timeout=5) as connection:
        yield connection


def ended(connection: socket.socket) -> bool:
    """Tell whether the other end closes the connection, in good order or not."""
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_good_network_passes_everything(client: socket.socket) -> None:
    client.sendall(b"hello")
    assert client.recv(100) == b"hello"


def test_a_black_hole_takes_bytes_and_gives_none_and_afterwards_the_connection_is_cut(
    proxy: Proxy, echo: Echo, client: socket.socket
) -> None:
    proxy.black_hole()
    client.sendall(b"hello")
    assert eventually(lambda: proxy.swallowed == 5)
    assert echo.received == b""
    proxy.pass_all()
    assert ended(client)


def test_replies_can_be_lost_while_requests_arrive(proxy: Proxy, echo: Echo, client: socket.socket) -> None:
    proxy.conduct(replies=SWALLOW)
    client.sendall(b"hello")
    assert eventually(lambda: proxy.swallowed == 5)
    assert echo.received == b"hello"


def test_a_slow_network_holds_bytes_up(proxy: Proxy, client: socket.socket) -> None:
    proxy.conduct(requests=Way(delay=0.2), replies=Way(bytes_per_second=50))
    begun = time.monotonic()
    client.sendall(b"12345")
    assert client.recv(100) == b"12345"
    assert time.monotonic() - begun >= 0.3


def test_latency_delays_everything_alike_and_keeps_its_order(proxy: Proxy, client: socket.socket) -> None:
    proxy.conduct(replies=Way(latency=0.3))
    begun = time.monotonic()
    for each in (b"a", b"b", b"c", b"d", b"e"):
        client.sendall(each)
        time.sleep(0.05)
    received = b""
    while len(received) < 5:
        received += client.recv(100)
    assert received == b"abcde"
    assert 0.5 <= time.monotonic() - begun < 1.2  # one after the other it would be 1.5 s


def test_connections_can_be_cut_and_made_anew(proxy: Proxy, client: socket.socket) -> None:
    client.sendall(b"a")
    assert client.recv(100) == b"a"
    proxy.cut()
    assert ended(client)
    with socket.create_connection((LOOPBACK, proxy.port), timeout=5) as again:
        again.sendall(b"b")
        assert again.recv(100) == b"b"
