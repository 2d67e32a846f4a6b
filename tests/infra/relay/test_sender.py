"""A sender delivers each message to its robot once, at its rate, and repeats it until accepted."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.messages.message_text import MessageText
from infra.relay.metrics import RelayMetrics
from infra.relay.outbox import Outbox, Waiting
from infra.relay.sender import Budget, RobotSender, backoff, compose
from tests.support.alerts import EXPO, notice, robot
from tests.support.chats import Chat, chatting


class Bench:
    """A courier to one chat, whose clock goes on by itself as far as the courier wants to wait."""

    def __init__(self, folder: Path, chat: Chat, **given: Any) -> None:
        self.chat, self.outbox = chat, Outbox(folder / "o")
        self.now = 1_762_909_300.0
        self.robot = robot(chat.kind, chat.url, **given)
        self.metrics = RelayMetrics([chat.kind], self.outbox)
        self.restart()

    def restart(self) -> None:
        """Begin with another courier on the same outbox."""
        self.courier = RobotSender(self.robot, self.outbox, MessageText(EXPO), self.metrics, clock=lambda: self.now)

    def accept(self, *changes: int, **given: Any) -> None:
        """Let these changes come in now."""
        for each in changes:
            self.outbox.accept(notice(each, **given), [self.chat.kind], self.ms)

    @property
    def ms(self) -> int:
        """The courier's time, ms."""
        return int(self.now * 1000)

    def run(self, seconds: float) -> None:
        """Let the courier work for so long."""
        asyncio.run(self._run(self.now + seconds))

    async def _run(self, end: float) -> None:
        async with aiohttp.ClientSession() as session:
            while self.now < end:
                wait = await self.courier.step(session)
                self.now = min(end, self.now + wait) if wait else self.now

    def number(self, name: str, **labels: str) -> float:
        """Return one of the relay's metrics."""
        value = self.metrics.registry.get_sample_value(f"gatepulse_relay_{name}", {"robot": self.chat.kind, **labels})
        assert value is not None
        return value


@pytest.fixture
def bench(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Provide a courier to a chat of the kind asked for."""
    kind = getattr(request, "param", "wecom")
    chat = Chat(kind)
    with chatting(chat):
        bench = Bench(tmp_path, chat)
        # The chat's idea of time must be the courier's: it refuses old signatures and counts a minute's messages.
        monkeypatch.setattr("tests.support.chats.time.time", lambda: bench.now)
        monkeypatch.setattr("tests.support.chats.time.monotonic", lambda: bench.now)
        yield bench
        bench.outbox.db.close()


every_kind: Callable[..., Any] = pytest.mark.parametrize(
    "bench", ["wecom", "dingtalk", "feishu", "webhook"], indirect=True
)


@every_kind
def test_a_message_passes_the_checks_of_its_chat_and_is_told_once(bench: Bench) -> None:
    bench.accept(1)
    bench.run(60)
    bench.accept(1)
    bench.run(60)
    assert len(bench.chat.texts) == bench.chat.asked == 1
    assert "入口超载" in bench.chat.texts[0]
    assert bench.number("delivered_total") == 1


@every_kind
def test_a_hundred_alarms_at_once_stay_within_the_limit_and_none_is_lost(bench: Bench) -> None:
    bench.accept(*range(1, 101), level="yellow")
    bench.run(120)
    assert bench.chat.asked == len(bench.chat.texts) == 5
    assert "96 more suppressed" not in bench.chat.texts[3]
    assert "95 more suppressed" in bench.chat.texts[4]
    assert bench.number("suppressed_total") == 95


def test_a_storm_that_goes_on_never_meets_the_limit_of_the_chat(bench: Bench) -> None:
    for change in range(1, 200):
        bench.accept(change)
        bench.run(1)
    bench.run(60)
    sent = len(bench.chat.texts) + bench.number("suppressed_total")
    assert sent == 199
    assert bench.number("failed_total", how="later") == 0
    assert bench.chat.asked <= 5 + 260 / 4


def test_a_red_alarm_in_a_storm_is_told_in_full_within_seconds(bench: Bench) -> None:
    bench.accept(*range(1, 50), level="yellow")
    bench.run(1)
    bench.accept(50, level="red")
    bench.accept(*range(51, 60), level="yellow")
    bench.run(5)
    assert bench.chat.texts[-1].startswith("🔴")


def test_an_error_of_the_server_is_tried_again_as_doubtful_until_it_is_taken(bench: Bench) -> None:
    bench.chat.answer_next = ["500", "500", "page"]
    bench.accept(1)
    bench.run(30)
    assert bench.chat.asked == 4
    assert len(bench.chat.texts) == 1
    assert "可能已发送过" in bench.chat.texts[0]


def test_a_chat_that_says_too_fast_is_left_alone_and_then_told_without_remark(bench: Bench) -> None:
    bench.chat.answer_next = ["fast"]
    bench.accept(1)
    bench.run(59)
    assert bench.chat.asked == 1
    bench.run(5)
    assert len(bench.chat.texts) == 1
    assert "可能已发送过" not in bench.chat.texts[0]


def test_a_chat_that_breaks_off_hears_it_again_with_the_remark(bench: Bench) -> None:
    bench.chat.answer_next = ["silent"]
    bench.accept(1)
    bench.run(30)
    assert len(bench.chat.texts) == 2
    assert "可能已发送过" not in bench.chat.texts[0]
    assert "可能已发送过" in bench.chat.texts[1]


@pytest.mark.parametrize("bench", ["webhook"], indirect=True)
def test_a_webhook_that_breaks_off_gets_the_same_id_again(bench: Bench) -> None:
    bench.chat.answer_next = ["silent"]
    bench.accept(1)
    bench.run(30)
    first, second = (message for message, _ in bench.chat.letters)
    assert first == second


@pytest.mark.parametrize("bench", ["dingtalk"], indirect=True)
def test_a_wrong_secret_is_counted_and_told_after_it_was_put_right(bench: Bench) -> None:
    bench.chat.secret = "SECanother"  # noqa: S105
    bench.accept(1)
    bench.run(30)
    assert (bench.chat.asked, bench.number("failed_total", how="refused")) == (1, 1)
    bench.chat.secret = bench.robot.secret
    bench.outbox.begin(bench.ms)
    bench.restart()
    bench.run(30)
    assert len(bench.chat.texts) == 1


def test_what_waits_for_a_robot_that_is_away_is_folded_when_it_is_back(bench: Bench) -> None:
    bench.chat.answer_next = ["fast"] * 3
    bench.accept(1)
    bench.run(30)
    bench.accept(*range(2, 30))
    bench.run(400)
    assert len(bench.chat.texts) + bench.number("suppressed_total") == 29


def test_a_restart_gives_a_robot_no_second_burst(bench: Bench) -> None:
    bench.accept(*range(1, 6))
    bench.run(1)
    assert len(bench.chat.texts) == 5
    bench.restart()
    bench.accept(6)
    bench.run(2)
    assert len(bench.chat.texts) == 5
    bench.run(4)
    assert len(bench.chat.texts) == 6


def test_a_clock_that_is_set_back_holds_nothing_up(bench: Bench) -> None:
    bench.chat.answer_next = ["fast"]
    bench.accept(1)
    bench.run(1)
    bench.now -= 3600
    bench.outbox.db.execute("UPDATE notices SET due_ms = 0")
    bench.run(10)
    assert len(bench.chat.texts) == 1


def test_a_robot_that_cannot_be_reached_is_tried_again(tmp_path: Path) -> None:
    chat = Chat("wecom", url="http://127.0.0.1:9/send?key=wecom-key")
    bench = Bench(tmp_path, chat)
    bench.accept(1)
    bench.run(10)
    assert bench.number("failed_total", how="later") >= 3
    message = bench.outbox.open_message("wecom")
    assert message is not None
    assert not message.doubtful
    bench.outbox.db.close()


def test_nothing_secret_is_logged(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.chat.answer_next = ["500", "page", "silent", "fast"]
    bench.accept(1)
    bench.run(200)
    said = capsys.readouterr()
    assert "a robot has not accepted a message" in said.out + said.err
    assert "wecom-key" not in said.out + said.err


def test_waits_between_tries_grow_up_to_a_minute() -> None:
    assert [backoff(n) for n in (0, 1, 2, 3, 7, 100)] == [0, 1, 2, 4, 60, 60]


@pytest.mark.parametrize("bench", ["webhook"], indirect=True)
def test_a_webhook_gets_a_long_queue_in_messages_that_a_server_takes(bench: Bench) -> None:
    for number in range(450):
        bench.accept(1, episode=f"e{number}")
    bench.run(30)
    contents = [content["data"]["notices"] for _, content in bench.chat.letters]
    assert max(map(len, contents)) == 200
    assert sorted(each["alarm"] for sent in contents for each in sent) == sorted(f"e{number}" for number in range(450))


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


def sent(per_minute: int, wanted: list[float]) -> list[float]:
    """Return when messages wanted at these times are sent, one after the other."""
    budget, now, times = Budget(per_minute, 0.0), 0.0, []
    for at in sorted(wanted):
        now = max(now, at)
        now += budget.wait(now)
        budget.spend(now)
        times.append(now)
    return times


@given(st.lists(st.floats(0, 300), max_size=150), st.integers(2, 20))
def test_never_more_than_the_limit_in_any_minute(wanted: list[float], limit: int) -> None:
    times = sent(limit, wanted)
    for first, last in zip(times, times[limit:], strict=False):
        assert last - first >= 60 - 1e-6


def test_five_at_once_then_one_every_four_seconds() -> None:
    assert sent(20, [0.0] * 8) == [0, 0, 0, 0, 0, 4, 8, 12]


def test_never_more_than_five_within_a_second() -> None:
    times = sent(20, [0.1 * n for n in range(200)])
    assert all(last - first >= 1 for first, last in zip(times, times[5:], strict=False))


def test_a_clock_that_is_set_back_earns_nothing_and_blocks_nothing() -> None:
    budget = Budget(20, 1000.0)
    for _ in range(5):
        budget.spend(1000.0)
    assert budget.wait(0.0) == 4.0
    budget.spend(4.0)
    assert budget.wait(4.0) == 8.0
