"""What the processes say: one JSON object a line on stderr, which a supervisor puts into a file."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog


def configure_logging(level: str) -> None:
    """Send structured logs, and those of the libraries, to stderr from this level on."""
    logging.basicConfig(
        level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr, force=True
    )
    # It logs a traceback for every attempt to connect; our own message says the same in one line.
    logging.getLogger("clickhouse_driver.connection").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


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
