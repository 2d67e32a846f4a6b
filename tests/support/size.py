"""The number of examples that property tests try: few in `make test`, many in `make nightly`."""

import os
from typing import Final

NIGHTLY: Final = os.environ.get("TESTS_SIZE") == "nightly"
_SHARE: Final = 16
"""A change is tried with one of so many of the examples of a night."""


def examples(nightly: int) -> int:
    """Return how many examples of a property are tried; `nightly` of them in a night."""
    return nightly if NIGHTLY else max(nightly // _SHARE, 3)
