"""Notices above a robot's rate limit are folded into the next message, the worst one in full."""

from infra.relay.message import Waiting, compose
from tests.support.alerts import notice


def test_one_notice_is_one_message() -> None:
    message = compose([Waiting(1, notice(1)), Waiting(2, notice(2))], message="a", messages=5)
    assert message is not None
    assert message.numbers == (1,)


def test_the_last_message_that_may_be_sent_takes_all_that_waits() -> None:
    waiting = [Waiting(n, notice(n, level="red" if n == 3 else "yellow")) for n in (1, 2, 3, 4)]
    message = compose(waiting, message="a", messages=1)
    assert message is not None
    assert message.head.number == 3
    assert set(message.numbers) == {1, 2, 3, 4}


def test_an_end_matters_less_than_any_alarm() -> None:
    waiting = [Waiting(1, notice(1, level="yellow")), Waiting(2, notice(2, level="red", what="cleared"))]
    message = compose(waiting, message="a", messages=1)
    assert message is not None
    assert message.head.number == 1


def test_without_budget_or_notices_there_is_no_letter() -> None:
    assert compose([], message="a", messages=5) is None
    assert compose([Waiting(1, notice())], message="a", messages=0) is None
