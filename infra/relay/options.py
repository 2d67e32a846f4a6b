"""Reads the relay's TOML file: its robots, the zones that each serves, and where their secrets are stored.

    site = "expo"                          # a profile of ours, or a TOML file
    state = "/var/lib/gatepulse/relay"     # a folder; what was sent is stored here
    [[robot]]
    name = "north"
    type = "dingtalk"                      # wecom, dingtalk, feishu or webhook
    zones = ["Z-N", "site"]                # zones of the site, "site" (alarms of no zone), "platform"; or ["*"]
    url = { env = "NORTH_ROBOT_URL" }      # or { file = "/run/secrets/north-url" }
    secret = { file = "/run/secrets/north-secret" }

A robot's address is a secret too: whoever has it can write to the group. The brokers are those of the ordinary
settings (`kafka.brokers`).
"""

import base64
import binascii
import os
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from dashboards.messages.notice import PLATFORM
from dashboards.wall.http.origin import is_loopback
from streams.site.model import Site
from streams.site.reader import load_site

RobotType = Literal["wecom", "dingtalk", "feishu", "webhook"]
SITE: Final = "site"
"""The route of alarms that belong to no zone."""
HEARTBEAT: Final = "heartbeat"
"""The route of the alert that always fires while Prometheus and Alertmanager work."""
EVERYTHING: Final = "*"
WEBHOOK_PREFIX: Final = "whsec_"
PER_MINUTE: Final[dict[RobotType, int]] = {"wecom": 20, "dingtalk": 20, "feishu": 20, "webhook": 600}
"""The most messages a minute that a robot may be set to (20 unless it is); a webhook is read by a program of yours."""


class RelayOptionsError(ValueError):
    """The relay's settings do not fit; each line names a key, what was found, and what to do."""


class Where(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is: in an environment variable or in a file."""

    env: str = ""
    file: str = ""


class _Robot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]
    type: RobotType
    zones: Annotated[list[str], msgspec.Meta(min_length=1)]
    url: Where
    secret: Where | None = None
    per_minute: Annotated[int, msgspec.Meta(ge=2)] = 20


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    robot: Annotated[list[_Robot], msgspec.Meta(min_length=1)]
    site: str = "expo"
    state: str = ".gatepulse/relay"
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 9105
    token_file: str = ""


@dataclass(frozen=True)
class RobotOptions:
    """One robot; its address and secret are shown nowhere."""

    name: str
    type: RobotType
    zones: tuple[str, ...]
    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    per_minute: int = 20

    def serves(self, route: str) -> bool:
        """Whether alarms of a zone (or "site", or "platform") are for it."""
        return EVERYTHING in self.zones or route in self.zones


@dataclass(frozen=True)
class RelayOptions:
    """All settings of the relay; `token` (read from `token_file`) is what Alertmanager must show, if it must."""

    site: Site
    state: Path
    robots: tuple[RobotOptions, ...]
    host: str = "127.0.0.1"
    port: int = 9105
    token: str = field(default="", repr=False)
    token_file: Path | None = None

    def robots_of(self, route: str) -> tuple[str, ...]:
        """Return the names of the robots that serve a zone; of a zone that is not of the site, those of the site."""
        known = {SITE, PLATFORM, *(zone.id for zone in self.site.zones)}
        served = route if route in known else SITE
        return tuple(robot.name for robot in self.robots if robot.serves(served))


def load_options(path: Path, env: Mapping[str, str] | None = None) -> RelayOptions:
    """Read the file and the secrets it names. Raises RelayOptionsError with every mistake, and SiteError."""
    try:
        given = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RelayOptionsError(
            f"{path}: cannot be read ({error}); give a TOML file, see infra/relay/options.py"
        ) from None
    except msgspec.ValidationError as error:
        hint = " A secret does not stand here: name its variable or its file." if "`$.robot" in str(error) else ""
        raise RelayOptionsError(f"{path}: {error}.{hint}") from None
    site, env = load_site(given.site), os.environ if env is None else env
    mistakes: list[str] = []
    robots = tuple(_robot(each, env, mistakes) for each in given.robot)
    token = _secret(Where(file=given.token_file), env, "token_file", mistakes) if given.token_file else ""
    token_file = Path(given.token_file).resolve() if given.token_file else None
    mistakes += [
        f"robot {name!r}: the name is there twice; what was sent is stored by name, give each its own"
        for name, times in Counter(robot.name for robot in robots).items()
        if times > 1
    ]
    mistakes += _unserved(robots, site)
    if mistakes:
        raise RelayOptionsError("\n".join(f"{path}: {each}" for each in mistakes))
    return RelayOptions(site, Path(given.state), robots, given.host, given.port, token, token_file)


def _robot(given: _Robot, env: Mapping[str, str], mistakes: list[str]) -> RobotOptions:
    at = f"robot {given.name!r}"
    url = _secret(given.url, env, f"{at}: url", mistakes)
    if url and not _is_address(url):
        mistakes.append(f"{at}: url: its value is no address; expected https://… (http only on this machine)")
    if given.secret is not None and given.type == "wecom":
        mistakes.append(f"{at}: secret: a {given.type} robot has none, its address is the secret; leave it out")
    if given.secret is None and given.type == "webhook":
        mistakes.append(f"{at}: secret: is missing; a {given.type} is signed, give {{ env = … }} or {{ file = … }}")
    secret = "" if given.secret is None else _secret(given.secret, env, f"{at}: secret", mistakes)
    if given.type == "webhook" and secret and not _is_webhook_secret(secret):
        mistakes.append(f"{at}: secret: expected {WEBHOOK_PREFIX} and 24 to 64 bytes in base64")
    if given.per_minute > PER_MINUTE[given.type]:
        most = PER_MINUTE[given.type]
        mistakes.append(f"{at}: per_minute = {given.per_minute}: a {given.type} is sent at most {most}; give fewer")
    return RobotOptions(given.name, given.type, tuple(given.zones), url, secret, given.per_minute)


def _secret(where: Where, env: Mapping[str, str], at: str, mistakes: list[str]) -> str:
    """Return the value of the variable or the text of the file; the mistakes noted never contain it."""
    if bool(where.env) == bool(where.file):
        mistakes.append(f"{at}: expected either {{ env = … }} or {{ file = … }}")
        return ""
    if where.env:
        value, place = env.get(where.env, ""), f"the variable {where.env}"
    else:
        place = f"the file {where.file}"
        try:
            value = Path(where.file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            mistakes.append(f"{at}: {place} cannot be read ({type(error).__name__}); make it readable for this user")
            return ""
    if not value.strip():
        mistakes.append(f"{at}: {place} is empty or not set; set it where the relay is started")
    return value.strip()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    return host != "" and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))


def _is_webhook_secret(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX), validate=True)
    except binascii.Error:
        return False
    return secret.startswith(WEBHOOK_PREFIX) and 24 <= len(key) <= 64


def _unserved(robots: tuple[RobotOptions, ...], site: Site) -> Iterator[str]:
    """Name the routes whose alarms nobody would get, and zones that are not there."""
    routes = [*(zone.id for zone in site.zones), SITE, PLATFORM]
    for reserved in {SITE, PLATFORM, HEARTBEAT} & {zone.id for zone in site.zones}:
        yield f"site {site.id}: a zone is called {reserved!r}, which means something else here; rename it"
    for route in routes:
        if not any(robot.serves(route) for robot in robots):
            yield f"zones: no robot serves {route!r}; name it in a robot's zones, or have one with zones = ['*']"
    for robot in robots:
        for zone in robot.zones:
            if zone not in {*routes, EVERYTHING}:
                yield f"robot {robot.name!r}: zones: {zone!r} is not of the site; expected {', '.join(routes)} or *"
