"""The script that provides libfaketime does nothing where it is, and says what to install otherwise."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import nobody_is_root, run_script, tool

LIBRARY = Path("x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


def run(tools: Path) -> subprocess.CompletedProcess[str]:
    """Run the script where only these tools are to be found."""
    return run_script("install-faketime.sh", tools, FAKETIME_UNDER=str(tools))


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Provide a folder of tools in which nobody is root."""
    return nobody_is_root(tmp_path)


def test_with_the_library_it_is_silent(tools: Path) -> None:
    (tools / LIBRARY).parent.mkdir(parents=True)
    (tools / LIBRARY).touch()
    done = run(tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_it_it_names_the_package_in_two_languages(tools: Path) -> None:
    done = run(tools)
    assert done.returncode == 1
    assert "apt-get install faketime" in done.stderr
    assert "时钟测试需要安装" in done.stderr


def test_as_root_it_installs_it(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    make = f"{shutil.which('mkdir')} -p {tools / LIBRARY.parent}; echo > {tools / LIBRARY}"
    tool(tools, "apt-get", f'echo "apt-get $*" >&2; [ "$1" = update ] || {{ {make}; }}')
    done = run(tools)
    assert done.returncode == 0, done.stderr
    assert "apt-get install -y -qq --no-install-recommends faketime" in done.stderr


def test_an_installation_that_fails_is_not_called_done(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    tool(tools, "apt-get", "exit 100")
    assert run(tools).returncode == 1
