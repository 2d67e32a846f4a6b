"""Which acknowledgements of alarms are accepted, and which are refused for what reason."""

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from dashboards.wall.http.acknowledge import (
    PER_MINUTE,
    AcknowledgeRequest,
    CommandSender,
    RateLimit,
    check_change,
    check_fresh,
    parse_request,
)
from dashboards.wall.http.origin import check_origin, is_loopback, may_acknowledge
from dashboards.wall.model.figures import WallSnapshot
from dashboards.wall.model.refusal import RequestRefused
from dashboards.wall.model.rows import ChangeRow
from infra.servers.broker import PROTOCOL
from streams.kernels.alarms.inputs import Command
from streams.operations.alarm_commands import send
from streams.settings import KafkaSettings
from tests.support.wall_site import NOON, alarm_log, log, reading, snapshot

REQUEST = AcknowledgeRequest("e", 2, "Li Si")


def refused(call: Callable[[], object]) -> RequestRefused:
    with pytest.raises(RequestRefused) as caught:
        call()
    assert caught.value.reason.zh
    assert caught.value.reason.en
    return caught.value


# What is asked for.


def test_a_request_names_episode_change_and_operator() -> None:
    assert parse_request(b'{"episode":"e","change":2,"actor":"  Li Si "}') == REQUEST


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"episode":"e","change":2}', b'{"episode":"","change":2,"actor":"a"}',
        b'{"episode":"e","change":0,"actor":"a"}', b'{"episode":"e","change":2,"actor":"a","x":1}', b"\xff",
        b'{"episode":"e","change":"2","actor":"a"}',
    ],
)  # fmt: skip
def test_a_request_that_does_not_fit_is_told_so(body: bytes) -> None:
    assert refused(lambda: parse_request(body)).status == 400


@given(st.text(max_size=80))
def test_a_name_is_taken_exactly_if_it_has_1_to_64_printable_characters(actor: str) -> None:
    body = msgspec.json.encode({"episode": "e", "change": 2, "actor": actor})
    name = actor.strip()
    if 1 <= len(name) <= 64 and name.isprintable():
        assert parse_request(body).actor == name
    else:
        assert "1 to 64 printable characters" in refused(lambda: parse_request(body)).reason.en


# What was seen is what is acknowledged.


def row(change: int, level: str = "orange", state: str = "raised", actor: str = "") -> ChangeRow:
    return ChangeRow(change, level, state, actor)


def test_the_newest_change_can_be_acknowledged() -> None:
    check_change(REQUEST, [row(1, "yellow"), row(2)])


def test_so_can_an_older_one_if_it_has_not_become_worse() -> None:
    check_change(REQUEST, [row(1), row(2), row(3, "yellow"), row(4, "orange")])


@pytest.mark.parametrize("later", [[row(3, "red")], [row(3, "red"), row(4, "yellow")]])
def test_one_that_was_worse_since_is_refused(later: list[ChangeRow]) -> None:
    found = refused(lambda: check_change(REQUEST, [row(1), row(2), *later]))
    assert (found.status, found.reason.en) == (
        409,
        "not acknowledged: it has become RED meanwhile; look at it, then press Enter again",
    )


def test_one_that_was_cleared_is_taken_although_it_names_its_worst_level() -> None:
    check_change(REQUEST, [row(1, "red"), row(2), row(3, "red", "cleared-unacknowledged")])


@pytest.mark.parametrize("changes", [[], [row(1)], [row(3), row(4)]])
def test_an_episode_or_a_change_that_is_not_known_is_refused(changes: list[ChangeRow]) -> None:
    found = refused(lambda: check_change(REQUEST, changes))
    assert (found.status, "not known" in found.reason.en) == (409, True)


@pytest.mark.parametrize("state", ["acknowledged", "cleared"])
def test_who_has_acknowledged_it_already_is_named(state: str) -> None:
    found = refused(lambda: check_change(REQUEST, [row(2), row(3, state=state, actor="Zhang San")]))
    assert (found.status, "Zhang San" in found.reason.zh, "Zhang San" in found.reason.en) == (409, True, True)


@pytest.mark.parametrize(
    "now",
    [
        msgspec.structs.replace(snapshot(), store="lost"),
        snapshot(reading(logs=[log(NOON - 9000), alarm_log(NOON)])),
        snapshot(reading(logs=[log(NOON), alarm_log(NOON - 9000)])),
        snapshot(reading(episodes=None)),
    ],
)
def test_while_the_wall_cannot_know_what_is_true_nothing_is_acknowledged(now: WallSnapshot) -> None:
    assert refused(lambda: check_fresh(now)).status == 503


def test_while_it_can_it_is() -> None:
    check_fresh(snapshot())


# How many.


def test_a_key_that_sticks_is_slowed_down_and_told_when_to_go_on() -> None:
    rate = RateLimit()
    for n in range(PER_MINUTE):
        rate.admit(100.0 + n)
    found = refused(lambda: rate.admit(110.0))
    assert (found.status, found.retry_after_s) == (429, 51)
    refused(lambda: rate.admit(159.9))
    rate.admit(160.1)
    refused(lambda: rate.admit(160.2))


@given(st.lists(st.floats(0, 30), max_size=60))
def test_no_minute_has_more_than_it_may(pauses: list[float]) -> None:
    rate, at, taken = RateLimit(3), 0.0, []
    for pause in pauses:
        at += pause
        try:
            rate.admit(at)
        except RequestRefused:
            continue
        taken.append(at)
    assert all(late - early >= 60 for early, late in zip(taken, taken[3:], strict=False))


# From where.

OURS = {"host": "127.0.0.1:8080", "origin": "http://127.0.0.1:8080", "content-type": "application/json"}


def asked_from(**headers: str) -> None:
    """Ask a wall that listens on loopback."""
    check_origin(Headers(OURS | {name.replace("_", "-"): value for name, value in headers.items()}), "127.0.0.1")


def test_the_walls_own_page_is_let_in() -> None:
    asked_from()
    asked_from(sec_fetch_site="same-origin", content_type="application/json; charset=utf-8")
    asked_from(host="localhost:8080", origin="http://LOCALHOST:8080")


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://["}, 403),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "none"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"content_type": ""}, 415),
        ({"host": "evil.example:8080", "origin": "http://evil.example:8080"}, 421),
        ({"host": "127.0.0.1.evil.example", "origin": "http://127.0.0.1.evil.example"}, 421),
        ({"host": "", "origin": ""}, 421),
        ({"host": "[", "origin": "http://["}, 421),
        ({"host": "192.168.1.5:8080", "origin": "http://192.168.1.5:8080"}, 421),
    ],
)
def test_other_sites_and_borrowed_names_are_not(wrong: dict[str, str], status: int) -> None:
    assert refused(lambda: asked_from(**wrong)).status == status


def test_a_wall_that_listens_on_a_name_answers_to_it() -> None:
    check_origin(Headers(OURS | {"host": "wall.lan", "origin": "https://wall.lan"}), "wall.lan")


def test_a_wall_that_listens_everywhere_answers_to_addresses_but_to_no_other_name() -> None:
    check_origin(Headers(OURS | {"host": "192.168.1.5:8080", "origin": "http://192.168.1.5:8080"}), "0.0.0.0")  # noqa: S104 - compared
    found = refused(
        lambda: check_origin(Headers(OURS | {"host": "evil.example", "origin": "http://evil.example"}), "::")
    )
    assert found.status == 421


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),  # noqa: S104 - compared
        ("::", False), ("192.168.1.5", False), ("wall.lan", False),
    ],
)  # fmt: skip
def test_by_default_only_this_machine_may_acknowledge(host: str, alone: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert is_loopback(host) is alone
    assert may_acknowledge("auto", host) is alone
    assert may_acknowledge("on", host)
    assert not may_acknowledge("off", host)


# CommandSender.


def command(name: str = "a") -> Command:
    return Command(name, "ack", "e", "Li Si", NOON)


async def status_of(sending: CommandSender, name: str = "a") -> int:
    try:
        await sending.send(command(name))
    except RequestRefused as refusal:
        return refusal.status
    return 202


def test_a_command_is_sent_once() -> None:
    sent: list[Command] = []
    asyncio.run(CommandSender(sent.append).send(command()))
    assert sent == [command()]


def test_brokers_that_refuse_are_told_to_the_operator() -> None:
    def fail(_: Command) -> None:
        raise ConnectionError("no broker")

    assert asyncio.run(status_of(CommandSender(fail))) == 503


def test_brokers_that_hang_hold_up_nobody_and_the_next_one_waits_its_turn() -> None:
    free, sent = threading.Event(), list[str]()

    def hang(given: Command) -> None:
        free.wait(20)
        sent.append(given.id)

    async def test() -> None:
        sending = CommandSender(hang, patience_s=1.0)
        beats = 0
        first = asyncio.create_task(status_of(sending))
        while not first.done():
            beats += 1
            await asyncio.sleep(0.01)
        assert (await first, await status_of(sending, "b"), beats > 3) == (504, 503, True)
        free.set()
        while not sent:
            await asyncio.sleep(0.01)
        assert await status_of(sending, "c") == 202
        assert sent == ["a", "c"]

    asyncio.run(test())


def test_a_wall_that_ends_does_not_wait_for_brokers_that_are_not_there() -> None:
    nobody = KafkaSettings(brokers="127.0.0.1:1", api_version=".".join(map(str, PROTOCOL)))
    began = time.monotonic()
    assert asyncio.run(status_of(CommandSender(partial(send, nobody), patience_s=0.2))) == 504
    assert time.monotonic() - began < 5
