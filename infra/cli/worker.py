"""The command `gatepulse worker`; the worker is `streams/worker`."""

from streams.settings import load_settings
from streams.worker.main import run


def worker() -> None:
    """Run one worker: read Kafka, write counts into the store, until it is stopped."""
    run(load_settings())
