"""Computes the figures of a trial from its ledgers, its schedule and the samples; next: `search.py`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import numpy as np

from infra.loadtest import latency
from infra.loadtest.generator import DUE
from infra.loadtest.latency import FIRST_PLACE, Integers
from simulators.ledger.ledger import read_ledger
from streams.contract.events import KIND_OF_TOPIC

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from infra.loadtest.latency import Latency, Samples, Second
    from infra.loadtest.sampling import Sample
    from simulators.ledger.ledger import Ledger
    from simulators.ledger.tables import Flags
    from streams.site.model import Site

HOLDS_BELOW_MS: Final = 1_000
"""A rate holds if 99 of 100 events are stored within this time."""
_FULL: Final = 0.9
"""Share of a core from which a process with one busy thread, or of all cores from which a machine, can do no more."""
_LATE_MS: Final = 500
"""A generator whose events reach the broker later than this after they were due does not put on the load it should."""
_GENERATOR: Final = "generator"
OTHERS: Final = "other programs"
_PLACE_OF: Final = {kind: FIRST_PLACE[topic] for topic, kind in KIND_OF_TOPIC.items()}


class SentEvents(NamedTuple):
    """What the broker has of one trial, each passage once; times are ms since 1970 UTC.

    `place` is as of `latency.FIRST_PLACE`. `entry` marks persons who entered.
    """

    due_ms: Integers
    arrived_ms: Integers
    place: Integers
    offset: Integers
    entry: Flags

    @property
    def ends(self) -> dict[int, int]:
        """Return the next offset of each place behind what was delivered."""
        return {int(each): int(self.offset[self.place == each].max()) + 1 for each in np.unique(self.place)}

    @property
    def entries_due(self) -> Integers:
        """Return when the entries were due, in order."""
        return np.sort(self.due_ms[self.entry])


@dataclass(frozen=True)
class Use:
    """What one process used: `cores` on average and `most_cores` in the busiest second; memory in MB at most."""

    name: str
    cores: float
    most_cores: float
    memory_mb: int


@dataclass(frozen=True)
class Bottleneck:
    """What was at its limit. `name`: the process, if it was one; `users`: who used a full machine most."""

    kind: Literal["generator", "process", "machine", "waiting"]
    name: str = ""
    users: tuple[str, ...] = ()


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

    @property
    def p99_ms(self) -> int | None:
        """Return within how many ms 99 of 100 events were stored; None: not all of them were."""
        return self.stored.p99 if self.stored is not None and not self.stored.unseen else None

    @property
    def held(self) -> bool:
        """Whether all events were stored, 99 of 100 of them in time."""
        return self.p99_ms is not None and self.p99_ms < HOLDS_BELOW_MS


def read_delivered(folders: Sequence[Path], ledgers: Sequence[Path], site: Site) -> SentEvents:
    """Read what each generator (its folder, its ledger) has delivered. Raises LedgerError."""
    parts = [_one(folder, read_ledger(ledger), site) for folder, ledger in zip(folders, ledgers, strict=True)]
    return SentEvents(*map(np.concatenate, zip(*parts, strict=True)))


def _one(folder: Path, ledger: Ledger, site: Site) -> SentEvents:
    """Take the first delivery that the broker has confirmed of each passage."""
    confirmed = np.flatnonzero(ledger.attempts["result"].equal("ok"))
    index = np.asarray(ledger.attempts["index"])[confirmed]
    rows, first = np.unique(index, return_index=True)
    arrived, partition, offset = (
        np.asarray(ledger.attempts[name])[confirmed[first]] for name in ("arrived_ms", "partition", "offset")
    )
    place = ledger.passages["kind"].each(_PLACE_OF.__getitem__, np.int64)[rows] + partition
    # What was still on its way at the end was sent before its time: then it was due when it was sent.
    due = np.minimum(_due(folder / DUE, ledger)[rows], arrived)
    return SentEvents(due, arrived, place, offset, is_entry(ledger, site)[rows])


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


def is_entry(ledger: Ledger, site: Site) -> Flags:
    """Return whether, with each passage of a ledger, a person entered over the site's boundary."""
    gates = {each.id for each in site.entrances if each.boundary and each.kind == "person"}
    wanted = {"direction": {"in"}, "outcome": {"passed"}, "entrance": gates}
    entered: Flags = np.all([ledger.passages[name].each(some.__contains__, bool) for name, some in wanted.items()], 0)
    return entered


@dataclass(frozen=True, kw_only=True)
class Observations:
    """What was sampled: the logs, the wall (no samples: not known) with the entries before, and processes.

    `throttled`: the generators waited for the workers, so that it is not their fault when they send late.
    """

    logs: Mapping[int, Samples]
    wall: Samples
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
    stored_ms = latency.stored_at(delivered.place, delivered.offset, seen.logs)
    entries_due = delivered.entries_due
    shown_ms = latency.shown_at(len(entries_due), seen.entries_before, seen.wall)
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
        wall=latency.latency_of(entries_due, shown_ms),
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


def find_bottleneck(
    uses: Sequence[Use], *, machine_share: float, sent_late_ms: int | None, target: float, ceiling: float
) -> Bottleneck:
    """Return what was at its limit.

    `machine_share` is the share of all cores that was used by whomever; `sent_late_ms` the p99 of the time from when an
    event was due until the broker had it. `target` and `ceiling` are events a second: what the generators were to send,
    and what they can do.
    """
    if target >= _FULL * ceiling:
        return Bottleneck("generator", _GENERATOR)
    ours = [use for use in uses if use.name != OTHERS]
    busiest = max(ours, key=lambda use: use.cores, default=None)
    if busiest is not None and busiest.cores >= _FULL:
        return Bottleneck("generator" if busiest.name.startswith(_GENERATOR) else "process", busiest.name)
    if machine_share >= _FULL:
        most = sorted(uses, key=lambda use: -use.cores)[:3]
        return Bottleneck("machine", users=tuple(f"{use.name} {use.cores:.0%}" for use in most))
    if sent_late_ms is not None and sent_late_ms > _LATE_MS:
        return Bottleneck("generator", _GENERATOR)
    return Bottleneck("waiting")
