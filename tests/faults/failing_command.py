"""Runs the command `gatepulse` with a planted defect: all access to the store fails, with values in the errors.

That is: in arguments, causes, notes and groups of errors, in warnings, destructors, threads, tasks and log messages.
"""

import asyncio
import gc
import logging
import threading
import warnings
from typing import Any, Final, NoReturn

import msgspec
from pydantic import BaseModel, ValidationError

from infra.cli.main import main
from sinks.clickhouse import ClickHouseReader, ClickHouseSink

VALUE: Final = "canary-of-the-defect"


class _Typed(BaseModel):
    number: int


class _Struct(msgspec.Struct, forbid_unknown_fields=True):
    number: int


class _Dying:
    def __del__(self) -> None:
        raise ValueError(VALUE)


def _raise() -> NoReturn:
    raise KeyError(VALUE)


def _speak() -> None:
    warnings.warn(VALUE, UserWarning, stacklevel=2)
    logging.getLogger("kafka.conn").error("a bad record: %r of %s", VALUE.encode(), [{"value": VALUE.encode()}])
    logging.getLogger("faust.agents").error("%d: no number", ValueError(VALUE))
    logging.getLogger("kafka.conn").debug("received %s", VALUE)
    _Dying()
    thread = threading.Thread(target=_raise)
    thread.start()
    thread.join()
    threading.Thread(target=_leave_a_task_alone).start()


def _leave_a_task_alone() -> None:
    async def left() -> None:
        task = asyncio.ensure_future(asyncio.to_thread(_raise))
        await asyncio.sleep(0.05)
        del task
        gc.collect()

    asyncio.run(left())


def fail(*_: Any, **__: Any) -> NoReturn:
    """Fail as badly as possible."""
    _speak()
    errors: list[Exception] = []
    for read in (
        lambda: _Typed.model_validate({"number": VALUE}),
        lambda: msgspec.json.decode(f'{{"{VALUE}": 1}}', type=_Struct),
        lambda: int(VALUE),
    ):
        try:
            read()
        except (ValidationError, msgspec.ValidationError, ValueError) as error:
            error.add_note(VALUE)
            errors.append(error)
    raise RuntimeError(VALUE, {"value": VALUE}) from ExceptionGroup(VALUE, errors)


if __name__ == "__main__":
    for kind, name in ((ClickHouseReader, "query"), (ClickHouseReader, "columns"), (ClickHouseSink, "write")):
        setattr(kind, name, fail)
    main()
