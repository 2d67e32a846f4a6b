"""The script that provides a browser for the tests does nothing where one is, and says what to install otherwise."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import nobody_is_root, run_script, tool


def run(tools: Path) -> subprocess.CompletedProcess[str]:
    """Run the script where only these tools are to be found."""
    return run_script("install-browser.sh", tools)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Provide a folder of tools in which nobody is root."""
    return nobody_is_root(tmp_path)


def test_with_a_browser_and_chinese_letters_it_is_silent(tools: Path) -> None:
    tool(tools, "chromium", ":")
    tool(tools, "fc-list", "echo Noto Sans CJK")
    done = run(tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_them_it_names_the_packages_in_two_languages(tools: Path) -> None:
    tool(tools, "fc-list", ":")
    done = run(tools)
    assert done.returncode == 1
    assert "apt-get install chromium fonts-noto-cjk" in done.stderr
    assert "浏览器测试需要安装" in done.stderr


def test_as_root_it_installs_what_is_missing_and_no_more(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    tool(tools, "fc-list", "echo Noto Sans CJK")
    chromium = tools / "chromium"
    tool(tools, "chmod", f"{shutil.which('chmod')} $@")
    tool(
        tools, "apt-get", f'echo "apt-get $*" >&2; [ "$1" = update ] || {{ echo : > {chromium}; chmod +x {chromium}; }}'
    )
    done = run(tools)
    assert done.returncode == 0, done.stderr
    assert "chromium" in done.stderr
    assert "fonts-noto-cjk" not in done.stderr


def test_an_installation_that_fails_is_not_called_done(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    tool(tools, "apt-get", "exit 100")
    assert run(tools).returncode == 1
