"""Eight bytes of a text at a time, as one number: how the kernels of this room compare and search; read `names` next.

A word holds the bytes `at` to `at + 7` of an array, the first of them in its lowest eight bits. It may begin anywhere
in a text: so SLACK bytes follow what an array holds.

    text      i  n  "  ,  "  o  u  t  "
    word_at   └───────── 0 ─────────┘
                 └───────── 1 ─────────┘

`x - 0x01…01 & ~x & 0x80…80` has the top bit of the lowest byte of x that is zero, and perhaps bits above it, but none
below (Warren, Hacker's Delight, 2nd edition, section 6-1).
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic
from numpy.typing import NDArray

from streams.kernels.lines.compiled import inlined

Bytes = NDArray[np.uint8]

SLACK: Final = 64
"""Bytes behind what an array holds that may be read and mean nothing."""

_CHECKED: Final = bool(config.BOUNDSCHECK)  # type: ignore[attr-defined]  # made of the environment
_LOW: Final = np.uint64(0x0101010101010101)
_HIGH: Final = np.uint64(0x8080808080808080)
_SPACES: Final = np.uint64(0x2020202020202020)
_QUOTES: Final = np.uint64(0x2222222222222222)
_BACKSLASHES: Final = np.uint64(0x5C5C5C5C5C5C5C5C)
_NEWLINES: Final = np.uint64(0x0A0A0A0A0A0A0A0A)
_QUOTE: Final = 0x22


def with_slack(text: bytes) -> Bytes:
    """Return an array of the bytes of a text with SLACK behind them."""
    array = np.zeros(len(text) + SLACK, np.uint8)
    array[: len(text)] = np.frombuffer(text, np.uint8)
    return array


if config.DISABLE_JIT:  # type: ignore[attr-defined]  # as above

    def _word(text: Bytes, at: int) -> np.uint64:
        return np.uint64(int.from_bytes(text[at : at + 8].tobytes(), "little"))

    def _zeros_below(word: np.uint64) -> int:
        number = int(word)
        return (number & -number).bit_length() - 1

else:

    @intrinsic
    def _word(_context: Any, text: Any, at: Any) -> Any:  # noqa: ANN401  # of the compiler
        def load(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ANN401  # of the compiler
            array = context.make_array(signature.args[0])(context, builder, given[0])
            place = builder.bitcast(builder.gep(array.data, [given[1]]), ir.PointerType(ir.IntType(64)))
            word = builder.load(place)
            word.align = 1
            return word

        return types.uint64(text, at), load

    @intrinsic
    def _zeros_below(_context: Any, word: Any) -> Any:  # noqa: ANN401  # of the compiler
        def count(_: Any, builder: Any, __: Any, given: Any) -> Any:  # noqa: ANN401  # of the compiler
            return builder.cttz(given[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(word), count


@inlined
def word_at(text: Bytes, at: int) -> np.uint64:
    """Return the word that begins at a place. Raises IndexError where it is not within the array, if checked."""
    if _CHECKED and not 0 <= at <= len(text) - 8:
        raise IndexError("a word beyond the array")
    return _word(text, at)


@inlined
def leading(word: np.uint64, size: int) -> np.uint64:
    """Keep the first bytes of a word, 1 to 8 of them, and put zeros in the place of the others."""
    return (word << np.uint64(64 - 8 * size)) >> np.uint64(64 - 8 * size)


@inlined
def line_end(text: Bytes, at: int, stop: int) -> int:
    """Return where the line that begins at a place ends: at its newline, or at `stop`."""
    while at < stop:
        other = word_at(text, at) ^ _NEWLINES
        found = (other - _LOW) & ~other & _HIGH
        if found != np.uint64(0):
            return min(at + (_zeros_below(found) >> 3), stop)
        at += 8
    return stop


@inlined
def text_end(text: Bytes, at: int, stop: int) -> int:
    """Return where the quote is behind a plain JSON text that begins at a place; -1 if it is not plain.

    Plain is a text of printable ASCII without escapes that ends before `stop`.
    """
    while at < stop:
        word = word_at(text, at)
        quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
        ends = ((quote - _LOW) & ~quote) | ((backslash - _LOW) & ~backslash) | ((word - _SPACES) & ~word) | word
        ends &= _HIGH
        if ends != np.uint64(0):
            at += _zeros_below(ends) >> 3
            return at if at < stop and text[at] == _QUOTE else -1
        at += 8
    return -1
