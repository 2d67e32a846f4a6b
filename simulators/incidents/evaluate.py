"""Compares the raised alarms with the expected ones: precision, recall, delay, and their number."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulators.incidents.labelled import INCIDENTS, Expected, Incident, ground
from simulators.incidents.stage import Stage
from simulators.incidents.traffic import Ground
from streams.kernels.alarms.episodes import Episode


@dataclass(frozen=True)
class Judged:
    """One incident: delays (s) of the alarms raised in time, those that were missed, those raised for nothing."""

    incident: Incident
    delays: list[float]
    missed: list[Expected]
    wrong: list[Episode]
    messages: int
    as_told: bool

    @property
    def well(self) -> bool:
        """Whether everything was as it should be."""
        return not self.missed and not self.wrong and self.as_told


@dataclass(frozen=True)
class Evaluation:
    """All incidents."""

    judged: list[Judged]

    @property
    def delays(self) -> list[float]:
        """Seconds from the earliest moment at which it could be raised until each alarm was raised, the right ones."""
        return [delay for each in self.judged for delay in each.delays]

    @property
    def recall(self) -> float:
        """Share of the alarms that should be raised, and were."""
        found = len(self.delays)
        return found / (found + sum(len(each.missed) for each in self.judged))

    @property
    def precision(self) -> float:
        """Share of the alarms that were raised, and should be."""
        found, wrong = len(self.delays), sum(len(each.wrong) for each in self.judged)
        return found / (found + wrong) if found + wrong else 1.0

    @property
    def delay_p99_s(self) -> float:
        """The 99th percentile of `delays`."""
        return float(np.percentile(self.delays, 99))

    @property
    def alarms_per_10min(self) -> float:
        """Messages to operators in ten minutes of incidents, on average."""
        return 10 * sum(each.messages for each in self.judged) / sum(each.incident.minutes for each in self.judged)

    @property
    def well(self) -> bool:
        """Whether every incident was as it should be."""
        return all(each.well for each in self.judged)


def evaluate(progress: Callable[[str], None] = lambda _: None) -> Evaluation:
    """Play every incident and judge it; `progress` is called with the name of the next one."""
    on, judged = ground(), []
    for make in INCIDENTS:
        incident = make(on)
        progress(incident.name)
        judged.append(judge(incident, on))
    return Evaluation(judged)


def judge(incident: Incident, on: Ground) -> Judged:
    """Play one incident and compare."""
    begin = int(incident.traffic.ts[0]) // 1000 * 1000
    until = begin + round(incident.minutes * 60_000)
    changes = Stage(on.site).play(incident.traffic, until=until, inside=incident.inside)
    open_, delays, missed = [each for each in changes if each.change == 1], [], []
    for expected in incident.expected:
        match = next((each for each in open_ if _is(each, expected, begin)), None)
        if match is None:
            missed.append(expected)
        else:
            open_.remove(match)
            delays.append((match.raised_at - begin) / 1000 - expected.due)
    return Judged(incident, delays, missed, open_, len(changes), _as_labelled(incident, changes))


def _is(episode: Episode, expected: Expected, begin: int) -> bool:
    second = (episode.raised_at - begin) / 1000
    same = (episode.rule, episode.subject) == (expected.rule, expected.subject)
    return same and 0 <= second - expected.due <= expected.patience


def _as_labelled(incident: Incident, changes: list[Episode]) -> bool:
    """Whether the first expected alarm went on as it should."""
    if not incident.changes:
        return True
    first = incident.expected[0]
    found = [(each.what, each.level) for each in changes if (each.rule, each.subject) == (first.rule, first.subject)]
    return [each for each in found if each[0] != "repeated"] == list(incident.changes)
