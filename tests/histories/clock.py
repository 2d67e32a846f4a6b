"""An event loop with virtual time and an order drawn from a seed; its processes can be killed at any await."""

import asyncio
import heapq
import random
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

EPOCH_MS: Final = 1_763_600_400_000
"""2025-11-20 09:00:00 in Shanghai: every history begins here."""


def drawing(seed: str) -> random.Random:
    """Return a source of draws."""
    return random.Random(seed)  # noqa: S311  # moments, not secrets


_THREAD_SECONDS: Final = 0.3


def settle(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    """Give an answer to whoever still waits for it."""
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)


_OWNER: ContextVar["Process | None"] = ContextVar("owner", default=None)


class Process:
    """What owns callbacks: it can be paused, and end after so many more of them. `skew_ms`: how wrong its clock is."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self.loop = loop
        loop.processes.append(self)
        self.alive = True
        self.paused = False
        self.steps_left: int | None = None
        self.skew_ms = 0
        self.context = copy_context()
        self.context.run(_OWNER.set, self)
        self.work: list[Coroutine[Any, Any, Any]] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.stash: list[asyncio.Handle] = []

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin a task of this process; what it raises is an error of the history."""
        self.work.append(work)
        self.tasks.append(asyncio.Task(self._guarded(work), loop=self.loop, context=self.context))

    async def _guarded(self, work: Coroutine[Any, Any, Any]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001  # whatever it is must be seen
            self.loop.later(0, fail, error)

    def end(self) -> None:
        """End at once: none of its callbacks runs any more, not even to clean up."""
        self.alive = False
        self.stash.clear()

    def go_on(self) -> None:
        """Go on after a pause, with everything that has become due meanwhile."""
        self.paused = False
        self.loop.ready.extend(self.stash)
        self.stash.clear()

    def close(self) -> None:
        """Let go of tasks that will never run again; whatever they do now reaches nobody."""
        self.end()
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            work = task.get_coro()
            if work is not None:
                work.close()
        for each in self.work:  # what was never begun
            each.close()
        self.tasks.clear()

    def died(self) -> None:
        """Do what others do when it has ended; see Worker."""


def fail(error: BaseException) -> None:
    """Let the whole history fail."""
    raise error


def owner() -> "Process | None":
    """Tell whose callback is running; None: the world's."""
    return _OWNER.get()


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop without input and output. Of the callbacks that are ready any may be next."""

    def __init__(self, order: random.Random) -> None:
        self.ready: list[asyncio.Handle] = []
        self.steps = 0
        self.world = copy_context()
        self._order = order
        self._now = 0.0
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._number = 0
        self.processes: list[Process] = []

    # -- what asyncio asks of a loop -----------------------------------------------------------------------------------

    def time(self) -> float:
        """Return virtual seconds since the history began."""
        return self._now

    def get_debug(self) -> bool:
        """Say no."""
        return False

    def is_running(self) -> bool:
        """Say yes: it is asked by its own callbacks only."""
        return True

    def is_closed(self) -> bool:
        """Say no."""
        return False

    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> asyncio.Task[Any]:
        """Make a task, in the context of whoever makes it."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        mine = owner()
        if mine is not None:
            mine.tasks.append(task)
        return task

    def call_soon(  # type: ignore[override]  # callbacks of any kind
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Make a callback ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call after some virtual seconds."""
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Call at a virtual time."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave a cancelled timer where it is: it is passed over when it is due."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        """Run a function at once, and let its answer take a while, as if a thread had found it out."""
        del executor
        future = self.create_future()
        answer, failed = None, None
        try:
            answer = func(*args)
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            failed = error
        self.later(self._order.random() * _THREAD_SECONDS, settle, future, answer, failed)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Pass over tasks that were pending when their process ended; others raise where they are awaited."""

    # -- running -------------------------------------------------------------------------------------------------------

    def later(self, delay: float, callback: Callable[..., object], *args: Any) -> None:
        """Call from the world, whoever asks: the end of a process does not end what is under way."""
        self.call_at(self._now + delay, callback, *args, context=self.world)

    def run_until(self, when: float) -> None:
        """Run everything that is due up to a virtual time."""
        before = asyncio._get_running_loop()  # public for loops; see its documentation
        asyncio._set_running_loop(self)
        try:
            while self._turn(when):
                pass
        finally:
            asyncio._set_running_loop(before)
        self._now = max(self._now, when)

    def _turn(self, until: float) -> bool:
        """Run one callback; False when nothing more is due."""
        ready = self.ready
        if not ready:
            timers = self._timers
            if not timers or timers[0][0] > until:
                return False
            self._now = max(self._now, timers[0][0])
            while timers and timers[0][0] <= self._now:
                ready.append(heapq.heappop(timers)[2])
        place = int(self._order.random() * len(ready))
        ready[place], ready[-1] = ready[-1], ready[place]
        handle: Any = ready.pop()
        if handle._cancelled:  # what a loop must look at
            return True
        context = handle._context
        mine: Process | None = context.get(_OWNER)
        if mine is not None and not self._may_run(mine, handle):
            return True
        self.steps += 1
        context.run(handle._callback, *handle._args)
        return True

    @staticmethod
    def _may_run(mine: Process, handle: asyncio.Handle) -> bool:
        if not mine.alive:
            return False
        if mine.paused:
            mine.stash.append(handle)
            return False
        if mine.steps_left is not None:
            mine.steps_left -= 1
            if mine.steps_left < 0:
                mine.end()
                mine.died()
                return False
        return True

    def close(self) -> None:
        """Let go of everything without running any of it."""
        for process in self.processes:
            process.close()
        self.ready.clear()
        self._timers.clear()


class VirtualTime:
    """Stands in for the module `time`: virtual seconds, and the wall clock of the process that asks."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def time(self) -> float:
        """Return seconds since 1970 by the clock of the process that asks."""
        mine = owner()
        return (EPOCH_MS + (mine.skew_ms if mine else 0)) / 1000 + self._loop.time()

    def monotonic(self) -> float:
        """Return virtual seconds; long after a machine's start."""
        return 1000.0 + self._loop.time()

    perf_counter = monotonic
