"""Every error of the server is classified as transient or lasting, with a remedy."""

import pytest
from clickhouse_driver import errors as driver

from sinks.failures import PERMANENT, TRANSIENT, failure
from sinks.sink import StoreRefused, StoreUnavailable

_STACK = "DB::Exception: Too many parts (300).\nMerges are slow. Stack trace:\n\n0. ? @ 0x1"


@pytest.mark.parametrize("code", TRANSIENT)
def test_what_passes_is_tried_again(code: int) -> None:
    assert isinstance(failure("passages", driver.ServerException("busy", code)), StoreUnavailable)


@pytest.mark.parametrize("code", [*PERMANENT, 27, 49, 62, 99_999])
def test_what_lasts_or_is_unknown_is_not(code: int) -> None:
    assert isinstance(failure("passages", driver.ServerException("no", code)), StoreRefused)


@pytest.mark.parametrize(
    "lost",
    [
        ConnectionRefusedError(111, "refused"), BrokenPipeError(), EOFError("Unexpected EOF while reading bytes"),
        driver.NetworkError("down"), driver.SocketTimeoutError("slow"), driver.UnknownPacketFromServerError("?"),
        driver.PartiallyConsumedQueryError(),
    ],
)  # fmt: skip
def test_a_lost_connection_passes(lost: Exception) -> None:
    assert isinstance(failure("passages", lost), StoreUnavailable)


@pytest.mark.parametrize("wrong", [driver.TypeMismatchError("int"), AttributeError("encode"), ValueError("day -1")])
def test_values_that_cannot_be_sent_never_can(wrong: Exception) -> None:
    assert isinstance(failure("passages", wrong), StoreRefused)


def test_no_code_is_in_both_lists() -> None:
    assert not set(TRANSIENT) & set(PERMANENT)


def test_the_message_names_the_table_the_reason_and_the_next_step() -> None:
    error = failure("passages", driver.ServerException(_STACK, 252))
    assert str(error) == (
        "passages: DB::Exception: Too many parts (300). Merges are slow "
        "(too many parts: merges are behind, they catch up while we wait). It will be tried again."
    )
    assert error.table == "passages"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (469, "DB::Exception: Constraint c is violated at row 1. Column values: credential = 'canary'"),
        (53, "DB::Exception: Type mismatch in VALUES section: expected UInt64, got 'canary'"),
        (27, "DB::Exception: Cannot parse input: expected ( before: canary"),
        (72, "DB::Exception: Cannot parse number canary"),
    ],
)
def test_what_the_server_quotes_of_a_row_is_not_repeated(code: int, words: str) -> None:
    error = failure("passages", driver.ServerException(words, code))
    assert "canary" not in str(error)
    assert f"error {code} of the server" in str(error)


def test_what_the_driver_quotes_of_a_row_is_not_repeated() -> None:
    assert "canary" not in str(failure("passages", ValueError("canary")))
