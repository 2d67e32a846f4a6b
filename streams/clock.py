"""The machine's clock in ms."""

import time


def real_now() -> int:
    """Read the machine's clock: milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000
