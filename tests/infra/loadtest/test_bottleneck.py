"""The process or resource that is named as the bottleneck is the right one."""

from typing import Any

from infra.loadtest.bottleneck import OTHERS, Bottleneck, Use, find_bottleneck


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
