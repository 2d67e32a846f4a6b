"""Made-up alarms, alerts and settings for the tests of the relay."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dashboards.messages.notice import Notice
from infra.relay.options import RobotOptions
from streams.kernels.alarms.episodes import Episode
from streams.site.model import Site
from streams.site.reader import load_site
from streams.text import Text

RAISED = 1_762_909_200_000  # 2025-11-12 09:00:00 in Shanghai
EXPO = load_site("expo")
SECRET = "SECfor-tests"  # noqa: S105 - protects nothing
WEBHOOK_SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def notice(change: int = 1, **given: Any) -> Notice:
    """Return a change of an entrance's overload, or with `own` words one of the platform's alarms."""
    own = given.pop("own", None)
    usual: dict[str, Any] = {
        "episode": f"entrance-overload:N3:{RAISED}", "change": change, "rule": "entrance-overload", "level": "orange",
        "what": "raised" if change == 1 else "repeated", "raised_at": RAISED,
        "changed_at": RAISED + 1000 * (change - 1),
        "subject": "N3", "kind": "person", "zone": "Z-N", "value": 14.2, "limit": 11.0, "unit": "persons/min/lane",
    }  # fmt: skip
    episode = usual | given
    over = {"cleared_at": episode["changed_at"], "state": "cleared"} if episode["what"] == "cleared" else {}
    return Notice(Episode(**{"state": "raised"} | over | episode), own)


def alert(
    given: Mapping[str, str], *, status: str = "firing", starts: str = "2025-11-12T01:00:00.123456789Z", **said: str
) -> dict[str, Any]:
    """Return an alert as Alertmanager writes it."""
    return {
        "status": status, "labels": dict(given), "annotations": said, "startsAt": starts,
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://127.0.0.1/graph",
        "fingerprint": f"{hash(frozenset(given.items())) & 0xFFFFFFFFFFFFFFFF:016x}",
    }  # fmt: skip


def webhook(*alerts: Mapping[str, Any]) -> bytes:
    """Return the body of a request of Alertmanager's, version 4."""
    return json.dumps(
        {
            "version": "4", "groupKey": "{}", "truncatedAlerts": 0, "status": "firing", "receiver": "Z-N",
            "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "alerts": list(alerts),
        }
    ).encode()  # fmt: skip


def robot(kind: str = "dingtalk", url: str = "https://robot.invalid/send?access_token=t", **given: Any) -> RobotOptions:
    """Return a robot that serves everything."""
    secret = {"wecom": "", "webhook": WEBHOOK_SECRET}.get(kind, SECRET)
    usual: dict[str, Any] = {"name": kind, "type": kind, "zones": ("*",), "url": url, "secret": secret}
    return RobotOptions(**usual | given)


def settings(folder: Path, chats: Mapping[str, str], *, port: int) -> str:
    """Return a relay's settings for robots at these addresses, by type; their secrets are in files of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ['site = "expo"', f'state = "{folder / "state"}"', f"port = {port}"]
    for kind, url in chats.items():
        (folder / f"{kind}.url").write_text(url)
        (folder / f"{kind}.secret").write_text(robot(kind).secret)
        lines += ["[[robot]]", f'name = "{kind}"', f'type = "{kind}"', 'zones = ["*"]']
        lines += [f'url = {{ file = "{folder / kind}.url" }}']
        lines += [f'secret = {{ file = "{folder / kind}.secret" }}'] * (kind != "wecom")
    return "\n".join(lines)


def titled(site: Site, entrance: str, title: str) -> Site:
    """Return the site with an entrance called so, in both languages."""
    changed = (replace(each, title=Text(title, title)) if each.id == entrance else each for each in site.entrances)
    return replace(site, entrances=tuple(changed))
