"""What the processes say: one JSON object a line on stderr, which a supervisor puts into a file."""

import logging
import sys
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


def keep_kafka_quiet(file: Path) -> None:
    """Let kafka-python write into a file, and no other: while a broker goes down it says so dozens of times."""
    file.parent.mkdir(parents=True, exist_ok=True)
    log = logging.getLogger("kafka")
    log.propagate = False
    for handler in log.handlers:
        handler.close()
    log.handlers = [logging.FileHandler(file, delay=True)]
