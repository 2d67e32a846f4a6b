"""Sends one robot its messages in order, at its rate, and repeats each until it is accepted or refused."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Callable
from typing import Final

import aiohttp
import structlog

from dashboards.messages.message_text import MessageText
from infra.relay.message import RobotMessage, compose
from infra.relay.metrics import RelayMetrics
from infra.relay.options import RobotOptions
from infra.relay.outbox import Outbox
from infra.relay.rate_limit import Budget, Rate
from infra.relay.robots import MOST_BYTES, MOST_NOTICES, Accepted, Later, Refused, Request, Verdict, judge, request

log = structlog.get_logger(__name__)

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10)
_MOST_ANSWER: Final = 65_536  # bytes of an answer that are read
_LONGEST_WAIT: Final = 60.0  # s between two tries
_LOOK_ANYWAY: Final = 5.0  # s


def backoff(failures: int) -> float:
    """Return the seconds before the next try after so many failures in a row: 1, 2, 4, … 60."""
    return min(_LONGEST_WAIT, float(2 ** min(failures - 1, 10))) if failures else 0.0


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
        rate = Rate(robot.per_minute)
        sent = [at / 1000 for at in outbox.sendings(robot.name)]
        self._budget = Budget.full(rate, sent[0] if sent else clock())
        for at in sent:
            self._budget = self._budget.spend(at)

    def wake(self) -> None:
        """Have a look at the outbox."""
        self._woken.set()

    async def run(self, session: aiohttp.ClientSession) -> None:
        """Deliver for ever; a cancellation ends it."""
        while True:
            self._woken.clear()
            wait = await self.step(session)
            if wait > 0:
                await self._rest(wait)

    async def step(self, session: aiohttp.ClientSession) -> float:
        """Send one message if one may be sent now; return the seconds until it is worth another step (or `wake`)."""
        now = self._clock()
        name = self._robot.name
        due = self._outbox.next_due_ms(name)
        if due is None or due > now * 1000:
            return _LOOK_ANYWAY if due is None else min(_LOOK_ANYWAY, due / 1000 - now)
        wait = max(self._budget.wait(now), self._paused(now))
        if wait > 0:
            return wait
        message = self._outbox.open_message(name) or self._compose(now)
        if message is not None:
            await self._deliver(message, session, now)
        return 0.0

    def _compose(self, now: float) -> RobotMessage | None:
        waiting = self._outbox.waiting(self._robot.name, int(now * 1000))[: MOST_NOTICES.get(self._robot.type)]
        return compose(waiting, message=uuid.uuid4().hex, messages=self._budget.messages(now))

    def _paused(self, now: float) -> float:
        """Return the seconds for which the robot is to be left alone; a clock that was set back ends that."""
        since = now - self._failed_at
        return self._pause - since if since >= 0 else 0.0

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    async def _deliver(self, message: RobotMessage, session: aiohttp.ClientSession, now: float) -> None:
        folded = [each.notice for each in message.folded]
        most = MOST_BYTES[self._robot.type]
        text = self._wording.text(message.head.notice, folded, most_bytes=most, doubtful=message.doubtful)
        posted = request(self._robot, message, text, int(now * 1000))
        self._outbox.sending(self._robot.name, message, int(now * 1000))
        self._budget = self._budget.spend(now)
        verdict = await _post(session, self._robot, posted)
        self._note(message, verdict)

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
