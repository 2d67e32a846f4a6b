"""Counts records of our own topics that cannot be decoded and are skipped; the first of each topic is logged."""

from collections import Counter
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger()


@dataclass
class Unreadable:
    """How many there were by topic, for this process; any thread may look."""

    counts: Counter[str] = field(default_factory=Counter)

    def note(self, topic: str, error: Exception, *, partition: int = 0) -> None:
        """Count one, and say the first of a topic: kind and place, and nothing of the record."""
        self.counts[topic] += 1
        if self.counts[topic] == 1:
            log.error("a record cannot be read and is passed over", topic=topic, partition=partition, exc_info=error)
