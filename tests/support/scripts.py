"""Helper for tests of installation scripts: runs one with a folder of stub tools only."""

import os
import shutil
import subprocess
from pathlib import Path

import infra

SH = shutil.which("sh") or "/bin/sh"


def tool(folder: Path, name: str, script: str) -> None:
    """Make a tool."""
    (folder / name).write_text(f"#!{SH}\n{script}\n")
    (folder / name).chmod(0o755)


def nobody_is_root(folder: Path) -> Path:
    """Make a folder one of tools in which nobody is root."""
    tool(folder, "id", "echo 1000")
    return folder


def run_script(name: str, tools: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of infra where only these tools are to be found."""
    script = Path(infra.__file__).with_name(name)
    env = os.environ | {"PATH": str(tools)} | environment
    return subprocess.run([SH, str(script)], capture_output=True, text=True, check=False, env=env)
