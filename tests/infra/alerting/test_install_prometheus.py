"""The script that installs Prometheus starts no service, and names the packages where it cannot install."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.scripts import SH, nobody_is_root, run_script, tool

PROGRAMS = ("prometheus", "prometheus-alertmanager", "promtool", "amtool")


def run(tools: Path) -> subprocess.CompletedProcess[str]:
    """Run the script where only these tools are to be found."""
    return run_script("install-prometheus.sh", tools, POLICY_RC_D=str(tools / "policy-rc.d"))


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Provide a folder of tools in which nobody is root."""
    nobody_is_root(tmp_path)
    for name in ("rm", "chmod", "cat"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    return tmp_path


def test_with_the_programs_it_is_silent(tools: Path) -> None:
    for name in PROGRAMS:
        tool(tools, name, "exit 0")
    done = run(tools)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_them_it_names_the_packages_in_two_languages(tools: Path) -> None:
    done = run(tools)
    assert done.returncode == 1
    assert "apt-get install prometheus prometheus-alertmanager" in done.stderr
    assert "告警推送需要安装" in done.stderr


def test_as_root_it_installs_them_and_lets_no_service_start(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    make = "".join(f'echo "#!{SH}" > "{tools / name}"; chmod 755 "{tools / name}"; ' for name in PROGRAMS)
    tool(
        tools,
        "apt-get",
        f'echo "apt-get $*; policy: $({SH} {tools}/policy-rc.d; echo $?)" >&2; [ "$1" = update ] || {{ {make} }}',
    )
    tool(tools, "systemctl", 'echo "systemctl $*" >> "${0%/*}/systemctl.log"')
    done = run(tools)
    assert done.returncode == 0, done.stderr
    assert "--no-install-recommends prometheus prometheus-alertmanager; policy: 101" in done.stderr
    assert not (tools / "policy-rc.d").exists()
    assert (tools / "systemctl.log").read_text() == "systemctl disable prometheus prometheus-alertmanager\n"


def test_a_policy_that_is_there_is_left_as_it_is(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    tool(tools, "policy-rc.d", "exit 0")
    tool(tools, "apt-get", "exit 100")
    assert run(tools).returncode == 1
    assert "exit 0" in (tools / "policy-rc.d").read_text()


def test_an_installation_that_fails_is_not_called_done(tools: Path) -> None:
    tool(tools, "id", "echo 0")
    tool(tools, "apt-get", "exit 100")
    assert run(tools).returncode == 1
    assert not (tools / "policy-rc.d").exists()
