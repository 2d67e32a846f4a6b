"""Configures structured logging: one JSON object a line on stderr, without values of events.

No log shows a value of an event. An error's own words may have one (a decoder quotes what it could not read), and so
may the variables around it: of errors that are not ours a log says the kind and the places in the code, nothing else.
"""

import logging
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import structlog

OURS: Final = frozenset({"streams", "sinks", "dashboards", "simulators", "infra"})
"""Packages whose errors are worded by us, without values of events."""
_BROKERS: Final = frozenset({"aiokafka", "kafka"})
"""Packages whose errors speak of brokers, topics and offsets."""
_TALKATIVE: Final = ("aiokafka", "kafka", "faust", "mode", "clickhouse_driver")
"""Libraries that show what they have in their hands when they log in detail."""
_BEARERS: Final = OURS | {"msgspec"}
"""Packages whose objects bear values of events; a library that has one in its hands may log it."""
_MOST_FRAMES: Final = 50
_LONGEST_CHAIN: Final = 10


def configure_logging(level: str) -> None:
    """Send structured logs, and those of the libraries, to stderr from this level on."""
    logging.setLogRecordFactory(_record)
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True
    )
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelNamesMapping()[level.upper()]))
    # It logs a traceback for every attempt to connect; our own message says the same in one line.
    logging.getLogger("clickhouse_driver.connection").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_errors,
            structlog.processors.ExceptionRenderer(_chain_of),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=_named),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.raiseExceptions = False  # a message that cannot be put together would be shown with all its arguments
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread
    warnings.showwarning = _warned


def loggable_text(error: BaseException) -> str:
    """Return the words of an error that may stand in a log: its own if they are ours, otherwise none."""
    package = type(error).__module__.partition(".")[0]
    if getattr(error, "quotes_events", False):
        return ""
    if package in OURS or package in _BROKERS:
        return str(error)
    if isinstance(error, OSError):
        return error.strerror or ""
    return ""


def traceback_of(error: BaseException) -> str:
    """Write an error and what it came from as text: kinds and places in the code, the newest last."""
    lines = []
    for each in reversed(_chain(error)):
        lines += [f'  File "{file}", line {line}, in {name}' for file, line, name in _places(each.__traceback__)]
        lines.append(_in_words(each))
    return "\n".join(["Traceback (without values):", *lines])


@contextmanager
def kafka_writes_into(file: Path) -> Iterator[None]:
    """Let Kafka's clients write into a file and nowhere else: while a broker is gone they say so dozens of times."""
    file.parent.mkdir(parents=True, exist_ok=True)
    log, handler = logging.getLogger("kafka"), logging.FileHandler(file)
    before = log.handlers, log.propagate
    log.handlers, log.propagate = [handler], False
    try:
        yield
    finally:
        log.handlers, log.propagate = before
        handler.close()


def _chain(error: BaseException) -> list[BaseException]:
    """List an error, what it came from, and the errors of a group."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [error]
    while waiting and len(found) < _LONGEST_CHAIN:
        each = waiting.pop(0)
        if each in found:
            continue
        found.append(each)
        before = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        waiting += [*([before] if before else []), *(each.exceptions if isinstance(each, BaseExceptionGroup) else ())]
    return found


def _places(trace: TracebackType | None) -> list[tuple[str, int, str]]:
    places = [(frame.f_code.co_filename, line, frame.f_code.co_name) for frame, line in traceback.walk_tb(trace)]
    return places[-_MOST_FRAMES:]


def _chain_of(
    exc_info: tuple[type[BaseException], BaseException, TracebackType | None],
) -> list[dict[str, Any]]:
    return [
        {
            "exc_type": type(each).__name__,
            "exc_value": loggable_text(each),
            "frames": [
                {"filename": file, "lineno": line, "name": name} for file, line, name in _places(each.__traceback__)
            ],
        }
        for each in _chain(exc_info[1])
    ]


def _named(value: object) -> str:
    """Write what is no JSON: nothing but its kind."""
    return f"<{type(value).__name__}>"


def _without_errors(_: Any, __: str, event: Any) -> Any:  # noqa: ANN401  # structlog's signature
    """Put what may be said of an error in the place of an error that is given as a figure."""
    return {
        key: value if key == "exc_info" or not isinstance(value, BaseException) else _in_words(value)
        for key, value in event.items()
    }


def _in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {loggable_text(error)}".rstrip(": ")


def _scrubbed(value: Any) -> Any:  # noqa: ANN401  # an argument of a log message
    """Leave errors and bytes out of an argument, however deep they are: records of Kafka come as bytes."""
    if isinstance(value, BaseException):
        return _in_words(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _named(value)
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(map(_scrubbed, value))
    if type(value) is dict:
        return {_scrubbed(key): _scrubbed(each) for key, each in value.items()}
    plain = isinstance(value, (str, int, float)) or type(value).__module__.partition(".")[0] not in _BEARERS
    return value if plain else _named(value)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:  # noqa: ANN401  # logging's own
    """Make a record of the standard library's logging that shows no error's own words, whoever formats it."""
    record = logging.LogRecord(*args, **kwargs)
    record.msg = _scrubbed(record.msg)
    if isinstance(record.args, tuple):
        record.args = tuple(map(_scrubbed, record.args))
    elif isinstance(record.args, Mapping):
        record.args = {key: _scrubbed(value) for key, value in record.args.items()}
    if record.name == "asyncio":
        record.msg = str(record.msg).partition("\n")[0]  # what follows shows tasks with the errors in them
    if record.exc_info and record.exc_info[1] is not None:
        record.exc_text = traceback_of(record.exc_info[1])
        record.exc_info = None
    return record


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    del kind, trace
    sys.stderr.write(traceback_of(error) + "\n")


def _unraisable(args: Any) -> None:  # noqa: ANN401  # sys.UnraisableHookArgs, which is there for type checkers only
    """Write an exception that could not be raised, as in a destructor; not the object."""
    if args.exc_value is not None:
        sys.stderr.write(f"exception ignored: {traceback_of(args.exc_value)}\n")


def _warned(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
) -> None:
    """Say the kind of a warning and where it came up; its words may quote what it is about."""
    del message
    sys.stderr.write(f"{filename}:{lineno}: {category.__name__}\n")


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
        sys.stderr.write(f"in the thread {args.thread.name if args.thread else '?'}: {traceback_of(args.exc_value)}\n")
