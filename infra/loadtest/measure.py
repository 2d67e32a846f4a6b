"""Computes the figures of a trial from its ledgers, its schedule and the samples; next: `options.py`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from infra.loadtest import latency
from infra.loadtest.assignment import DUE
from infra.loadtest.bottleneck import OTHERS, Bottleneck, Use, find_bottleneck
from simulators.ledger.ledger import read_ledger
from streams.contract.events import KIND_OF_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.loadtest.latency import Integers, Latency, Place, Samples, Second
    from infra.loadtest.sampling import Sample
    from simulators.ledger.ledger import Ledger
    from streams.site.model import Site

_TOPIC_OF: Final = {kind: str(topic) for topic, kind in KIND_OF_TOPIC.items()}


@dataclass(frozen=True, eq=False)
class SentEvents:
    """What the broker has of one trial, each passage once; times are ms since 1970 UTC.

    `place` is an index into `places`, -1 where the broker has not confirmed it. `entry` marks persons who entered.
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
class TrialFigures:
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


def read_delivered(folders: Sequence[Path], ledgers: Sequence[Path], site: Site) -> SentEvents:
    """Read what each generator (its folder, its ledger) has delivered. Raises LedgerError."""
    parts = [_one(folder, read_ledger(ledger), site) for folder, ledger in zip(folders, ledgers, strict=True)]
    places = sorted({place for part in parts for place in part.places})
    return SentEvents(
        tuple(places),
        np.concatenate([part.due_ms for part in parts]),
        np.concatenate([part.arrived_ms for part in parts]),
        np.concatenate([_renumbered(part, places) for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.concatenate([part.entry for part in parts]),
    )


def _renumbered(part: SentEvents, places: Sequence[Place]) -> Integers:
    numbers = np.array([places.index(place) for place in part.places] + [-1], np.int64)
    return numbers[part.place]


def _one(folder: Path, ledger: Ledger, site: Site) -> SentEvents:
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
    return SentEvents(tuple(places), due, arrived, place, offset, is_entry(ledger, site)[rows])


def _due(file: Path, ledger: Ledger) -> Integers:
    """Return when each passage of a ledger was due, as its generator has written it down before it began."""
    with np.load(file) as saved:
        device, seq, due_ms = saved["device"], saved["seq"], saved["due_ms"]
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
class Observations:
    """What was sampled: the logs, the wall (None: not known) with the entries before, and processes.

    `throttled`: the generators waited for the workers, so that it is not their fault when they send late.
    """

    logs: Mapping[Place, Samples]
    wall: Samples | None
    entries_before: int
    samples: Mapping[tuple[str, int], Sequence[Sample]]
    machine: Sequence[Sample]
    cores: int
    throttled: bool = False


def measure(
    delivered: SentEvents,
    seen: Observations,
    *,
    begins_ms: int,
    target: float,
    ceiling: float,
    seconds: float,
    drained: bool,
) -> TrialFigures:
    """Work out what one trial came to: `seconds` at `target` events a second (in its busiest phase).

    `ceiling` is how many events a second the generators can send.
    """
    stored_ms = latency.stored_at(delivered.places, delivered.place, delivered.offset, seen.logs)
    sent_late = latency.latency_of(delivered.due_ms, delivered.arrived_ms)
    ends_ms = int(max(delivered.arrived_ms.max(initial=0), begins_ms + seconds * 1000))
    busy = _cores(_between(seen.machine, begins_ms, ends_ms))
    found = uses(seen.samples, busy, begins_ms, ends_ms)
    events = len(delivered.due_ms)
    return TrialFigures(
        target=target,
        seconds=seconds,
        events=events,
        rate=events * 1000 / max(ends_ms - begins_ms, 1),
        sent_late=sent_late,
        stored=latency.latency_of(delivered.due_ms, stored_ms),
        wall=_on_the_wall(delivered, seen),
        course=latency.by_second(delivered.due_ms, delivered.arrived_ms, stored_ms, begins_ms=begins_ms),
        uses=found,
        machine_share=busy / seen.cores,
        cause=find_bottleneck(
            found,
            machine_share=busy / seen.cores,
            sent_late_ms=sent_late.p99 if sent_late and not seen.throttled else None,
            target=target,
            ceiling=ceiling,
        ),
        drained=drained,
    )


def reached(due_ms: Integers, arrived_ms: Integers) -> float:
    """Return how many events a second came to the broker, of many that were due at once, until the last was there."""
    return len(due_ms) * 1000 / max(float(arrived_ms.max() - due_ms.min()), 1.0)


def _on_the_wall(delivered: SentEvents, seen: Observations) -> Latency | None:
    if seen.wall is None:
        return None
    due = delivered.entries_due
    return latency.latency_of(due, latency.shown_at(len(due), seen.entries_before, seen.wall))


def uses(
    samples: Mapping[tuple[str, int], Sequence[Sample]], busy: float, begins_ms: int, ends_ms: int
) -> tuple[Use, ...]:
    """Return what each process used between two moments, the busiest first; last, the rest of `busy` cores."""
    found = [
        _use(name, some)
        for (name, _), found in samples.items()
        if len(some := _between(found, begins_ms, ends_ms)) >= 2
    ]
    others = max(0.0, busy - sum(use.cores for use in found))
    return (*sorted(found, key=lambda use: -use.cores), Use(OTHERS, others, others, 0))


def _use(name: str, samples: Sequence[Sample]) -> Use:
    busiest = max(_cores(pair) for pair in itertools.pairwise(samples))
    return Use(name, _cores(samples), busiest, max(each.memory_mb for each in samples))


def _between(samples: Sequence[Sample], begins_ms: int, ends_ms: int) -> Sequence[Sample]:
    return [each for each in samples if begins_ms <= each.at_ms <= ends_ms]


def _cores(samples: Sequence[Sample]) -> float:
    """Return how many cores were busy on average between the first and the last sample."""
    if len(samples) < 2:
        return 0.0
    first, last = samples[0], samples[-1]
    return (last.cpu_seconds - first.cpu_seconds) * 1000 / max(last.at_ms - first.at_ms, 1)
