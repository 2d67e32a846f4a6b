"""The command that compiles the kernels calls every one of them, so that no worker has to compile any."""

import subprocess
import sys

from streams.kernels.lines import names, objects, records, texts
from streams.worker.compiling import compile_kernels

_CALLED_BY_KERNELS = {"append"}


def test_every_kernel_is_compiled() -> None:
    compile_kernels()
    kernels = {
        name: each
        for module in (names, objects, records, texts)
        for name, each in vars(module).items()
        if getattr(each, "targetoptions", {}).get("nogil")
    }
    assert {"read_objects", "find_values", "join_values", "_copy", "_pack", "_encode"} < {*kernels}
    assert {name for name, each in kernels.items() if not each.signatures} <= _CALLED_BY_KERNELS


def test_it_says_what_it_does_and_how_long_it_took() -> None:
    command = [sys.executable, "-m", "infra.doctor.compile_kernels"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("Compiling the kernels of the counts (once) ... ")
    assert done.stderr.endswith(" s\n")
