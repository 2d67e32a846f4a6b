"""Chooses free loopback ports, and refuses a wanted port that is in use with the name of its setting."""

import itertools
import secrets
import socket

LOOPBACK = "127.0.0.1"
_LOWEST, _SPAN = 20_000, 12_000
_drawn = itertools.count(secrets.randbelow(_SPAN))


class PortTaken(RuntimeError):
    """A requested port is in use by another program, or the address is not of this machine."""


def free_port(host: str = LOOPBACK) -> int:
    """Return a free TCP port below those that the kernel gives to connections (from 32768 on).

    A server that comes back at the same port finds it free: nobody else gets it by chance, and a client that retries
    does not end up connected to itself. A process gets each port once, before any server listens there. Raises
    PortTaken where none can be listened on.
    """
    for number in itertools.islice(_drawn, _SPAN):
        port = _LOWEST + number % _SPAN
        if is_free(port, host):
            return port
    raise PortTaken(f"no port of {host} can be listened on: is it an IPv4 address or a name of this machine?")


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def accepts(host: str, port: int) -> bool:
    """Whether something takes a connection there now."""
    try:
        socket.create_connection((host, port), timeout=2.0).close()
    except OSError:
        return False
    return True


def claim(port: int, setting: str, host: str = LOOPBACK) -> int:
    """Return the port itself, or a free one for 0; raises PortTaken, naming the setting that chose it."""
    if port == 0:
        return free_port(host)
    if not is_free(port, host):
        raise PortTaken(
            f"{setting} = {port}: another program listens on {host}:{port}. "
            f"End that program (`ss -ltnp 'sport = :{port}'` names it), choose another port, or 0 for any free one."
        )
    return port
