"""Settings: the environment over the file over the defaults; mistakes are named; secrets are not shown."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app
from streams.settings import Settings, WrongSettingsError, load_settings


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine that runs the tests has set."""
    for variable in os.environ:
        if variable.upper().startswith("GATEPULSE_"):
            monkeypatch.delenv(variable)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name a settings file in the environment; the test writes it."""
    path = tmp_path / "gatepulse.toml"
    monkeypatch.setenv("GATEPULSE_CONFIG", str(path))
    return path


def wrong() -> str:
    """Return what is said of settings that must be refused."""
    with pytest.raises(WrongSettingsError) as error:
        load_settings()
    return str(error.value)


def test_without_anything_set_the_defaults_hold() -> None:
    assert load_settings() == Settings()
    assert load_settings().kafka.brokers == "127.0.0.1:9092"
    assert load_settings().worker.metrics_host == "127.0.0.1"


def test_the_environment_is_over_the_file_and_the_file_over_the_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('site = "market"\n[kafka]\nbrokers = "file:1"\npartitions = 8\n')
    monkeypatch.setenv("GATEPULSE_KAFKA__BROKERS", "environment:1")
    kafka = load_settings().kafka
    assert (kafka.brokers, kafka.partitions, kafka.group) == ("environment:1", 8, "gatepulse")
    assert load_settings().site == "market"


def test_values_get_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA__STATIC_MEMBERSHIP": "false", "KAFKA__API_VERSION": "2.3", "WORKER__FLUSH_SECONDS": "0.5",
        "WORKER__DATA": "/var/lib/gatepulse", "STORE__PASSWORD": "geheim",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"GATEPULSE_{name}", value)
    settings = load_settings()
    assert settings.kafka.static_membership is False
    assert settings.kafka.client == {"api_version": (2, 3)}
    assert settings.worker.flush_seconds == 0.5
    assert settings.worker.data == Path("/var/lib/gatepulse")
    assert settings.store.password.get_secret_value() == "geheim"


# -- mistakes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("GATEPULSE_STIE", "GATEPULSE_SITE"),
        ("gatepulse_stie", "GATEPULSE_SITE"),
        ("GATEPULSE_SITE__NAME", "GATEPULSE_SITE"),
        ("GATEPULSE_CONFIG__FILE", "GATEPULSE_CONFIG"),
        ("GATEPULSE_KAFKA_BROKERS", "GATEPULSE_KAFKA__BROKERS"),
        ("GATEPULSE_KAFKA__BROKER", "GATEPULSE_KAFKA__BROKERS"),
        ("GATEPULSE_KAFKA__BROKERS__0", "GATEPULSE_KAFKA__BROKERS"),
        ("GATEPULSE_WORKER__FLUSH_SECOND", "GATEPULSE_WORKER__FLUSH_SECONDS"),
    ],
)
def test_an_unknown_variable_is_named_with_the_one_that_was_meant(
    variable: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "1")
    assert wrong().startswith(f"{variable}: not a setting; did you mean {meant}? ")


def test_a_whole_section_is_no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPULSE_KAFKA", '{"brokers": "a:1"}')
    assert wrong().startswith("GATEPULSE_KAFKA: not a setting")


def test_unknown_keys_of_the_file_are_named_with_those_that_there_are(file: Path) -> None:
    file.write_text('stie = "expo"\n[wall]\nprot = 80\n[kafak]\nbrokers = "a:1"\n')
    lines = sorted(wrong().splitlines())
    assert lines == [
        "kafak: not a setting; expected one of site, kafka, store, worker, wall, clock, time, log",
        "stie: not a setting; expected one of site, kafka, store, worker, wall, clock, time, log",
        (
            "wall.prot: not a setting; expected one of wall.host, wall.port, wall.language, wall.stale_after_seconds, "
            "wall.acknowledge"
        ),
    ]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("kafka.partitions", "0", "Input should be greater than or equal to 1"),
        ("kafka.partitions", "four", "Input should be a valid integer"),
        ("kafka.cluster", "a b", "String should match pattern"),
        ("wall.language", "fr", "Input should be 'zh' or 'en'"),
        ("store.port", "70000", "Input should be less than or equal to 65535"),
        ("worker.flush_seconds", "0", "Input should be greater than 0"),
        ("worker.flush_seconds", "inf", "Input should be a finite number"),
        ("clock.speed", "nan", "Input should be a finite number"),
        ("time.suspect_seconds", "0", "Input should be greater than 0"),
        ("time.horizon_seconds", "-1", "Input should be greater than 0"),
        ("worker.name", "", "String should match pattern"),
        ("log.level", "loud", "Input should be 'debug', 'info', 'warning' or 'error'"),
    ],
)
def test_a_wrong_value_is_told_with_its_key_and_what_was_expected(
    key: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "GATEPULSE_" + key.upper().replace(".", "__")
    monkeypatch.setenv(variable, value)
    assert wrong().startswith(f"{key} (or {variable}): {value!r} does not fit: {expected}")


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    file.write_text("[kafka]\npartitions = 0\n[wall]\nport = 0\n")
    assert len(wrong().splitlines()) == 2


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    assert wrong() == f"GATEPULSE_CONFIG: {file}: there is no such file"


@pytest.mark.parametrize("content", [b"site =\n", b"\xff", b"site = 'a'\nsite = 'b'\n"])
def test_a_file_that_is_not_toml_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert wrong().startswith(f"{file}: ")


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_are_hidden_wherever_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEPULSE_STORE__PASSWORD", "geheim-1")
    monkeypatch.setenv("GATEPULSE_STORE__READER_PASSWORD", "geheim-2")
    settings = load_settings()
    shown = CliRunner().invoke(app, ["config", "show"])
    assert shown.exit_code == 0
    assert json.loads(shown.output)["store"]["password"] == "*" * 10
    assert json.loads(shown.output)["kafka"]["brokers"] == "127.0.0.1:9092"
    for text in (shown.output, repr(settings), str(settings), settings.model_dump_json(), repr(settings.store)):
        assert "geheim" not in text


@pytest.mark.parametrize(
    "content",
    [
        '[store]\npassword = ["geheim"]\n',
        '[store]\npasswort = "geheim"\n',
        'store = "geheim"\n',
        '[store.password]\nvalue = "geheim"\n',
        '[sotre]\npassword = "geheim"\n',
    ],
)
def test_a_mistake_about_a_secret_does_not_give_it_away(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(WrongSettingsError) as error:
        load_settings()
    assert "geheim" not in str(error.value)
    assert error.value.__suppress_context__
