"""Run a command so that the kernel ends it when the process that started it is gone (see child.py for the starter).

Usage: ``python lifeline.py PARENT_PID COMMAND [ARGUMENT ...]``.  The request survives exec, so no process
stays in between.  Linux only: it is prctl(2) PR_SET_PDEATHSIG, which looks at the starting *thread*.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, *command: str) -> None:
    """Have SIGKILL sent when the parent goes, and replace this process with the command; exit at once if it is gone.

    SIGKILL, because it also ends a stopped or hanging process; every program here survives it by design. Exit code 127
    if the command cannot be run, as a shell's.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if os.getppid() != parent:
        sys.exit("The program that wanted this process has ended already.")
    try:
        os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted
    except OSError as error:
        sys.stderr.write(f"Cannot run {command[0]}: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
