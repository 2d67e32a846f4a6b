"""The time axis of a replay; pure. Next: `counts.py`.

A replay has one of two axes, both in milliseconds. `then`: the time at which something was stored (real time).
`corrected`: the time at which it happened (site time).
"""

from typing import Literal, NamedTuple

from streams.kernels.counts.site_clock import SiteClock

Known = Literal["then", "corrected"]

WINDOW = 10_000
"""Milliseconds of the windows in which areas are counted."""


class Moment(NamedTuple):
    """One moment on both clocks, in milliseconds."""

    site: int
    real: int

    def on(self, known: Known) -> int:
        """Return it on the axis of a replay."""
        return self.real if known == "then" else self.site


def moment_of(site_ms: int, clock: SiteClock) -> Moment:
    """Return the first moment of both clocks at which the site's shows `site_ms` or, if it is coarse, a little more."""
    real = clock.real(site_ms)
    while clock.now(real) < site_ms:
        real += 1
    return Moment(clock.now(real), real)
