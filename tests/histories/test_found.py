"""Regression tests: shrunk histories that once ended with wrong counts."""

from tests.histories.history import History, play
from tests.histories.operations import Compact, Delete, Rebalance, Send, Wait
from tests.histories.truth import Line, Passage

_NINE = 1_763_600_400_000


def passage(device: str, seq: int, *, ts: int = 0, outcome: str = "passed") -> Line:
    reason = "expired" if outcome == "denied" else ""
    return Line(Passage(device, 0, seq, _NINE + ts, device.partition("-")[0], "in", outcome, "visitor", reason))


def test_what_is_stored_and_then_deleted_is_not_lost() -> None:
    """Rows are ahead of the snapshot: a log that goes on at the snapshot would not know what they have counted."""
    play(
        History(
            "488",
            workers=("w1",),
            firsts=(0, 0, 16374),
            alarms=False,
            operations=(
                Wait(2.5),
                Send("turnstile.passages", 2, (passage("H1-2b", 1, outcome="denied"),)),
                Wait(0.3),
                Rebalance(),
                Delete("turnstile.passages", 2, 8),
            ),
        )
    )


def test_compaction_may_leave_the_older_of_two_snapshots() -> None:
    """A worker that lost a partition writes its snapshot behind a newer one, and the broker keeps the last."""
    play(
        History(
            "1117",
            workers=("w1", "w2"),
            firsts=(0, 0),
            alarms=False,
            operations=(
                Send("vehicle.passages", 0, (Line(unfit="not-utf8", text=b"\xff"),)),
                Send("turnstile.passages", 1, (passage("H1-1b", 2),)),
                Wait(2.5),
                Compact(),
            ),
        )
    )
