"""Sends operators' commands to the alarms without ever holding up the wall. Read next: `desk.py`.

Kafka's client blocks, for minutes if the brokers are away. So it works on a thread that nobody waits for at the end of
the process, one command at a time, and the operator is told when there is no answer in time.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import structlog

from dashboards.wall.model.acknowledgement import Refused
from streams.kernels.alarms.inputs import Command
from streams.logging import loggable_text
from streams.text import Text

log = structlog.get_logger(__name__)

SendCommand = Callable[[Command], None]
"""Hand a command to the brokers and return once they have it; blocks, and raises whatever went wrong."""

PATIENCE_S = 20.0

_NOT_SENT = Text(
    "未确认：消息系统（Kafka）没有接收；请检查 Kafka 是否运行，然后重试",
    "not acknowledged: Kafka did not take it; see whether Kafka runs, then try again",
)
_NO_ANSWER = Text(
    f"消息系统（Kafka）{PATIENCE_S:g} 秒内无应答，确认可能稍后生效；请检查 Kafka，并看报警状态是否改变",
    f"no answer from Kafka within {PATIENCE_S:g} s: it may still take effect; see whether Kafka runs, and whether the "
    "alarm changes",
)
_BUSY = Text(
    "未确认：上一条确认仍在发送；请检查 Kafka 是否运行，然后重试",
    "not acknowledged: the one before is still being sent; see whether Kafka runs, then try again",
)


class Sending:
    """Sends one command after the other, and waits `patience_s` for each."""

    def __init__(self, send: SendCommand, *, patience_s: float = PATIENCE_S) -> None:
        self._send = send
        self._patience_s = patience_s
        self._one_at_a_time = asyncio.Lock()

    async def command(self, command: Command) -> None:
        """Return once the brokers have it. Raises Refused (503 not sent, 504 no answer in time)."""
        try:
            await asyncio.wait_for(self._one_at_a_time.acquire(), self._patience_s)
        except TimeoutError:
            raise Refused(503, _BUSY, retry_after_s=round(self._patience_s)) from None
        answer = self._started(command)
        answer.add_done_callback(self._done)
        try:
            await asyncio.wait_for(asyncio.shield(answer), self._patience_s)
        except TimeoutError:
            raise Refused(504, _NO_ANSWER) from None
        except Exception as error:
            raise Refused(503, _NOT_SENT) from error

    def _started(self, command: Command) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()

        def settle(error: Exception | None) -> None:
            answer.set_result(None) if error is None else answer.set_exception(error)

        def run() -> None:
            failure = None
            try:
                self._send(command)
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
                failure = error
            with contextlib.suppress(RuntimeError):  # the wall has ended meanwhile
                loop.call_soon_threadsafe(settle, failure)

        threading.Thread(target=run, name="wall-acknowledge", daemon=True).start()
        return answer

    def _done(self, answer: asyncio.Future[None]) -> None:
        self._one_at_a_time.release()
        error = None if answer.cancelled() else answer.exception()
        if error is not None:
            log.error("wall_acknowledgement_not_sent", error=loggable_text(error), kind=type(error).__name__)
