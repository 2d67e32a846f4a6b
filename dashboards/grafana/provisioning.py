"""The files that Grafana reads at its start: data sources, and the folder of dashboards. Read next: `files.py`.

The reader's password is not in these files: Grafana takes it from an environment variable of its own process.
Files are JSON, which is YAML too.
"""

from dataclasses import dataclass
from typing import Any, Final

from dashboards.grafana.clickhouse import METRICS, PLUGIN, STORE
from dashboards.grafana.frame import FOLDER_TITLE, FOLDER_UID

PASSWORD_VARIABLE: Final = "GATEPULSE_STORE__READER_PASSWORD"  # noqa: S105 - the name of a variable
"""The environment variable with the reader's password, in Grafana's process as well."""

INSTALLED_AT: Final = "/etc/grafana/gatepulse/dashboards"
"""The default folder of the dashboards on Grafana's machine."""


@dataclass(frozen=True)
class Sources:
    """Where Grafana finds the store (ClickHouse's native protocol), as whom it reads, and Prometheus."""

    host: str = "127.0.0.1"
    port: int = 9000
    user: str = "reader"
    prometheus: str = "http://127.0.0.1:9090"
    dashboards: str = INSTALLED_AT


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
        "secureJsonData": {"password": f"$__env{{{PASSWORD_VARIABLE}}}"},
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


def providers(sources: Sources) -> dict[str, Any]:
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
