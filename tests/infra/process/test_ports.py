"""A free port is found; a port in use is refused with the name of its setting."""

import socket

import pytest

from infra.process.ports import PortTaken, accepts, claim, free_port, is_free


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert accepts("127.0.0.1", port)
    assert not accepts("127.0.0.1", port)


def test_zero_means_any_free_port() -> None:
    assert claim(0, "wall.port") > 1023


def test_an_address_that_is_not_of_this_machine_is_refused() -> None:
    for host in ("::1", "10.255.0.9"):
        with pytest.raises(PortTaken, match=f"^no port of {host} can be listened on"):
            claim(0, "port", host)


def test_a_taken_port_is_refused_by_the_name_of_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"^wall.port = {port}: another program listens"):
            claim(port, "wall.port")
