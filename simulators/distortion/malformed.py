"""Makes malformed lines, each with the reason for which a worker must reject it; used by `distort.py`.

Every line is different from every other one, so that a ledger can name it by its SHA-256.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from streams.contract.events import LATEST_MS, LONGEST_LINE, Reason
from streams.site.model import Site

_DEEP = 20_000


@dataclass(frozen=True)
class Malformed:
    """One line that must be rejected, sent under the key of `entrance`; `reason` is the expected code."""

    entrance: str
    line: bytes
    reason: str

    @property
    def sha256(self) -> str:
        """The name of the line in the ledger."""
        return hashlib.sha256(self.line).hexdigest()


def kinds() -> tuple[str, ...]:
    """Return the names of all kinds of malformed lines."""
    return tuple(_KINDS)


def make_malformed(kind: str, serial: int, site: Site, entrance: str) -> Malformed:
    """Return a line of one of `kinds()` that looks as if it came from `entrance`."""
    reason, make = _KINDS[kind]
    own = site.entrance(entrance)
    good: dict[str, Any] = {
        "device": f"malformed-{serial}",
        "entrance": entrance,
        "seq": serial + 1,
        "ts": 1_636_423_200_000 + serial,
        "direction": "in",
        "outcome": "passed",
        "category": site.categories_of(own.kind)[0].id,
    }
    others = [each.id for each in site.entrances if each.kind != own.kind]
    if reason == Reason.WRONG_KIND:
        reason = Reason.WRONG_KIND if others else Reason.UNKNOWN_ENTRANCE
        return Malformed(entrance, _json(good | {"entrance": others[0] if others else "nowhere"}), reason.value)
    return Malformed(entrance, make(good), reason.value)


def _json(event: object) -> bytes:
    return json.dumps(event, separators=(",", ":")).encode()


def _changed(**fields: Any) -> Callable[[dict[str, Any]], bytes]:  # noqa: ANN401 - wrong values of every type
    return lambda good: _json(good | fields)


def _without(field: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda good: _json({name: value for name, value in good.items() if name != field})


_KINDS: dict[str, tuple[Reason, Callable[[dict[str, Any]], bytes]]] = {
    "oversized": (Reason.TOO_LARGE, lambda good: _json(good | {"padding": "x" * (LONGEST_LINE + 34_464)})),
    "invalid UTF-8": (Reason.NOT_UTF8, lambda good: _json(good).replace(b"malformed", b"malf\xff\xferm")),
    "truncated": (Reason.NOT_JSON, lambda good: _json(good)[:-9]),
    "NUL bytes": (Reason.NOT_JSON, lambda good: _json(good).replace(b"malformed", b"malf\0\0rm")),
    "two at once": (Reason.NOT_JSON, lambda good: _json(good) + _json(good)),
    "not JSON": (Reason.NOT_JSON, lambda good: f"{good['device']};{good['ts']};in".encode()),
    "text for a number": (Reason.WRONG_SHAPE, _changed(seq="seven")),
    "a date for the time": (Reason.WRONG_SHAPE, _changed(ts="2021-11-09T10:00:00+08:00")),
    "a fraction": (Reason.WRONG_SHAPE, _changed(seq=1.5)),
    "a number below its range": (Reason.WRONG_SHAPE, _changed(seq=0)),
    "a negative epoch": (Reason.WRONG_SHAPE, _changed(epoch=-1)),
    "a missing field": (Reason.WRONG_SHAPE, _without("ts")),
    "a wrong direction": (Reason.WRONG_SHAPE, _changed(direction="sideways")),
    "a wrong outcome": (Reason.WRONG_SHAPE, _changed(outcome="vanished")),
    "an id out of the alphabet": (Reason.WRONG_SHAPE, lambda good: _json(good | {"device": good["device"] + " $"})),
    "an array": (Reason.WRONG_SHAPE, lambda good: _json(list(good.values()))),
    "nested deeply": (
        Reason.WRONG_SHAPE,
        lambda good: _json(good)[:-1] + b',"extra":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
    ),
    "a negative time": (Reason.TIME_OUT_OF_RANGE, lambda good: _json(good | {"ts": -good["seq"]})),
    "an absurd time": (Reason.TIME_OUT_OF_RANGE, _changed(ts=LATEST_MS * 10)),
    "an unknown entrance": (Reason.UNKNOWN_ENTRANCE, _changed(entrance="no-such-entrance")),
    "an entrance of the other kind": (Reason.WRONG_KIND, _json),
    "an unknown category": (Reason.UNKNOWN_CATEGORY, _changed(category="no-such-category")),
}
