"""Each change is sent once to each robot, whatever crashes in between."""

from pathlib import Path

import pytest

from infra.relay.outbox import KEPT_MS, REVIVED_MS, Outbox, OutboxError, RobotMessage
from infra.relay.sender import compose
from tests.support.alerts import notice

NOW = 1_762_909_300_000


def message_of(outbox: Outbox, robot: str = "north", *, messages: int = 5) -> RobotMessage:
    message = compose(outbox.waiting(robot, NOW), message="message", messages=messages)
    assert message is not None
    return message


def test_the_same_change_is_accepted_once_for_each_robot(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        for change in (1, 1, 2):
            outbox.accept(notice(change), ["north", "east"], NOW)
        for robot in ("north", "east"):
            assert [each.notice.episode.change for each in outbox.waiting(robot, NOW)] == [1, 2]


def test_an_older_change_is_not_told_after_a_newer_one(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        outbox.accept(notice(2), ["north"], NOW)
        outbox.accept(notice(1), ["north"], NOW)
        assert [each.notice.episode.change for each in outbox.waiting("north", NOW)] == [2]


def test_what_was_accepted_and_told_is_known_after_a_restart(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        outbox.accept(notice(1), ["north", "east"], NOW)
        message = message_of(outbox)
        outbox.sending("north", message, NOW)
        outbox.delivered(message, NOW)
    with Outbox(tmp_path / "o") as outbox:
        outbox.begin(NOW)
        outbox.accept(notice(1), ["north", "east"], NOW)
        assert outbox.waiting("north", NOW) == []
        assert len(outbox.waiting("east", NOW)) == 1


def test_a_letter_that_was_under_way_at_a_crash_is_sent_again_as_doubtful(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        for each in (notice(1), notice(2), notice(3, level="red")):
            outbox.accept(each, ["north"], NOW)
        message = message_of(outbox, messages=1)
        outbox.sending("north", message, NOW)
    with Outbox(tmp_path / "o") as outbox:
        again = outbox.open_message("north")
        assert again is not None
        assert (again.id, again.head.notice.episode.level, again.doubtful) == (message.id, "red", True)
        assert set(again.numbers) == set(message.numbers)


def test_a_letter_that_was_certainly_not_accepted_is_no_repetition(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        outbox.accept(notice(1), ["north"], NOW)
        message = message_of(outbox)
        outbox.sending("north", message, NOW)
        outbox.not_accepted(message)
        again = outbox.open_message("north")
        assert again is not None
        assert not again.doubtful


def test_what_was_refused_a_short_while_ago_is_tried_again_after_a_restart(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        outbox.accept(notice(1), ["north"], NOW)
        message = message_of(outbox)
        outbox.sending("north", message, NOW)
        outbox.refused(message, NOW)
        outbox.begin(NOW + REVIVED_MS)
        assert outbox.waiting("north", NOW) == []
        outbox.begin(NOW + REVIVED_MS - 1)
        assert len(outbox.waiting("north", NOW)) == 1


def test_what_ended_a_month_ago_is_forgotten_and_what_waits_is_not(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        outbox.accept(notice(1), ["north", "east"], NOW)
        message = message_of(outbox)
        outbox.sending("north", message, NOW)
        outbox.delivered(message, NOW)
        outbox.forget(NOW + KEPT_MS + 1)
        outbox.accept(notice(1), ["north", "east"], NOW)
        assert [len(outbox.waiting(robot, NOW)) for robot in ("north", "east")] == [1, 1]


def test_accepting_is_all_or_nothing(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:

        def interrupted() -> None:
            with outbox.at_once():
                outbox.accept(notice(1), ["north"], NOW)
                raise RuntimeError("the power fails")

        with pytest.raises(RuntimeError, match="the power fails"):
            interrupted()
        assert outbox.waiting("north", NOW) == []
        outbox.accept(notice(1), ["north"], NOW)
        assert len(outbox.waiting("north", NOW)) == 1


def test_a_second_relay_on_the_same_file_is_refused(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o"), pytest.raises(OutboxError, match="Another relay may run on it"):
        Outbox(tmp_path / "o")


def test_the_backlog_says_how_many_wait_and_since_when(tmp_path: Path) -> None:
    with Outbox(tmp_path / "o") as outbox:
        outbox.accept(notice(1), ["north"], NOW)
        outbox.accept(notice(2), ["north"], NOW + 5000)
        outbox.accept(notice(3), ["north"], NOW, due_ms=NOW + 60_000)
        assert outbox.backlog(NOW + 10_000) == {"north": (2, 10.0)}
