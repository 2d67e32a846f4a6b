"""Classifies errors of the ClickHouse server: transient ones are retried.

An error that is not in the list counts as permanent: a write that can never succeed must not be repeated in silence,
and rows that are parked over a transient one are not lost.
"""

import re
from collections.abc import Mapping

from clickhouse_driver import errors as driver

from sinks.answer import CannotRead
from sinks.native import DoesNotFit
from sinks.sink import StoreError, StoreRefused, StoreUnavailable

TRANSIENT: Mapping[int, str] = {
    3: "the connection broke within a block",
    32: "the connection broke within a block",
    33: "the connection broke within a block",
    74: "the disk could not be read; it may come back",
    75: "the disk could not be written; space or the disk may come back",
    76: "a file could not be opened: too many are open, or the disk is gone for now",
    95: "the connection broke while it was read",
    96: "the connection broke while it was written",
    101: "the connection is out of step; a new one is not",
    159: "the server took too long; it is busy",
    160: "the server expected to take too long; it is busy",
    173: "the server is out of memory for now",
    198: "a name cannot be resolved now",
    201: "the user's quota is used up until its interval ends",
    202: "too many queries run at once",
    203: "the server has no free connection to another",
    209: "no answer in time",
    210: "the network or the server is down",
    225: "the keeper cannot be reached",
    236: "the server stopped the query: it shuts down",
    241: "the server is out of memory for now",
    242: "the table is read-only while it has lost its keeper",
    243: "the disk is full; rows fit again once there is space",
    244: "the keeper gave an answer that it will not give again",
    252: "too many parts: merges are behind, they catch up while we wait",
    279: "all connections of the server to others failed",
    285: "too few replicas live",
    286: "an earlier quorum write is not done yet",
    289: "a replica is behind its quorum; it catches up",
    319: "the outcome is unknown; writing again is harmless",
    394: "the query was cancelled: the server shuts down, or an operator chose to",
    416: "a replica was lost or came back meanwhile",
    439: "the server cannot start a thread now",
    473: "a lock was held for too long, as by an ALTER",
    499: "the object storage does not answer as it should; it may come back",
    677: "the server stopped the query: it shuts down",
    700: "the user has too many sessions at once",
    733: "the table is being restarted",
    745: "the server is overloaded",
    749: "the server has too many connections",
    774: "the table is set read-only; whoever did it will undo it, and what it misses waits in Kafka",
    776: "the server has no resources for it now",
    777: "the server took the memory for another query",
    778: "the server has no memory for it now",
    999: "the keeper cannot be reached",
    1019: "the server has no place for another query now",
    1020: "the server has no memory for it now",
}
"""Server error codes after which the same write can succeed later, and why."""

PERMANENT: Mapping[int, str] = {
    16: "The table lacks a column: run `gatepulse schema apply` with this version.",
    20: "The table has other columns: run `gatepulse schema apply` with this version.",
    53: "A value has another type than its column: compare `gatepulse schema show` with this version.",
    60: "The table or view is not there: run `gatepulse schema apply`.",
    81: "The database is not there: run `gatepulse schema apply`.",
    164: "The user may only read: set store.user to one who may write.",
    192: "The user is not known: check store.user.",
    193: "The password is wrong: check store.password.",
    469: "The table has a constraint that is not ours: drop it.",
    497: "The user has no right to this: see the grants in the installation guide.",
    516: "User or password are wrong: check store.user and store.password.",
}
"""What to do about the permanent errors that are likely."""

_QUOTES = frozenset({53, 469})
"""Those of them whose words have values of rows in them."""
_OF_QUESTIONS = frozenset({10, 36, 43, 46, 47, 62, 115, 452})
"""Errors about the query itself, and not about what is in rows."""
_LOST = (OSError, EOFError, driver.NetworkError, driver.SocketTimeoutError)
_OUT_OF_STEP = (
    driver.UnexpectedPacketFromServerError,
    driver.UnknownPacketFromServerError,
    driver.PartiallyConsumedQueryError,
)


_TEXT = re.compile(r"'(?:[^'\\]|\\.)*'?")
"""A literal in a query, perhaps cut off."""


def failure(subject: str, error: Exception, *, has_values: bool = False) -> StoreError:
    """Return what `error` of the driver means for whoever wrote to, or read from, `subject`.

    `has_values`: the query had values in it, and a server quotes queries.
    """
    code, reason = getattr(error, "code", None) or 0, _reason(error, hide_texts=has_values)
    if isinstance(error, _LOST + _OUT_OF_STEP) or code in TRANSIENT:
        why = TRANSIENT.get(code, "the connection is lost")
        return StoreUnavailable(subject, f"{reason} ({why}).", "It will be tried again.")
    return StoreRefused(subject, f"{reason}.", PERMANENT.get(code, "It will not be tried again: see the reason."))


def _reason(error: Exception, *, hide_texts: bool) -> str:
    """Return the server's own words on one line, without its stack and without values of rows.

    Of an error that is not known only the number is returned: a server quotes what it cannot read. It has its own log.
    """
    code = getattr(error, "code", None) or 0
    speaks = code not in _QUOTES and (code in TRANSIENT or code in PERMANENT or code in _OF_QUESTIONS)
    if not speaks and not isinstance(error, (CannotRead, DoesNotFit, *_LOST, *_OUT_OF_STEP)):
        return f"error {code} of the server; its log says more" if code else type(error).__name__
    words = str(getattr(error, "message", "") or error).split("Stack trace", maxsplit=1)[0]
    words = _TEXT.sub("'…'", words) if hide_texts else words
    return " ".join(words.split()).rstrip(" .")[:500] or type(error).__name__
