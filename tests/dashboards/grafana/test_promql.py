"""Every PromQL expression of the dashboards is valid, and every metric in it exists."""

import json
import re
from pathlib import Path

from tests.dashboards.grafana.boards import panel_queries
from tests.support.prometheus import checked, needs_prometheus
from tests.support.small_site import SITE

ROOT = Path(__file__).parents[3]
ASKED = [
    (query.panel, query.target["expr"].replace("$__rate_interval", "1m")) for query in panel_queries(SITE, "prometheus")
]


@needs_prometheus
def test_promtool_understands_every_expression(tmp_path: Path) -> None:
    assert len(ASKED) > 15
    rules = [{"record": f"panel:{place}", "expr": expr} for place, (_, expr) in enumerate(ASKED)]
    file = tmp_path / "panels.yml"
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    assert f"SUCCESS: {len(ASKED)} rules found" in checked("promtool", "check", "rules", file)


def test_every_metric_is_exported() -> None:
    code = "".join(
        path.read_text(encoding="utf-8") for place in ("streams", "infra") for path in (ROOT / place).rglob("*.py")
    )
    # Some are put together of a prefix that ends in "_" and what follows.
    exported = [name for name in re.findall(r"gatepulse_[a-z_]+", code) if name != "gatepulse_"]
    names = {name for _, expr in ASKED for name in re.findall(r"gatepulse_[a-z_]+", expr)}
    assert len(names) > 12
    assert [name for name in sorted(names) if not any(name.startswith(each) for each in exported)] == []
