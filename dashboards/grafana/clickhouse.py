"""Builds a ClickHouse query in the JSON of Grafana's plugin, version 4.15 or later (Grafana 11.6). Next: `panels.py`.

The SDK has no class for it. Without `pluginVersion`, `queryType` and the numeric `format` together, the plugin's editor
treats a query as one of an old version and changes it.
"""

from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef

PLUGIN: Final = "grafana-clickhouse-datasource"
PLUGIN_VERSION: Final = "4.15.0"
STORE: Final = DataSourceRef(type_val=PLUGIN, uid="gatepulse-clickhouse")
METRICS: Final = DataSourceRef(type_val="prometheus", uid="gatepulse-prometheus")

QueryFormat = Literal["table", "timeseries"]
"""`timeseries`: a column `time`, numbers, and texts that tell the series apart."""

_FORMATS: Final = {"timeseries": 0, "table": 1}


@dataclass(frozen=True)
class ClickHouseQuery(Dataquery):
    """One query in SQL, with the plugin's macros."""

    sql: str
    shape: QueryFormat = "table"
    ref: str = "A"

    def to_json(self) -> dict[str, object]:
        """Return the query in the plugin's JSON."""
        return {
            "datasource": STORE.to_json(),
            "editorType": "sql",
            "format": _FORMATS[self.shape],
            "meta": {},
            "pluginVersion": PLUGIN_VERSION,
            "queryType": self.shape,
            "rawSql": self.sql.strip(),
            "refId": self.ref,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ClickHouseQuery":
        """Read a query back."""
        return cls(data["rawSql"], data["queryType"], data["refId"])


Built = TypeVar("Built")


@dataclass(frozen=True)
class Ready(Builder[Built], Generic[Built]):
    """An object that is built already, as a builder of the SDK."""

    built: Built

    def build(self) -> Built:
        """Return the object."""
        return self.built
