"""Starts what delivers alarms in a demo: the relay, a local receiver, and Prometheus with Alertmanager.

Whoever has robots gives the relay's file; everybody else sees the messages come in on this terminal. Next:
`alerting/chain.py`, the three programs, and `alerting/receiver.py`, the group.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from infra.alerting.chain import Chain
from infra.alerting.receiver import Receiver
from infra.alerting.server import missing
from infra.process.files import write_private
from infra.process.ports import LOOPBACK, claim, free_port
from infra.process.supervisor import Supervisor
from infra.relay.options import WEBHOOK_PREFIX, RelayOptions, load_options
from streams.site.model import Site
from streams.site.reader import load_site

_STOP_WITHIN: Final = 0.5  # s for each: a demo ends within 10 s; all three go on from what is on their disks
Relay = tuple[Path, RelayOptions]
_SECRET, _URL = "receiver.secret", "receiver.url"


class WrongRelayError(ValueError):
    """The relay's file does not fit the demo; the message names what to change."""


@dataclass
class Delivery:
    """The way of alarms in one demo; without Prometheus and Alertmanager it is not `monitored`."""

    state: Path
    relay_file: Path
    options: RelayOptions
    monitored: bool = True
    addresses: Mapping[str, str] = field(default_factory=dict)

    def start(self, supervisor: Supervisor, metrics_ports: Sequence[int], environment: Mapping[str, str]) -> None:
        """Start the programs, and do not wait for them: the wall does not need them."""
        chain = Chain(
            relay_file=self.relay_file, options=self.options, state=self.state, monitored=self.monitored,
            workers=[f"{LOOPBACK}:{port}" for port in metrics_ports], environment=environment,
            prometheus_port=free_port(), alertmanager_port=free_port(),
        )  # fmt: skip
        for service in chain.services():
            supervisor.start(replace(service, stop_within=_STOP_WITHIN), ready=False)
        self.addresses = chain.addresses


def read_relay(file: Path | None, site: Site) -> Relay | None:
    """Return a relay's file and its content. Raises WrongRelayError, RelayOptionsError and PortTaken."""
    if file is None:
        return None
    options = load_options(file)
    if options.site.id != site.id:
        raise WrongRelayError(
            f"--relay {file}: site = {options.site.id!r}: the demo plays {site.id!r}; name the same site in both, "
            "or the zones of its alarms are served by no robot"
        )
    claim(options.port, f"--relay {file}: port", options.host)
    return file, options


@contextmanager
def delivery(
    state: Path, profile: str, report: Callable[[str], None], *, relay: Relay | None = None
) -> Iterator[Delivery]:
    """Prepare the way for the time of a block: to the robots of a relay's file, or to `report` in their place.

    Reports in one line what is missing if it is not all installed.
    """
    lack = missing(("prometheus", "alertmanager"))
    if lack:
        report(f"alarms about the platform itself are not sent, 不发送平台自身的告警: {lack}")
    if relay is not None:
        yield Delivery(state, *relay, monitored=not lack)
    else:
        state.mkdir(parents=True, exist_ok=True)
        secret = state / _SECRET
        if not secret.exists():
            write_private(secret, WEBHOOK_PREFIX + base64.b64encode(os.urandom(32)).decode())
        with Receiver(load_site(profile), secret.read_text(encoding="ascii"), report) as receiver:
            file = _relay_file(state, profile, receiver.url)
            yield Delivery(state, file, load_options(file), monitored=not lack)


def _relay_file(state: Path, profile: str, url: str) -> Path:
    """Write the settings of a relay whose one robot serves everybody, and listens at `url`."""
    write_private(state / _URL, url)
    lines = [
        f"site = {_quoted(profile)}",
        f"state = {_quoted(state / 'relay')}",
        f"port = {free_port()}",
        "[[robot]]",
        'name = "demo"',
        'type = "webhook"',
        'zones = ["*"]',
        f"url = {{ file = {_quoted(state / _URL)} }}",
        f"secret = {{ file = {_quoted(state / _SECRET)} }}",
    ]
    file = state / "relay.toml"
    write_private(file, "\n".join(lines) + "\n")
    return file


def _quoted(text: str | Path) -> str:
    """Write a text as TOML does, which is how JSON does it."""
    return json.dumps(str(text), ensure_ascii=False)
