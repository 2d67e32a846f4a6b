"""Builds all files for Grafana of one site: dashboards, and the data sources and folder that it reads at its start.

The same input gives the same bytes. Files are JSON, which is YAML too. The reader's password is not in them: Grafana
takes it from an environment variable of its own process. Read next: `push.py`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards.grafana.areas import areas
from dashboards.grafana.command_centre import command_centre
from dashboards.grafana.entrances import entrances, vehicles
from dashboards.grafana.frame import FOLDER_TITLE, FOLDER_UID, entrances_for
from dashboards.grafana.health import health
from dashboards.grafana.panels import METRICS, PLUGIN, STORE
from streams.site.model import Site

_DASHBOARDS: Final = "dashboards"


@dataclass(frozen=True)
class Sources:
    """Where Grafana finds the store (ClickHouse's native protocol), as whom it reads, and Prometheus."""

    host: str = "127.0.0.1"
    port: int = 9000
    user: str = "reader"
    prometheus: str = "http://127.0.0.1:9090"
    dashboards: str = "/etc/grafana/gatepulse/dashboards"


def dashboards_of(site: Site) -> list[dict[str, Any]]:
    """Return the site's dashboards as Grafana's JSON; a site without vehicles has none for vehicles."""
    builders = [command_centre(site)]
    builders += [entrances(site)] if entrances_for(site, "person") else []
    builders += [vehicles(site)] if entrances_for(site, "vehicle") else []
    builders += [areas(site), health(site)]
    return [_visible(json.loads(json.dumps(builder.build(), cls=JSONEncoder))) for builder in builders]


def _visible(board: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard with its links and alarms on the bar; the SDK can only put them into a menu."""
    for each in (*board["links"], *board.get("annotations", {}).get("list", [])):
        each.pop("placement", None)
    return board


def files_of(site: Site, sources: Sources) -> dict[str, str]:
    """Return the text of every file by its path within the folder."""
    files = {f"{_DASHBOARDS}/{board['uid']}.json": board for board in dashboards_of(site)}
    files["provisioning/datasources/gatepulse.yaml"] = data_sources(sources)
    files["provisioning/dashboards/gatepulse.yaml"] = _providers(sources)
    return {path: _text(content) for path, content in files.items()}


def write(directory: Path, files: Mapping[str, str]) -> list[Path]:
    """Write the files, and delete dashboards of ours that are no longer built; return the paths written."""
    for path in _left_over(directory, files):
        path.unlink()
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return [directory / name for name in files]


def differences(directory: Path, files: Mapping[str, str]) -> list[str]:
    """Return a sentence for each file that is missing, old, or no longer built."""
    found = []
    for name, text in files.items():
        path = directory / name
        if not path.is_file():
            found.append(f"{path}: is missing / 缺失")
        elif path.read_text(encoding="utf-8") != text:
            found.append(f"{path}: differs from what would be built / 与应生成的内容不同")
    return found + [f"{path}: is no longer built / 已不再生成" for path in _left_over(directory, files)]


def _left_over(directory: Path, files: Mapping[str, str]) -> list[Path]:
    found = sorted((directory / _DASHBOARDS).glob("gatepulse-*.json"))
    return [path for path in found if path.relative_to(directory).as_posix() not in files]


def _text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def data_sources(sources: Sources) -> dict[str, Any]:
    """Return the two data sources; they cannot be edited in Grafana."""
    store = {
        "name": "gatepulse ClickHouse",
        "type": PLUGIN,
        "uid": STORE.uid,
        "access": "proxy",
        "editable": False,
        "jsonData": {
            "host": sources.host,
            "port": sources.port,
            "protocol": "native",
            "secure": False,
            "username": sources.user,
            "defaultDatabase": "gatepulse",
            "dialTimeout": "5",
            "queryTimeout": "20",
        },
        "secureJsonData": {"password": "$__env{GATEPULSE_STORE__READER_PASSWORD}"},
    }
    metrics = {
        "name": "gatepulse Prometheus",
        "type": METRICS.type_val,
        "uid": METRICS.uid,
        "access": "proxy",
        "editable": False,
        "url": sources.prometheus,
        "jsonData": {"timeInterval": "1s"},
    }
    return {"apiVersion": 1, "datasources": [store, metrics]}


def _providers(sources: Sources) -> dict[str, Any]:
    """Return the folder's provider: dashboards come from files and cannot be edited in Grafana."""
    provider = {
        "name": "gatepulse",
        "type": "file",
        "folder": FOLDER_TITLE,
        "folderUid": FOLDER_UID,
        "allowUiUpdates": False,
        "disableDeletion": False,
        "updateIntervalSeconds": 30,
        "options": {"path": sources.dashboards},
    }
    return {"apiVersion": 1, "providers": [provider]}
