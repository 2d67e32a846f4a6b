"""Ledgers, schedules and samples become the figures of a trial."""

from pathlib import Path
from typing import Any

import numpy as np

from infra.loadtest.generator import DUE
from infra.loadtest.latency import FIRST_PLACE, Samples
from infra.loadtest.measure import (
    OTHERS,
    Bottleneck,
    Observations,
    Use,
    find_bottleneck,
    measure,
    reached,
    read_delivered,
    uses,
)
from infra.loadtest.sampling import Sample
from simulators.ledger.ledger import SCHEMAS, LedgerWriter
from streams.site.reader import load_site

EXPO = load_site("expo")
GATE = next(each for each in EXPO.entrances if each.boundary and each.kind == "person")
INNER = next(each for each in EXPO.entrances if not each.boundary and each.kind == "person")
TURNSTILES = FIRST_PLACE["turnstile.passages"]


def passage(device: str, seq: int, **more: Any) -> dict[str, Any]:
    usual: dict[str, Any] = dict.fromkeys(SCHEMAS["passages"].names, "")
    usual |= {"kind": "person", "epoch": 1, "true_ts": 0, "ts": 0, "direction": "in", "outcome": "passed"}
    return usual | {"temperature": float("nan"), "entrance": GATE.id, "device": device, "seq": seq} | more


def write(folder: Path, passages: list[dict[str, Any]], due: dict[tuple[str, int], int], attempts: list[Any]) -> None:
    """Write a generator's folder and ledger; attempts are (passage, result, arrived, partition, offset)."""
    folder.mkdir()
    ledger = LedgerWriter(folder / "ledger", meta={"site": "expo"})
    ledger.passages({name: [each[name] for each in passages] for name in SCHEMAS["passages"].names})
    for row, result, arrived, partition, offset in attempts:
        where = {"arrived_ms": [arrived], "partition": [partition], "offset": [offset]}
        ledger.attempts([row], result, at_ms=arrived, stored=where)
    ledger.close()
    device, seq = zip(*due, strict=True)
    np.savez(folder / DUE, device=np.array(device), seq=np.array(seq), due_ms=np.array([*due.values()]))


def test_the_first_confirmed_delivery_of_each_passage_counts_and_what_was_never_sent_does_not(tmp_path: Path) -> None:
    passages = [passage("L1", 1), passage("L1", 2, entrance=INNER.id), passage("L2", 1, direction="out")]
    due = {("L2", 1): 300, ("L1", 2): 200, ("L1", 1): 100}
    attempts = [
        (0, "info", 105, 1, 0),
        (0, "ok", 110, 1, 7),
        (0, "ok", 500, 1, 9),
        (1, "ok", 210, 2, 4),
        (2, "fail", 1, 0, 0),
    ]
    write(tmp_path / "one", passages, due, attempts)
    found = read_delivered([tmp_path / "one"], [tmp_path / "one" / "ledger"], EXPO)
    assert found.due_ms.tolist() == [100, 200]
    assert found.arrived_ms.tolist() == [110, 210]
    assert found.place.tolist() == [TURNSTILES + 1, TURNSTILES + 2]
    assert found.offset.tolist() == [7, 4]
    assert found.ends == {TURNSTILES + 1: 8, TURNSTILES + 2: 5}
    assert found.entries_due.tolist() == [100]  # the second went from area to area


def test_what_was_sent_before_its_time_at_the_end_of_a_run_was_due_when_it_was_sent(tmp_path: Path) -> None:
    write(tmp_path / "one", [passage("L1", 1)], {("L1", 1): 60_000}, [(0, "ok", 9_000, 0, 0)])
    assert read_delivered([tmp_path / "one"], [tmp_path / "one" / "ledger"], EXPO).due_ms.tolist() == [9_000]


def test_the_parts_of_several_generators_are_put_together(tmp_path: Path) -> None:
    write(tmp_path / "one", [passage("L1", 1)], {("L1", 1): 100}, [(0, "ok", 110, 3, 0)])
    write(tmp_path / "two", [passage("L2", 1)], {("L2", 1): 50}, [(0, "ok", 60, 0, 5)])
    folders = [tmp_path / "one", tmp_path / "two"]
    found = read_delivered(folders, [each / "ledger" for each in folders], EXPO)
    assert found.place.tolist() == [TURNSTILES + 3, TURNSTILES]
    assert found.entries_due.tolist() == [50, 100]


def test_a_trial_is_measured_from_due_to_stored_and_shown(tmp_path: Path) -> None:
    passages = [passage("L1", seq) for seq in (1, 2)]
    write(
        tmp_path / "one",
        passages,
        {("L1", 1): 1_000, ("L1", 2): 1_500},
        [(0, "ok", 1_010, 0, 0), (1, "ok", 1_510, 0, 1)],
    )
    delivered = read_delivered([tmp_path / "one"], [tmp_path / "one" / "ledger"], EXPO)
    worker = [Sample(at, at / 1000 * 0.95, 100 + at // 1000) for at in (1_000, 1_500, 2_000)]
    machine = [Sample(at, at / 1000 * 1.2, 0) for at in (1_000, 1_500, 2_000)]
    seen = Observations(
        logs={TURNSTILES: Samples.of([(1_250, 1), (1_900, 2)])}, wall=Samples.of([(2_000, 11), (3_000, 12)]),
        entries_before=10, samples={("worker-1", 5): worker}, machine=machine, cores=2,
    )  # fmt: skip
    found = measure(delivered, seen, begins_ms=1_000, target=2.0, ceiling=100.0, seconds=1.0, drained=True)
    assert found.stored is not None
    assert found.wall is not None
    assert (found.stored.count, found.stored.max) == (2, 400)
    assert found.wall.max == 1_500
    assert found.rate == 2.0
    assert found.most_waiting == 0
    assert [(use.name, round(use.cores, 2)) for use in found.uses] == [("worker-1", 0.95), ("other programs", 0.25)]
    assert found.cause.name == "worker-1"


def test_processes_are_looked_at_between_two_moments_only() -> None:
    taken = [Sample(0, 0.0, 10), Sample(1_000, 1.0, 20), Sample(2_000, 1.1, 30), Sample(3_000, 1.2, 900)]
    found = uses({("worker-1", 5): taken}, 0.1, 1_000, 2_500)
    assert [(use.name, round(use.cores, 2), use.memory_mb) for use in found] == [
        ("worker-1", 0.1, 30), ("other programs", 0.0, 0),
    ]  # fmt: skip


def test_how_fast_a_burst_was_sent_counts_until_its_last_event_was_at_the_broker() -> None:
    # All due at once. They are put together for 0.4 s and then come in two large batches.
    due, arrived = np.full(1_000, 5_000), np.repeat([5_400, 5_500], 500)
    assert reached(due, arrived) == 2_000


def use(name: str, cores: float) -> Use:
    return Use(name, cores, cores, 100)


def cause(*uses: Use, **more: Any) -> Bottleneck:
    usual = {"machine_share": 0.5, "sent_late_ms": 10, "target": 1_000.0, "ceiling": 10_000.0}
    return find_bottleneck(uses, **(usual | more))


def test_a_process_that_fills_its_core_is_the_limit() -> None:
    assert cause(use("broker", 0.4), use("worker-1", 0.97)) == Bottleneck("process", "worker-1")


def test_a_generator_that_fills_its_core_says_nothing_about_the_system() -> None:
    assert cause(use("generator-2", 0.95), use("worker-1", 0.6)) == Bottleneck("generator", "generator-2")


def test_more_than_the_generators_were_seen_to_send_is_their_limit() -> None:
    assert cause(use("worker-1", 0.3), target=9_500.0).kind == "generator"


def test_a_generator_that_sends_half_a_second_late_is_the_limit() -> None:
    assert cause(use("worker-1", 0.3), sent_late_ms=501).kind == "generator"


def test_a_full_machine_names_who_used_it_most() -> None:
    found = cause(use("broker", 0.3), use("worker-1", 0.8), use("a", 0.1), use(OTHERS, 0.7), machine_share=0.95)
    assert found == Bottleneck("machine", users=("worker-1 80%", f"{OTHERS} 70%", "broker 30%"))


def test_other_programs_are_never_the_process_at_its_limit() -> None:
    assert cause(use(OTHERS, 1.2), use("worker-1", 0.3), machine_share=0.75) == Bottleneck("waiting")


def test_with_room_everywhere_the_time_went_into_waiting() -> None:
    assert cause(use("worker-1", 0.3), sent_late_ms=None) == Bottleneck("waiting")
