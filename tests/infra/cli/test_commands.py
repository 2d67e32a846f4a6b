"""Every command is listed with its own first sentence, and its module is imported when it is used."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import infra.cli
from infra.cli.main import COMMANDS, app, load

_NO_COMMANDS = {"__init__", "main", "options"}
_SLOW = {"aiokafka", "chdb", "clickhouse_driver", "confluent_kafka", "faust", "kafka", "numpy", "pydantic", "uvicorn"}


def test_every_module_of_a_command_is_listed() -> None:
    modules = {file.stem for file in Path(infra.cli.__file__).parent.glob("*.py")}
    assert modules - _NO_COMMANDS == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_of_a_command_what_its_own_help_says_first(name: str) -> None:
    help_of_command = load(name).help or ""
    assert " ".join(help_of_command.split("\n\n")[0].split()) == COMMANDS[name]


def test_what_a_command_takes_is_shown_by_its_own_help() -> None:
    shown = CliRunner().invoke(app, ["site", "check", "--help"])
    assert shown.exit_code == 0
    assert "Name every mistake of a site profile by line and key." in shown.output
    assert "--install-completion" not in CliRunner().invoke(app, ["verify", "--help"]).output


def test_an_unknown_command_is_named_with_the_one_that_was_meant() -> None:
    refused = CliRunner().invoke(app, ["verfy"])
    assert refused.exit_code == 2
    assert "Did you mean 'verify'?" in refused.output


def test_help_imports_nothing_that_loads_slowly() -> None:
    program = "import sys; from infra.cli.main import main; sys.argv[1:] = ['--help']; import atexit; "
    program += "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not _SLOW & set(shown.stderr.split())
