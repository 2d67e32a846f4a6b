"""What a log announces of its entrances: only what has changed, and that is enough."""

from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from streams.agents import entrance_totals
from streams.kernels.snapshot import freeze, thaw
from streams.kernels.venue import EntranceTotals
from tests.streams.kernels.events import HORIZON, LOG, NINE, PLACE, Event, batch, log

# Two lanes that are moved from one entrance to another, with numbers left out and repeated, some much too late.
EVENTS = st.builds(
    Event,
    seq=st.integers(1, 9),
    device=st.sampled_from(["L1", "L2"]),
    entrance=st.sampled_from(["N1", "N2", "H1"]),
    direction=st.sampled_from(["in", "out"]),
    outcome=st.sampled_from(["passed", "denied"]),
    ts=st.sampled_from([NINE, NINE - 2 * HORIZON]),
)


@given(st.lists(EVENTS, max_size=12), st.integers(1, 4))
def test_what_was_announced_last_of_each_entrance_is_what_is_known_of_it(events: list[Event], size: int) -> None:
    counting, announced = log(), dict[str, EntranceTotals]()
    for at in range(0, len(events), size):
        some = [replace(each, offset=at + i) for i, each in enumerate(events[at : at + size])]
        counting.apply(batch(some, first=at, after=at + len(some)))
        announced |= {each.entrance: each for each in entrance_totals(counting)}
        assert entrance_totals(counting) == []  # nothing has changed since
    taken_up = thaw(freeze(counting), LOG, "person", PLACE)
    assert told(entrance_totals(taken_up, everything=True)) == told(announced.values())


def told(figures: Iterable[EntranceTotals]) -> dict[str, tuple[object, ...]]:
    """Return what figures say, without entrances of which nothing is known (any more)."""
    said = {
        each.entrance: (
            sorted((total.direction, total.category, total.passages) for total in each.totals),
            each.missing,
            each.last_ts,
        )
        for each in figures
    }
    return {name: each for name, each in said.items() if each != ([], 0, None)}
