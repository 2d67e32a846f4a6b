"""The simulated network between a process and a server: delay, lost replies, requests that outlive their sender."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.histories.clock import Process, VirtualLoop, owner, settle

_TIMEOUT: Final = 0.6
_AT_ONCE: Final = 0.7
"""So many replies take no time."""
_GONE_WITH_SENDER, _LONG_UNDER_WAY = 0.4, 0.6
"""Of requests under way when their sender ends: up to the first are lost, up to the second come seconds later."""


class ViolationError(BaseException):
    """Something that must never be was seen; not an Exception, so that no code under test can catch it."""


class LostReplyError(Exception):
    """The request may have been done or not: no reply came."""


@dataclass(slots=True)
class Server:
    """A server's health. `patient`: its clients wait and send again by themselves, as Kafka's do.

    lives: requests that were sent to an earlier one never arrive.
    """

    patient: bool
    latency: float = 0.01
    lives: int = 1
    away_until: float = 0.0
    replies_to_lose: int = 0


class Network:
    """Carries requests; draws how long they take from a seed."""

    def __init__(self, loop: VirtualLoop, order: random.Random) -> None:
        self.loop, self._order = loop, order

    async def call(self, server: Server, effect: Callable[[], Any]) -> Any:
        """Let a server do something, and return its answer."""
        sender = owner()
        future = self.loop.create_future()
        if sender is None or sender.alive:
            self._later(server.latency, self._arrive, server, server.lives, effect, future, sender)
        return await future

    def _later(self, about: float, callback: Callable[..., object], *args: Any) -> None:
        self.loop.later(about * (0.5 + self._order.random()), callback, *args)

    def _arrive(
        self,
        server: Server,
        life: int,
        effect: Callable[[], Any],
        future: asyncio.Future[Any],
        sender: Process | None,
    ) -> None:
        if life != server.lives:
            settle(future, None, LostReplyError())
            return
        if sender is not None and not sender.alive:
            fate = self._order.random()
            if fate < _GONE_WITH_SENDER:
                return
            if fate < _LONG_UNDER_WAY:
                self._later(5.0, self._do_late, server, life, effect)
                return
        away = server.away_until - self.loop.time()
        if away > 0:
            if server.patient:
                self._later(away + 0.05, self._arrive, server, life, effect, future, sender)
            else:
                self._later(server.latency, settle, future, None, LostReplyError())
            return
        lost = server.replies_to_lose > 0
        answer, error = self._do(effect)
        if not lost:
            if self._order.random() < _AT_ONCE:
                settle(future, answer, error)
            else:
                self._later(server.latency, settle, future, answer, error)
            return
        server.replies_to_lose -= 1
        if server.patient:
            self._later(_TIMEOUT, self._arrive, server, life, effect, future, sender)
        else:
            self._later(_TIMEOUT, settle, future, None, LostReplyError())

    def _do_late(self, server: Server, life: int, effect: Callable[[], Any]) -> None:
        if life == server.lives:
            self._do(effect)

    @staticmethod
    def _do(effect: Callable[[], Any]) -> tuple[Any, Exception | None]:
        try:
            return effect(), None
        except Exception as error:  # noqa: BLE001  # the server's answer
            return None, error
