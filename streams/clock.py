"""The machine's clock: everything in the project reads the time here."""

import time


def real_now() -> int:
    """Read the machine's clock: milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
