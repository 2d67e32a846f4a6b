"""A correction counts once, and only with a plausible time."""

from streams.kernels.counts.corrections import CorrectionLog
from streams.kernels.counts.partition_log import PartitionId, Tally
from tests.support.events import SUSPECT, TIMES
from tests.support.lines import ARRIVED, correction, corrections, records


def log() -> CorrectionLog:
    return CorrectionLog(PartitionId("test", "corrections", 0), TIMES, next_offset=0)


def test_a_correction_from_the_future_is_not_believed() -> None:
    counting = log()
    at_limit = correction(id="c-1", ts=ARRIVED + SUSPECT)
    beyond = correction(id="c-2", ts=ARRIVED + 1 + SUSPECT + 1)
    counting.apply(corrections().read(records(at_limit, beyond)))
    assert counting.drain()[0].columns["id"] == ["c-1"]
    (rejected,) = counting.drain_rejections()
    assert (rejected.position.offset, rejected.reason, rejected.first_bytes) == (1, "suspect-time", beyond)
    assert rejected.detail.startswith(f"ts: {ARRIVED + SUSPECT + 2} is {SUSPECT + 1} ms after its arrival at")
    assert counting.tally == Tally(received=2, counted=1, rejected={"suspect-time": 1})


def test_it_may_come_again_with_the_right_time() -> None:
    counting = log()
    counting.apply(corrections().read(records(correction(ts=ARRIVED + 2 * SUSPECT), correction(ts=ARRIVED))))
    assert counting.tally == Tally(received=2, counted=1, rejected={"suspect-time": 1})


def test_a_correction_of_last_month_is_a_correction() -> None:
    counting = log()
    counting.apply(corrections().read(records(correction(ts=ARRIVED - 30 * 86_400_000))))
    assert counting.tally.counted == 1


def test_a_correction_that_came_before_is_a_duplicate_whatever_its_time() -> None:
    counting = log()
    counting.apply(corrections().read(records(correction(), correction(ts=ARRIVED + 2 * SUSPECT), b"bad")))
    assert counting.tally == Tally(received=3, counted=1, duplicate=1, rejected={"not-json": 1})
    counting.apply(corrections().read(records(b"bad", correction(id="c-9"), first=2)))  # the first has been counted
    assert counting.tally == Tally(received=4, counted=2, duplicate=1, rejected={"not-json": 1})


def test_no_more_are_taken_than_a_log_remembers_and_those_that_were_may_come_again() -> None:
    counting = CorrectionLog(PartitionId("test", "corrections", 0), TIMES, next_offset=0, most=2)
    lines = [correction(id=each) for each in ("c-1", "c-2", "c-3", "c-1")]
    counting.apply(corrections().read(records(*lines)))
    assert counting.tally == Tally(received=4, counted=2, duplicate=1, rejected={"too-many-corrections": 1})
    (rejected,) = counting.drain_rejections()
    assert (rejected.position.offset, rejected.detail) == (2, "id: a log takes 2 corrections; this would be one more")
