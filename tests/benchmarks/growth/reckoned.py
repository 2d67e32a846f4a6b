"""Writes out in words the calculation of what a city needs; next: `page.py`. Pure."""

import math
from collections.abc import Sequence

from tests.benchmarks.growth.chain import Passed
from tests.benchmarks.growth.reckoning import BUSIEST_HOUR, USED, Demand, Needs, needs
from tests.benchmarks.growth.tables import bytes_a_passage, table

CITIES = (1, 10)
_KEPT_UP = 3.0
"""Seconds after the last passage within which all is stored, if a chain keeps up."""


class NothingMeasuredError(ValueError):
    """There is no measurement to reckon from; the message says which one is missing."""


def largest_live(results: Sequence[Passed]) -> Passed:
    """Return the live pass of the largest site. Raises NothingMeasuredError."""
    live = [each for each in results if each.asked.kind == "live"]
    if not live:
        raise NothingMeasuredError("chain: no live pass was measured; run `python -m tests.benchmarks.growth chain`")
    return max(live, key=lambda each: (each.asked.entrances, each.asked.devices, each.asked.rate))


def backlog_a_core(results: Sequence[Passed]) -> float:
    """Return the passages a second that a worker's core reads of a backlog: the worst of the passes with one worker."""
    alone = [each for each in results if each.asked.kind == "backlog" and each.asked.workers == 1]
    if not alone:
        raise NothingMeasuredError("chain: no backlog of one worker was measured")
    return min(each.rate / max(each.cores["workers"], 0.01) for each in alone)


def reckoned(results: Sequence[Passed]) -> str:
    """Write what one city and ten need, and how it was reckoned. Raises NothingMeasuredError."""
    city, core = largest_live(results), backlog_a_core(results)
    demands = [Demand(cities) for cities in CITIES]
    busy, disk = city.cores["workers"] / city.rate, bytes_a_passage(city)
    found = [needs(each, backlog_a_core=core, busy_a_second=busy, disk_a_passage=disk) for each in demands]
    return "\n".join(
        [
            _measured(city, core),
            "",
            *_steps(demands[0], found[0], busy=busy, disk=disk),
            "",
            table(
                ("cities", "passages a day", "mean/s", "busiest hour/s", "workers' cores busy", "cores to plan",
                 "disk a day", "disk in 30 days", "an hour's outage is caught up in"),
                (_row(demand, need) for demand, need in zip(demands, found, strict=True)),
            ),
        ]
    )  # fmt: skip


def _measured(city: Passed, core: float) -> str:
    asked, cores, behind = city.asked, city.cores, city.behind or 0.0
    verdict = "it kept up" if behind <= _KEPT_UP else "**it did not keep up here**, so the cores below are too few"
    return (
        f"Measured: a worker's core processes a backlog at {core:,.0f} passages a second (the worst of the passes "
        f"with one worker). Live, {asked.entrances:,} entrances and {asked.devices:,} devices with {city.rate:,.0f} "
        f"passages a second kept {cores['workers']:.2f} cores of workers busy, {cores['ClickHouse']:.2f} of ClickHouse "
        f"and {cores['Kafka']:.2f} of Kafka; all was stored {behind:.1f} s after the last: {verdict}."
    )


def _steps(demand: Demand, need: Needs, *, busy: float, disk: float) -> list[str]:
    day, peak = f"{demand.a_day:,}", f"{demand.peak:,.0f}"
    hour = f"{day} × {BUSIEST_HOUR} ÷ 3,600 s = {peak} a second"
    cores = f"{peak} a second × {busy * 1000:.2f} ÷ 1,000 = {need.cores:.2f} cores busy"
    return [
        f"- Mean: {day} a day ÷ 86,400 s = {demand.mean:,.0f} a second.",
        f"- Busiest hour, {BUSIEST_HOUR:.0%} of the day (assumed): {hour}.",
        f"- Workers, {busy * 1000:.2f} cores for each 1,000 a second (measured above): {cores}.",
        f"- Planned with at most {USED:.0%} of a core in use: {need.cores:.2f} ÷ {USED}, rounded up: {need.planned}.",
        f"- Disk: {day} × {disk:.0f} bytes = {need.disk / 1e9:.1f} GB a day.",
    ]


def _row(demand: Demand, need: Needs) -> list[str]:
    made_up = "never" if math.isinf(need.catching_up) else f"{need.catching_up / 60:.0f} min"
    return [
        f"{demand.cities}", f"{demand.a_day:,}", f"{demand.mean:,.0f}", f"{demand.peak:,.0f}", f"{need.cores:.1f}",
        f"{need.planned}", f"{need.disk / 1e9:,.1f} GB", f"{need.disk * 30 / 1e9:,.0f} GB", made_up,
    ]  # fmt: skip
