"""The expected outcome of a passage follows from its content, its arrival, and earlier events of its device.

The site's clock is real time; times are UTC on 2021-11-05.
"""

from pathlib import Path
from typing import Any

import pytest

from simulators.ledger.ledger import LedgerWriter, read_ledger
from simulators.verify.fates import Fates, Limits, judge, suspect_corrections
from simulators.verify.truth import Sent, sent_passages
from tests.support.small_site import REAL_TIME, at, columns, correction, deliver, drawn, passage, tables

FIVE_MINUTES = Limits(suspect_ms=300_000, horizon_ms=7_200_000)
"""A clock may be wrong by five minutes; what comes more than two hours late is late."""


class Story:
    """A ledger in which passages come one after the other, each said with its number, its time and when it came."""

    def __init__(self, directory: Path, **meta: Any) -> None:
        self.writer = LedgerWriter(directory, meta={"site": "small", "clock": REAL_TIME} | meta)
        self._offset = 0

    def tell(self, seq: int, clock: str, *came: str, **other: Any) -> "Story":
        """Say that passage `seq`, of the time `clock`, came then, as often as is said (once, at its time)."""
        arrivals = came or (clock,)
        deliver(self.writer, passage(clock, seq=seq, **other), *arrivals, first_offset=self._offset)
        self._offset += len(arrivals)
        return self

    def fates(self, limits: Limits = FIVE_MINUTES) -> dict[str, list[int]]:
        """Return the numbers of the passages by their fate, where there are any."""
        self.writer.close()
        ledger = read_ledger(self.writer.directory)
        fates: Fates = judge(ledger, sent_passages(ledger), limits)
        groups: dict[str, Sent] = vars(fates)
        numbers = {name: sorted(ledger.passages["seq"][sent.rows].tolist()) for name, sent in groups.items()}
        return {name: found for name, found in numbers.items() if found}

    def drawn(self, view: str) -> list[str]:
        """Draw a view of the truth."""
        self.writer.close()
        return drawn(tables(read_ledger(self.writer.directory), limits=FIVE_MINUTES)[view])


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def test_what_comes_in_time_is_counted(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "8:00:05", "8:02:00").tell(3, "8:00:10", "9:30:00")
    assert story.fates() == {"counted": [1, 2, 3]}


def test_up_to_the_horizon_a_passage_is_counted_and_a_millisecond_later_it_is_late(story: Story) -> None:
    story.tell(1, "8:00:00.001", "10:00:00.001").tell(2, "8:00:00.001", "10:00:00.002")
    assert story.fates() == {"counted": [1], "late": [2]}


def test_of_several_deliveries_the_first_in_the_log_decides_whether_it_is_late(tmp_path: Path) -> None:
    early, late = Story(tmp_path / "early"), Story(tmp_path / "late")
    assert early.tell(1, "8:00:00", "8:00:01", "12:00:00").fates() == {"counted": [1]}
    # The record with the lower offset has the later timestamp, as when a producer's clock was set back.
    assert late.tell(1, "8:00:00", "12:00:00", "8:00:01").fates() == {"late": [1]}


def test_a_clock_that_is_ahead_is_believed_up_to_the_limit(story: Story) -> None:
    story.tell(1, "8:05:00", "8:00:00").tell(2, "8:05:00.001", "8:00:00")
    assert story.fates() == {"counted": [1], "suspect": [2]}


def test_a_clock_that_jumps_back_contradicts_the_numbers_before(story: Story) -> None:
    #  1 8:00   2 8:10   3 a day back, 4 as well   5 comes right again   6 five minutes back: believed
    story.tell(1, "8:00:00").tell(2, "8:10:00")
    story.tell(3, "0:11:00", "8:11:00").tell(4, "0:12:00", "8:12:00").tell(5, "8:13:00").tell(6, "8:08:00", "8:14:00")
    assert story.fates() == {"counted": [1, 2, 5, 6], "suspect": [3, 4]}


def test_a_late_number_must_fit_between_its_neighbours(story: Story) -> None:
    story.tell(1, "8:00:00").tell(4, "8:30:00")
    story.tell(2, "8:35:00", "8:36:00").tell(3, "8:35:00.001", "8:37:00").tell(5, "8:31:00", "8:38:00")
    assert story.fates() == {"counted": [1, 2, 4, 5], "suspect": [3]}


def test_who_was_not_believed_stands_for_the_neighbour_that_it_had(story: Story) -> None:
    # 3 is not believed, so 4 is compared with 2.
    story.tell(2, "8:00:00").tell(3, "20:00:00", "8:00:10").tell(4, "8:00:20").tell(5, "7:54:00", "8:00:30")
    assert story.fates() == {"counted": [2, 4], "suspect": [3, 5]}


def test_devices_and_epochs_do_not_contradict_each_other(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "7:00:00", "8:00:01", epoch=1).tell(3, "7:00:00", "8:00:02", device="N1-L02")
    assert story.fates() == {"counted": [1, 2, 3]}


def test_a_time_outside_the_contract_is_neither_late_nor_suspect(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "8:00:01", ts=0).tell(3, "8:00:02", ts=946_684_799_999).tell(
        4, "8:00:03", ts=4_102_444_800_000
    )
    assert story.fates() == {"counted": [1], "outside": [2, 3, 4]}


def test_arrival_is_compared_in_the_time_of_the_site(tmp_path: Path) -> None:
    # The clock shows 8:00 at midnight, and an hour passes in a minute.
    fast = Story(tmp_path, clock={"site_ms": at("8:00:00"), "real_ms": at("0:00:00"), "speed": 60.0})
    fast.tell(1, "8:59:00", "0:01:00").tell(2, "9:05:00.001", "0:01:00").tell(3, "9:00:00", "0:03:00.017")
    assert fast.fates() == {"counted": [1], "suspect": [2], "late": [3]}


def test_without_the_sites_clock_everything_is_counted(tmp_path: Path) -> None:
    unknown = Story(tmp_path, clock=None)
    unknown.tell(1, "8:00:00", "23:00:00").tell(2, "23:00:00", "0:00:00").tell(3, "1:00:00", "0:00:01")
    assert unknown.fates() == {"counted": [1, 2, 3]}


def test_what_has_no_answer_was_sent_just_before_its_writer_was_ended(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "11:00:00")
    story.writer.passages(
        columns([passage("8:59:00", device="N1-L02", seq=3), passage("9:01:00", device="N1-L02", seq=4)])
    )
    story.writer.abandon()
    ledger = read_ledger(story.writer.directory)
    fates = judge(ledger, sent_passages(ledger), FIVE_MINUTES)
    assert ledger.passages["seq"][fates.late.rows].tolist() == [3]
    assert fates.late.certain.tolist() == [False]


def test_late_passages_are_in_their_own_view_and_in_no_other_count(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "15:59:59", "20:00:00").tell(3, "16:00:00", "20:00:00", "20:00:01")
    story.tell(4, "16:00:01", "20:00:00", outcome="denied", reason="ticket")
    assert story.drawn("late_passages") == [
        "2021-11-05 person N1 in passed visitor | 1",
        "2021-11-06 person N1 in denied visitor | 1",
        "2021-11-06 person N1 in passed visitor | 1",
    ]
    assert story.drawn("entrance_counts_1m") == ["08:00:00 person N1 in visitor | 1"]
    assert len(story.drawn("passages")) == 1
    assert story.drawn("entrance_refusals_1m") == []
    #                                                                received counted late rejected unaccounted
    assert story.drawn("progress") == ["turnstile.passages | 5 1 3 0 0"]
    assert story.drawn("completeness") == ["N1-L01 | N1 4 0 16:00:01"]


def test_a_suspect_passage_is_rejected_once_and_its_number_is_not_missing(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "20:00:00", "8:00:01", "8:00:02").tell(3, "8:00:03")
    (rejection,) = story.drawn("rejections")
    assert rejection.startswith("turnstile.passages ")
    assert rejection.endswith(" suspect-time | 1")
    assert story.drawn("completeness") == ["N1-L01 | N1 3 0 08:00:03"]
    assert story.drawn("progress") == ["turnstile.passages | 4 2 0 1 0"]
    assert len(story.drawn("passages")) == 2


def test_a_device_of_which_nothing_is_believed_has_been_heard_at_no_time(story: Story) -> None:
    story.tell(2, "20:00:00", "8:00:00", device="P1-L01")
    assert story.drawn("completeness") == ["P1-L01 | P1 2 1 1970-01-01T00:00:00"]


def test_a_time_outside_the_contract_is_rejected_every_time_and_its_number_is_missing(story: Story) -> None:
    story.tell(1, "8:00:00").tell(2, "8:00:01", "8:00:01", "8:00:02", ts=5).tell(3, "8:00:03")
    (rejection,) = story.drawn("rejections")
    assert rejection.endswith(" time-out-of-range | 2")
    assert story.drawn("completeness") == ["N1-L01 | N1 3 1 08:00:03"]
    assert story.drawn("progress") == ["turnstile.passages | 4 2 0 2 0"]


def test_a_correction_from_the_future_is_rejected(story: Story) -> None:
    common: dict[str, Any] = {"arrived_ms": at("8:00:00"), "at_ms": at("8:00:01")}
    steps = [
        correction("a", "8:05:00", delta=1, sha256="aa", **common),
        correction("b", "8:05:00.001", delta=1, sha256="bb", **common),
    ]
    story.writer.corrections(steps)
    story.writer.close()
    ledger = read_ledger(story.writer.directory)
    assert suspect_corrections(ledger, FIVE_MINUTES).tolist() == [False, True]
    assert story.drawn("rejections") == ["corrections bb suspect-time | 1"]
    assert [line.split(" | ")[0] for line in story.drawn("corrections")] == ["a"]
    assert story.drawn("progress") == ["corrections | 2 1 0 1 0"]
