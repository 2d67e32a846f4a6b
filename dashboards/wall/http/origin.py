"""Checks that a request comes from the wall's own page, on a machine that may acknowledge; pure.

The page has no passwords, so whoever reaches it may acknowledge. By default only displays on the wall's own machine
may. Requests from other sites in the same browser are refused by headers that a page cannot change: Host (names that
are rebound to this machine), Origin and Sec-Fetch-Site. Read next: `acknowledge.py`.
"""

import ipaddress
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers

from dashboards.wall.model.options import Acknowledge
from dashboards.wall.model.refusal import RequestRefused

_WILDCARDS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound


def is_loopback(host: str) -> bool:
    """Whether a host's name or address is this machine alone."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def may_acknowledge(setting: Acknowledge, host: str) -> bool:
    """Whether a wall that listens on `host` takes acknowledgements: "auto" does on this machine alone."""
    return setting == "on" or (setting == "auto" and is_loopback(host))


def check_origin(headers: Headers, host: str) -> None:
    """Refuse requests of another site's page or of a rebound name. Raises RequestRefused (403, 415, 421)."""
    named, kind = headers.get("host", ""), headers.get("content-type", "")
    if not _is_ours(_split(f"//{named}").hostname or "", host):
        raise RequestRefused(
            421,
            f"Host 为 {named!r}：不是本大屏的地址；请用 localhost 或 wall.host 的地址打开页面",
            f"Host is {named!r}, not this wall's; open the page by localhost or by the address in wall.host",
        )
    same_origin = _split(headers.get("origin", "")).netloc.lower() == named.lower()
    if not same_origin or headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RequestRefused(
            403, "请求来自其他网站，未执行；请在大屏页面上确认", "sent by another site; acknowledge on the wall's page"
        )
    if kind.split(";")[0].strip().lower() != "application/json":
        wanted = "application/json"
        raise RequestRefused(
            415, f"Content-Type 为 {kind!r}：应为 {wanted}", f"Content-Type is {kind!r}; send {wanted}"
        )


def _is_ours(name: str, host: str) -> bool:
    """Whether a Host names this wall; if it listens everywhere, any address will do: only names can be rebound."""
    if is_loopback(name) or name.lower() == host.lower():
        return True
    return host in _WILDCARDS and _address(name) is not None


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
