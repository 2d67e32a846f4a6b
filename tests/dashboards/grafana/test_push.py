"""A push puts folder and dashboards into Grafana; a failure is reported in one sentence, without the token."""

from collections.abc import Iterator

import pytest

from dashboards.grafana.files import dashboards_of
from dashboards.grafana.push import PushError, WrongAddressError, push
from infra.process.ports import free_port
from tests.dashboards.grafana.double import Grafana, running
from tests.support.small_site import SITE

TOKEN = "glsa_very-secret-token"  # noqa: S105 - of the double
BOARDS = dashboards_of(SITE)


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with running(TOKEN) as double:
        yield double


def test_dashboards_come_into_a_folder_of_their_own_as_they_were_built(grafana: Grafana) -> None:
    addresses = push(grafana.url, TOKEN, BOARDS)
    assert grafana.folders == {"gatepulse": "闸机实时监测 / gatepulse"}
    assert grafana.dashboards == {board["uid"]: board for board in BOARDS}
    assert addresses == [f"/d/{board['uid']}" for board in BOARDS]


def test_a_second_push_writes_over_the_first_and_leaves_the_folder(grafana: Grafana) -> None:
    push(grafana.url, TOKEN, BOARDS)
    grafana.seen.clear()
    push(grafana.url, TOKEN, [BOARDS[0] | {"title": "new"}])
    assert grafana.dashboards[BOARDS[0]["uid"]]["title"] == "new"
    assert grafana.seen == ["GET /api/folders/gatepulse", "POST /api/dashboards/db"]


def test_a_wrong_token_is_said_and_never_shown(grafana: Grafana) -> None:
    with pytest.raises(PushError, match="does not know the token") as caught:
        push(grafana.url, "glsa_wrong-token", BOARDS)
    assert "glsa_wrong" not in str(caught.value)
    assert grafana.dashboards == {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [((403, "Access denied"), "role Editor"), ((400, "bad JSON"), "bad JSON"), ((500, "boom"), r"\(500\)")],
)
def test_what_grafana_refuses_is_said_with_its_reason(answer: tuple[int, str], said: str, grafana: Grafana) -> None:
    grafana.answer = answer
    with pytest.raises(PushError, match=said) as caught:
        push(grafana.url, TOKEN, BOARDS)
    assert TOKEN not in str(caught.value)


def test_nobody_there_is_one_sentence() -> None:
    with pytest.raises(PushError, match="cannot be reached"):
        push(f"http://127.0.0.1:{free_port()}", TOKEN, BOARDS)


@pytest.mark.parametrize(
    "url", ["", "grafana", "ftp://host", "http://", "http://admin:pw@host", "http://host?verify=0"]
)
def test_an_address_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(WrongAddressError, match="expected http://host:port") as caught:
        push(url, TOKEN, BOARDS)
    assert "pw" not in str(caught.value)
