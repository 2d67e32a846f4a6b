"""Settings are checked at the start, each mistake is named, and no secret is ever shown."""

from pathlib import Path

import pytest

from infra.relay.options import RelayOptions, RelayOptionsError, load_options
from tests.support.alerts import EXPO, WEBHOOK_SECRET

GOOD = """
site = "expo"
[[robot]]
name = "duty"
type = "dingtalk"
zones = ["*"]
url = { env = "DUTY_URL" }
secret = { env = "DUTY_SECRET" }
"""
ENV = {"DUTY_URL": "https://robot.invalid/send?access_token=hidden-token", "DUTY_SECRET": "hidden-secret\n"}


def load(folder: Path, text: str, env: dict[str, str] | None = None) -> RelayOptions:
    path = folder / "relay.toml"
    path.write_text(text)
    return load_options(path, ENV if env is None else env)


def mistakes(folder: Path, text: str, env: dict[str, str] | None = None) -> str:
    with pytest.raises(RelayOptionsError) as caught:
        load(folder, text, env)
    assert "hidden" not in str(caught.value)
    return str(caught.value)


def test_secrets_come_from_variables_and_are_not_shown(tmp_path: Path) -> None:
    options = load(tmp_path, GOOD)
    assert options.robots[0].secret == "hidden-secret"  # noqa: S105
    assert "hidden" not in repr(options)


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(ENV["DUTY_URL"] + "\n")
    text = GOOD.replace('{ env = "DUTY_URL" }', f'{{ file = "{tmp_path}/url" }}')
    assert load(tmp_path, text).robots[0].url == ENV["DUTY_URL"]


@pytest.mark.parametrize(
    ("change", "to", "expected"),
    [
        ('{ env = "DUTY_SECRET" }', '"hidden"', "A secret does not stand here: name its variable or its file"),
        ('{ env = "DUTY_SECRET" }', '{ env = "NONE" }', "robot 'duty': secret: the variable NONE is empty or not set"),
        ('{ env = "DUTY_SECRET" }', '{ file = "/none" }', "the file /none cannot be read .FileNotFoundError."),
        ('{ env = "DUTY_SECRET" }', "{ }", "secret: expected either { env = … } or { file = … }"),
        ('"dingtalk"', '"wecom"', "a wecom robot has none, its address is the secret"),
        ('"dingtalk"', '"icq"', "Invalid enum value 'icq'"),
        ('"dingtalk"', '"webhook"', "expected whsec_ and 24 to 64 bytes in base64"),
        ('["*"]', '["Z-N"]', "no robot serves 'platform'"),
        ('["*"]', '["*", "Z-moon"]', "'Z-moon' is not of the site"),
        ('name = "duty"', 'name = "duty"\ncolour = "red"', "unknown field `colour`"),
        ('name = "duty"', 'name = "duty"\nper_minute = 100', "per_minute"),
    ],
)
def test_a_mistake_is_named_with_its_key(tmp_path: Path, change: str, to: str, expected: str) -> None:
    assert expected.replace(".FileNotFoundError.", "(FileNotFoundError)") in mistakes(
        tmp_path, GOOD.replace(change, to)
    )


def test_an_address_must_be_https_except_on_this_machine(tmp_path: Path) -> None:
    for wrong in ("http://robot.invalid/hidden", "hidden", "ftp://hidden/"):
        assert "url: its value is no address" in mistakes(tmp_path, GOOD, ENV | {"DUTY_URL": wrong})
    assert load(tmp_path, GOOD, ENV | {"DUTY_URL": "http://127.0.0.1:1/x"}).robots


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    said = mistakes(tmp_path, GOOD + GOOD.replace('site = "expo"', ""), {})
    assert said.count("is empty or not set") == 4
    assert "the name is there twice" in said


def test_every_zone_must_be_served_by_somebody(tmp_path: Path) -> None:
    said = mistakes(tmp_path, GOOD.replace('["*"]', '["platform"]'))
    for zone in EXPO.zones:
        assert f"no robot serves '{zone.id}'" in said


def test_an_alarm_of_an_unknown_zone_goes_to_the_robots_of_the_site(tmp_path: Path) -> None:
    names = ", ".join(f'"{zone.id}"' for zone in EXPO.zones)
    second = GOOD.replace('site = "expo"', "").replace('"duty"', '"centre"').replace('["*"]', '["site", "platform"]')
    options = load(tmp_path, GOOD.replace('["*"]', f"[{names}]") + second)
    assert options.robots_of("Z-N") == ("duty",)
    assert options.robots_of("Z-moon") == options.robots_of("site") == ("centre",)


def test_a_webhook_needs_its_secret(tmp_path: Path) -> None:
    text = GOOD.replace('"dingtalk"', '"webhook"')
    assert load(tmp_path, text, ENV | {"DUTY_SECRET": WEBHOOK_SECRET}).robots[0].secret == WEBHOOK_SECRET
    assert "secret: is missing" in mistakes(tmp_path, text.replace('secret = { env = "DUTY_SECRET" }', ""))
