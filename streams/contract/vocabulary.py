"""The names that events of a site may use; read `codec` next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from streams.text import Kind


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names that a site profile allows."""

    entrances: Mapping[str, Kind]
    categories: Mapping[Kind, Collection[str]]
    areas: Mapping[str, Sequence[Kind]]
