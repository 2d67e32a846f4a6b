"""A confined process reaches the paths it was given and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.process import sandbox
from tests.support.processes import needs_landlock

PROGRAM = """
import socket, sys
from pathlib import Path
from infra.process.sandbox import confine
readable, writable, hidden = map(Path, sys.argv[1:])
assert confine(readable=[readable, Path("/nowhere")], writable=[writable])

def refused(action):
    try:
        action()
    except PermissionError:
        return True
    return False

assert (readable / "file").read_text() == "text"
assert refused((readable / "new").touch)
(writable / "a").mkdir()
(writable / "a" / "file").write_text("text")
(writable / "a" / "file").rename(writable / "file")
(writable / "file").unlink()
assert refused((hidden / "file").read_text)
assert refused(lambda: list(hidden.iterdir()))
listener = socket.create_server(("127.0.0.1", 0))
if int(sys.stdin.read()) >= 4:
    assert refused(lambda: socket.create_connection(listener.getsockname()))
print("as expected")
"""


@needs_landlock
def test_only_the_given_paths_are_in_reach(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("readable", "writable", "hidden")]
    for folder in folders:
        folder.mkdir()
        (folder / "file").write_text("text")
    (folders[1] / "file").unlink()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, folders)],
        input=str(sandbox.landlock_version()), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "as expected\n", done.stderr


def test_a_kernel_without_landlock_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "landlock_version", lambda: 0)
    assert not sandbox.confine(readable=[], writable=[])
