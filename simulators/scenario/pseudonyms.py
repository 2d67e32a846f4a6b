"""Made-up card and plate numbers, already replaced by keyed pseudonyms as a device would send them.

Low-entropy numbers need a keyed hash: whoever lacks the key cannot try all numbers. Keys change daily.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import datetime as dt

    from simulators.scenario.day import Texts


def day_key(seed: int, date: dt.date) -> bytes:
    """Return the key of one made-up day: the same seed and date give the same key."""
    return hmac.digest(str(seed).encode(), date.isoformat().encode(), "sha256")


def pseudonyms(key: bytes, prefix: str, count: int) -> Texts:
    """Return the pseudonyms (32 hex digits each) of the numbers `prefix-0`, `prefix-1`, ..."""
    numbers = (f"{prefix}-{number}".encode() for number in range(count))
    return np.array([hmac.digest(key, number, "sha256")[:16].hex() for number in numbers], dtype=object)
