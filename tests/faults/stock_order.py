"""Runs the worker without its remedies for Faust's order of recovery, to compare with.

It does not stop the flow when it takes its logs up, does not seek before, and reads on where Faust seeks to. The guard
against holes stays. Next: `ordering.py`, which counts how often it is needed.
"""

import typing
from collections.abc import Mapping, Sequence
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

import streams.worker.app
from streams.settings import load_settings
from streams.worker.agents import _starts, take_up_on_assignment
from streams.worker.checkpoint import SnapshotTable
from streams.worker.consumer import CoalescingConsumer, Offsets
from streams.worker.counting import Counting
from streams.worker.main import run
from streams.worker.process_ends import EndProcess
from streams.worker.takeup import TakeUp


class _OnlyAsking:
    """An app whose consumer tells what is committed, and does not seek to it."""

    def __init__(self, app: faust.App) -> None:
        self._app = app
        self.consumer = self

    def __getattr__(self, name: str) -> Any:  # whatever the consumer has
        return getattr(self._app.consumer, name)

    async def seek_to_committed(self) -> Mapping[TP, int | None]:
        consumer: Any = self._app.consumer
        inner = consumer._thread._ensure_consumer()  # Faust has no question without a seek
        return {tp: await consumer._thread.call_thread(inner.committed, tp) for tp in consumer.assignment()}


def take_up_as_faust_does(
    app: faust.App,
    countings: Sequence[tuple[Counting[Any], SnapshotTable]],
    offsets: Offsets,
    take_up: TakeUp,
    *,
    end: EndProcess,
) -> None:
    """Restore every log from its snapshot whenever Faust has recovered its tables, and leave the flow alone."""

    async def restore(*_: object, **__: object) -> None:
        try:
            offsets.restart(await _starts(typing.cast("faust.App", _OnlyAsking(app)), countings, take_up))
        except Exception as error:  # noqa: BLE001  # as in the worker
            end(error)

    app.on_rebalance_complete.connect(restore, weak=False)


if __name__ == "__main__":
    vars(streams.worker.app)[take_up_on_assignment.__name__] = take_up_as_faust_does
    CoalescingConsumer.perform_seek = driver.Consumer.perform_seek  # type: ignore[method-assign]  # Faust's own
    run(load_settings())
