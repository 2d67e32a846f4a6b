"""Puts a trial together: its ledgers, what was due when, and what the watches saw; next: `options.py`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from infra.loadtest import waiting
from infra.loadtest.cause import OTHERS, Bottleneck, Use, find_cause
from infra.loadtest.order import DUE
from simulators.ledger.ledger import read_ledger
from streams.contract.events import KIND_OF_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.loadtest.waiting import Integers, Latency, Place, Samples, Second
    from infra.loadtest.watch import Sample
    from simulators.ledger.ledger import Ledger
    from streams.site.model import Site

_TOPIC_OF: Final = {kind: str(topic) for topic, kind in KIND_OF_TOPIC.items()}


@dataclass(frozen=True, eq=False)
class Delivered:
    """What the broker has of one trial, each passage once; times are ms since 1970 UTC.

    `place` is an index into `places`, -1 where the broker has not told it. `entry` marks persons who entered the site.
    """

    places: tuple[Place, ...]
    due_ms: Integers
    arrived_ms: Integers
    place: Integers
    offset: Integers
    entry: Integers

    @property
    def ends(self) -> dict[Place, int]:
        """Return the next offset of each place behind what was delivered."""
        found = {}
        for number, each in enumerate(self.places):
            offsets = self.offset[self.place == number]
            if len(offsets):
                found[each] = int(offsets.max()) + 1
        return found

    @property
    def entries_due(self) -> Integers:
        """Return when the entries were due, in order."""
        return np.sort(self.due_ms[self.entry.astype(bool)])


@dataclass(frozen=True, eq=False)
class Measured:
    """What came of one trial.

    `rate` is what was delivered, in events a second of the load's time; `sent_late` how long events waited for the
    generators, `stored` and `wall` from when they were due until they were there. `machine_share` is the share of all
    cores that was busy, with our processes or others.
    """

    target: float
    seconds: float
    events: int
    rate: float
    sent_late: Latency | None
    stored: Latency | None
    wall: Latency | None
    course: tuple[Second, ...]
    uses: tuple[Use, ...]
    machine_share: float
    cause: Bottleneck
    drained: bool

    @property
    def most_waiting(self) -> int:
        """Return how many events waited in Kafka at the end of a second, at most."""
        return max((each.waiting for each in self.course), default=0)


def read_delivered(folders: Sequence[Path], ledgers: Sequence[Path], site: Site) -> Delivered:
    """Read what each generator (its folder, its ledger) has delivered. Raises LedgerError."""
    parts = [_one(folder, read_ledger(ledger), site) for folder, ledger in zip(folders, ledgers, strict=True)]
    places = sorted({place for part in parts for place in part.places})
    return Delivered(
        tuple(places),
        np.concatenate([part.due_ms for part in parts]),
        np.concatenate([part.arrived_ms for part in parts]),
        np.concatenate([_renumbered(part, places) for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.concatenate([part.entry for part in parts]),
    )


def _renumbered(part: Delivered, places: Sequence[Place]) -> Integers:
    numbers = np.array([places.index(place) for place in part.places] + [-1], np.int64)
    return numbers[part.place]


def _one(folder: Path, ledger: Ledger, site: Site) -> Delivered:
    """Take the first delivery that the broker has confirmed of each passage."""
    confirmed = np.flatnonzero(ledger.attempts["result"].equal("ok"))
    index = np.asarray(ledger.attempts["index"])[confirmed]
    rows, first = np.unique(index, return_index=True)
    attempts = confirmed[first]
    kinds = ledger.passages["kind"].texts()
    topics = np.array([_TOPIC_OF[kind] for kind in kinds], dtype=object)[rows]
    partition, offset = (np.asarray(ledger.attempts[name])[attempts] for name in ("partition", "offset"))
    arrived = np.asarray(ledger.attempts["arrived_ms"])[attempts]
    places = sorted(set(zip(topics.tolist(), partition.tolist(), strict=True)))
    numbers = {each: number if each[1] >= 0 else -1 for number, each in enumerate(places)}
    place = np.array([numbers[each] for each in zip(topics.tolist(), partition.tolist(), strict=True)], np.int64)
    # What was still on its way at the end was sent before its time: then it was due when it was sent.
    due = np.minimum(_due(folder / DUE, ledger)[rows], arrived)
    return Delivered(tuple(places), due, arrived, place, offset, is_entry(ledger, site)[rows])


def _due(file: Path, ledger: Ledger) -> Integers:
    """Return when each passage of a ledger was due, as its generator has written it down before it began."""
    with np.load(file) as kept:
        device, seq, due_ms = kept["device"], kept["seq"], kept["due_ms"]
    names, code = np.unique(device, return_inverse=True)
    labels = ledger.passages["device"]
    codes = labels.each(lambda word: int(np.searchsorted(names, word)), np.int64)
    highest = int(seq.max(initial=0)) + 1
    keys = code * highest + seq
    order = np.argsort(keys)
    found: Integers = due_ms[order][np.searchsorted(keys[order], codes * highest + np.asarray(ledger.passages["seq"]))]
    return found


def is_entry(ledger: Ledger, site: Site) -> Integers:
    """Return 1 for each passage of a ledger with which a person entered over the site's boundary, else 0."""
    gates = {each.id for each in site.entrances if each.boundary and each.kind == "person"}
    wanted = {"direction": {"in"}, "outcome": {"passed"}, "entrance": gates}
    flags = [ledger.passages[name].each(some.__contains__, bool) for name, some in wanted.items()]
    entered: Integers = np.all(flags, axis=0).astype(np.int64)
    return entered


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the watches saw: the logs, the wall (None: it cannot be told) with the entries before, and processes.

    `held_back`: the generators waited for the workers, so that it is not their fault when they send late.
    """

    logs: Mapping[Place, Samples]
    wall: Samples | None
    entries_before: int
    samples: Mapping[tuple[str, int], Sequence[Sample]]
    machine: Sequence[Sample]
    cores: int
    held_back: bool = False


def measure(
    delivered: Delivered,
    seen: Seen,
    *,
    begins_ms: int,
    target: float,
    ceiling: float,
    seconds: float,
    drained: bool,
) -> Measured:
    """Work out what one trial came to: `seconds` at `target` events a second (in its busiest phase).

    `ceiling` is how many events a second the generators can send.
    """
    stored_ms = waiting.stored_at(delivered.places, delivered.place, delivered.offset, seen.logs)
    sent_late = waiting.waits(delivered.due_ms, delivered.arrived_ms)
    ends_ms = int(max(delivered.arrived_ms.max(initial=0), begins_ms + seconds * 1000))
    busy = _cores(_between(seen.machine, begins_ms, ends_ms))
    found = uses(seen.samples, busy, begins_ms, ends_ms)
    events = len(delivered.due_ms)
    return Measured(
        target=target,
        seconds=seconds,
        events=events,
        rate=events * 1000 / max(ends_ms - begins_ms, 1),
        sent_late=sent_late,
        stored=waiting.waits(delivered.due_ms, stored_ms),
        wall=_on_the_wall(delivered, seen),
        course=waiting.by_second(delivered.due_ms, delivered.arrived_ms, stored_ms, begins_ms=begins_ms),
        uses=found,
        machine_share=busy / seen.cores,
        cause=find_cause(
            found,
            machine_share=busy / seen.cores,
            sent_late_ms=sent_late.p99 if sent_late and not seen.held_back else None,
            target=target,
            ceiling=ceiling,
        ),
        drained=drained,
    )


def reached(due_ms: Integers, arrived_ms: Integers) -> float:
    """Return how many events a second came to the broker, of many that were due at once, until the last was there."""
    return len(due_ms) * 1000 / max(float(arrived_ms.max() - due_ms.min()), 1.0)


def _on_the_wall(delivered: Delivered, seen: Seen) -> Latency | None:
    if seen.wall is None:
        return None
    due = delivered.entries_due
    return waiting.waits(due, waiting.shown_at(len(due), seen.entries_before, seen.wall))


def uses(
    samples: Mapping[tuple[str, int], Sequence[Sample]], busy: float, begins_ms: int, ends_ms: int
) -> tuple[Use, ...]:
    """Return what each process used between two moments, the busiest first; last, the rest of `busy` cores."""
    found = [
        _use(name, some)
        for (name, _), taken in samples.items()
        if len(some := _between(taken, begins_ms, ends_ms)) >= 2
    ]
    others = max(0.0, busy - sum(use.cores for use in found))
    return (*sorted(found, key=lambda use: -use.cores), Use(OTHERS, others, others, 0))


def _use(name: str, taken: Sequence[Sample]) -> Use:
    busiest = max(_cores(pair) for pair in itertools.pairwise(taken))
    return Use(name, _cores(taken), busiest, max(each.memory_mb for each in taken))


def _between(samples: Sequence[Sample], begins_ms: int, ends_ms: int) -> Sequence[Sample]:
    return [each for each in samples if begins_ms <= each.at_ms <= ends_ms]


def _cores(samples: Sequence[Sample]) -> float:
    """Return how many cores were busy on average between the first and the last sample."""
    if len(samples) < 2:
        return 0.0
    first, last = samples[0], samples[-1]
    return (last.cpu_seconds - first.cpu_seconds) * 1000 / max(last.at_ms - first.at_ms, 1)
