"""Compiles the kernels into machine code, which is kept beside their sources: `python -m infra.doctor.compile_kernels`.

Installing does this. Otherwise a worker does it when it starts, as it does after a change of a kernel.
"""

import sys

from streams.worker.compiling import compile_kernels


def main() -> None:
    """Compile, and say so: it takes some ten seconds."""
    sys.stderr.write("Compiling the kernels of the counts (once) ... ")
    sys.stderr.flush()
    sys.stderr.write(f"{compile_kernels():.0f} s\n")


if __name__ == "__main__":
    main()
