"""Sends one robot its messages in order, at its rate, and repeats each until it is accepted or refused."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

import aiohttp
import structlog

from dashboards.messages.message_text import MessageText
from infra.relay.metrics import RelayMetrics
from infra.relay.options import RobotOptions
from infra.relay.outbox import Outbox, RobotMessage, Waiting
from infra.relay.robots import MOST_BYTES, MOST_NOTICES, Accepted, Later, Refused, Request, Verdict, judge, request

log = structlog.get_logger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_MOST_ANSWER: Final = 65_536  # bytes of an answer that are read
_LONGEST_WAIT: Final = 60.0  # s between two tries
_LONGEST_SLEEP: Final = 5.0  # s


def backoff(failures: int) -> float:
    """Return the seconds before the next try after so many failures in a row: 1, 2, 4, … 60."""
    return min(_LONGEST_WAIT, float(2 ** min(failures - 1, 10))) if failures else 0.0


def compose(waiting: Sequence[Waiting], *, message: str, messages: int) -> RobotMessage | None:
    """Return the next message when so many `messages` may be sent now; None when there is nothing to send.

    In order of arrival, one each. The last message that may be sent takes all that is left: in full the newest of the
    gravest, so that a red alarm in a storm of yellow ones is not a line among many.
    """
    if not waiting or messages < 1:
        return None
    if messages > 1 or len(waiting) == 1:
        return RobotMessage(message, waiting[0])
    ranked = sorted(waiting, key=lambda each: (each.notice.severity, each.number), reverse=True)
    return RobotMessage(message, ranked[0], tuple(ranked[1:]))


class Budget:
    """The messages that may be sent: at most `per_minute` (2 or more) in any 60 s, a quarter of them at once.

    A group robot takes 20 messages a minute, and one that is given more goes silent, for ten minutes at DingTalk's.
    Twenty at once would make the twenty-first alarm wait for a minute: five at once, and fifteen more spread over the
    minute, keep to the same limit, and the longest wait is four seconds.
    """

    def __init__(self, per_minute: int, now: float) -> None:
        self._at_once = max(1, per_minute // 4)
        self._every = 60.0 / (per_minute - self._at_once)
        self._left, self._at = float(self._at_once), now

    def messages(self, now: float) -> int:
        """How many may be sent now."""
        return int(self._left_at(now) + 1e-9)

    def wait(self, now: float) -> float:
        """Seconds until one may be sent."""
        lacking = 1.0 - self._left_at(now)
        return max(0.0, lacking * self._every) if lacking > 1e-9 else 0.0

    def spend(self, now: float) -> None:
        """Note that one is sent now."""
        self._left, self._at = self._left_at(now) - 1.0, now

    def _left_at(self, now: float) -> float:
        """Let time pass; a clock that was set back gives nothing."""
        return min(self._at_once, self._left + max(0.0, now - self._at) / self._every)


class RobotSender:
    """Sends to one robot; `run` for ever, `wake` when there may be something new."""

    def __init__(
        self,
        robot: RobotOptions,
        outbox: Outbox,
        wording: MessageText,
        metrics: RelayMetrics,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._robot, self._outbox, self._wording, self._metrics, self._clock = robot, outbox, wording, metrics, clock
        self._woken = asyncio.Event()
        self._failures, self._failed_at, self._pause = 0, 0.0, 0.0
        sent = [at / 1000 for at in outbox.sendings(robot.name)]
        self._budget = Budget(robot.per_minute, sent[0] if sent else clock())
        for at in sent:
            self._budget.spend(at)

    def wake(self) -> None:
        """Check the outbox now."""
        self._woken.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Deliver for ever; a cancellation ends it."""
        while True:
            self._woken.clear()
            wait = await self.step(session)
            if wait > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), wait)

    async def step(self, session: aiohttp.ClientSession) -> float:
        """Send one message if one may be sent now; return the seconds until it is worth another step (or `wake`)."""
        now, name = self._clock(), self._robot.name
        due = self._outbox.next_due_ms(name)
        if due is None or due > now * 1000:
            return _LONGEST_SLEEP if due is None else min(_LONGEST_SLEEP, due / 1000 - now)
        wait = max(self._budget.wait(now), self._paused(now))
        if wait > 0:
            return wait
        message = self._outbox.open_message(name)
        if message is None:
            waiting = self._outbox.waiting(name, int(now * 1000))[: MOST_NOTICES.get(self._robot.type)]
            message = compose(waiting, message=uuid.uuid4().hex, messages=self._budget.messages(now))
        if message is not None:
            await self._deliver(message, session, now)
        return 0.0

    def _paused(self, now: float) -> float:
        """Return the seconds for which the robot is to be left alone; a clock that was set back ends that."""
        since = now - self._failed_at
        return self._pause - since if since >= 0 else 0.0

    async def _deliver(self, message: RobotMessage, session: aiohttp.ClientSession, now: float) -> None:
        folded = [each.notice for each in message.folded]
        most = MOST_BYTES[self._robot.type]
        text = self._wording.text(message.head.notice, folded, most_bytes=most, doubtful=message.doubtful)
        posted = request(self._robot, message, text, int(now * 1000))
        self._outbox.sending(self._robot.name, message, int(now * 1000))
        self._budget.spend(now)
        self._note(message, await _post(session, self._robot, posted))

    def _note(self, message: RobotMessage, verdict: Verdict) -> None:
        now, name, metrics = self._clock(), self._robot.name, self._metrics
        match verdict:
            case Accepted():
                self._outbox.delivered(message, int(now * 1000))
                metrics.delivered.labels(name).inc()
                metrics.suppressed.labels(name).inc(len(message.folded))
                self._failures = 0
            case Refused():
                self._outbox.refused(message, int(now * 1000))
                metrics.failed.labels(name, "refused").inc()
                log.error("a robot refuses a message for good", robot=name, reason=verdict.reason, message=message.id)
                self._failures = 0
            case Later():
                if not (verdict.doubtful or message.doubtful):
                    self._outbox.not_accepted(message)
                self._failures += 1
                self._failed_at, self._pause = now, max(verdict.seconds, backoff(self._failures))
                metrics.failed.labels(name, "later").inc()
                log.warning(
                    "a robot has not accepted a message", robot=name, reason=verdict.reason, tries=self._failures
                )


async def _post(session: aiohttp.ClientSession, robot: RobotOptions, posted: Request) -> Verdict:
    """Post, and judge the answer. Of an error only its kind is recorded: its text may show the address, a secret."""
    try:
        async with session.post(
            posted.url, data=posted.body, headers=posted.headers, allow_redirects=False, timeout=_TIMEOUT
        ) as answer:
            body = await answer.content.read(_MOST_ANSWER)
            return judge(robot.type, answer.status, body, answer.headers.get("Retry-After"))
    except aiohttp.ClientConnectorError as error:
        return Later(f"no connection: {type(error.os_error).__name__}")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Later(f"no answer: {type(error).__name__}", doubtful=True)
