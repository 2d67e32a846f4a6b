"""Each alert rule fires exactly when it should, in two languages, on metrics that exist."""

import re
from pathlib import Path

import pytest

from infra.alerting.chain import RULES
from streams.kernels.alarms.rules import LEVELS
from tests.support.prometheus import checked, needs_prometheus

PLATFORM = (RULES / "platform.yml").read_text(encoding="utf-8")
TESTS = Path(__file__).with_name("rules_test.yml").read_text(encoding="utf-8")
ALERTS = re.findall(r"- alert: (\w+)", PLATFORM)


@needs_prometheus
def test_promtool_finds_nothing_wrong() -> None:
    assert "SUCCESS" in checked("promtool", "check", "rules", *RULES.glob("*.yml"))


@needs_prometheus
def test_each_alert_fires_when_it_should_and_not_otherwise(tmp_path: Path) -> None:
    tests = tmp_path / "rules_test.yml"
    tests.write_text(TESTS.replace("RULES", str(RULES)), encoding="utf-8")
    assert "SUCCESS" in checked("promtool", "test", "rules", tests)


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_level_two_languages_and_something_to_do(alert: str) -> None:
    body = PLATFORM.split(f"- alert: {alert}\n")[1].split("- alert: ")[0]
    assert re.search(rf"labels: {{level: ({'|'.join(LEVELS)})}}", body)
    for said in ("summary_zh", "summary_en", "todo_zh", "todo_en"):
        assert len(re.findall(rf"^ +{said}: \S", body, re.MULTILINE)) == 1


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_test(alert: str) -> None:
    assert any(re.fullmatch(name, alert) for name in re.findall(r"Gatepulse[\w.*]+|\.\*Down", TESTS))


def test_the_rules_ask_for_metrics_that_are_exported() -> None:
    root, asked = Path(__file__).parents[3], " ".join(re.findall(r"expr: (?:>-)?([^:]+?)\n +\w+:", PLATFORM))
    code = "".join(
        path.read_text(encoding="utf-8") for place in ("streams", "infra") for path in (root / place).rglob("*.py")
    )
    exported = re.findall(r"gatepulse_[a-z_]+", code)
    for name in set(re.findall(r"gatepulse_[a-z_]+", asked)):
        # Some are put together of a prefix that ends in "_" and what follows.
        assert any(name.startswith(each) for each in exported if each != "gatepulse_"), name
