"""A column of texts of which most are different, as bytes in one array; `passages` of the contract fill it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.kernels.lines.compiled import compiled
from streams.kernels.lines.words import SLACK, Bytes, with_slack

_SEVEN_BITS: Final = 0x7F
_MORE: Final = 0x80


@compiled
def _pack(text: Bytes, places: NDArray[np.int64], into: Bytes, at: NDArray[np.int64]) -> None:
    """Copy the texts behind each other; `at` says where each begins in `into`."""
    for row in range(len(places)):
        start, size, to = places[row, 0], places[row, 1], at[row]
        for byte in range(size):
            into[to + byte] = text[start + byte]


@compiled
def _encode(text: Bytes, places: NDArray[np.int64], into: Bytes) -> int:
    """Write each text behind its length, seven bits a byte and the lowest first; return how many bytes that are."""
    to = 0
    for row in range(len(places)):
        start, size = places[row, 0], places[row, 1]
        rest = size
        while rest > _SEVEN_BITS:
            into[to] = rest & _SEVEN_BITS | _MORE
            rest >>= 7
            to += 1
        into[to] = rest
        to += 1
        for byte in range(size):
            into[to + byte] = text[start + byte]
        to += size
    return to


@dataclass(frozen=True, eq=False)
class PackedTexts:
    """Texts in UTF-8: that of row i begins at `places[i, 0]` of `text` and has `places[i, 1]` bytes; n × 2 places."""

    text: Bytes
    places: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "PackedTexts":
        """Put texts into a column."""
        encoded = [each.encode() for each in texts]
        sizes = list(map(len, encoded))
        starts = list(accumulate(sizes, initial=0))[:-1]
        return cls(with_slack(b"".join(encoded)), np.array([starts, sizes], np.int64).T.reshape(-1, 2))

    @classmethod
    def joined(cls, parts: Sequence["PackedTexts"]) -> "PackedTexts":
        """Append columns."""
        starts = accumulate((len(each.text) for each in parts), initial=0)
        moved = [each.places + np.array([start, 0]) for each, start in zip(parts, starts, strict=False)]
        return cls(np.concatenate([each.text for each in parts]), np.concatenate(moved))

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row: int) -> str:
        start, size = self.places[row].tolist()
        return self.text[start : start + size].tobytes().decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self.tolist())

    @property
    def is_empty(self) -> NDArray[np.bool_]:
        """Which rows have no text."""
        empty: NDArray[np.bool_] = self.places[:, 1] == 0
        return empty

    def take(self, rows: NDArray[np.int64] | slice) -> "PackedTexts":
        """Keep some rows, and of the bytes no more than theirs."""
        places = np.ascontiguousarray(self.places[rows])
        sizes = places[:, 1]
        starts = np.cumsum(sizes) - sizes
        text = np.zeros(int(sizes.sum()) + SLACK, np.uint8)
        _pack(self.text, places, text, starts)
        return PackedTexts(text, np.stack([starts, sizes], axis=1))

    def tolist(self) -> list[str]:
        """Return the texts themselves."""
        whole = self.text.tobytes()
        return [whole[start : start + size].decode() for start, size in self.places.tolist()]

    def with_lengths(self) -> bytes:
        """Return all texts, each behind its length in bytes as a LEB128 number: how ClickHouse has them."""
        into = np.empty(int(self.places[:, 1].sum()) + 5 * len(self), np.uint8)
        return into[: _encode(self.text, np.ascontiguousarray(self.places), into)].tobytes()
