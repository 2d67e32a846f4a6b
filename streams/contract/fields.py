"""Derives the fields of a passage from its types in `events`: one list for codec, ledger and verification.

A field has one name in all columns, whatever a line calls it: the `plate` of a vehicle is a `credential`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Final

from msgspec import inspect

from streams.contract.events import Passage, TurnstilePassage, VehiclePassage
from streams.text import Kind

TYPES: Final[Mapping[Kind, type[Passage]]] = MappingProxyType({"person": TurnstilePassage, "vehicle": VehiclePassage})
"""The type of a line of each kind."""
IDENTITY: Final = ("device", "epoch", "seq")
"""The fields that say which passage it is."""


class Form(Enum):
    """What the values of a field are; where one is missing stands ``, None or NaN."""

    TEXT = inspect.StrType
    INTEGER = inspect.IntType
    REAL = inspect.FloatType


@dataclass(frozen=True, slots=True)
class PassageField:
    """One field: `optional` if a line may be without a value, `secret` if no view shows it.

    `written` says what a line of each kind that has the field calls it.
    """

    name: str
    form: Form
    optional: bool
    secret: bool
    written: Mapping[Kind, str]


def fields_of(types: Mapping[Kind, type[Passage]]) -> tuple[PassageField, ...]:
    """Read the fields of all kinds off their types, each once, in the order in which they are declared.

    Raises TypeError for a type that no column can have, and for a field that is not the same in two kinds.
    """
    found: dict[str, PassageField] = {}
    for kind, type_ in types.items():
        info = inspect.type_info(type_)
        for each in info.fields:  # type: ignore[attr-defined]  # a Struct has them
            new = PassageField(each.name, *_traits(each.type, each.name), {kind: each.encode_name})
            before = found.get(each.name, new)
            if replace(before, written=new.written) != new:
                raise TypeError(f"{each.name} of a {kind} is {new}, and was {before}: give it one type")
            found[each.name] = replace(new, written={**before.written, **new.written})
    return tuple(found.values())


def _traits(type_: inspect.Type, name: str) -> tuple[Form, bool, bool]:
    types = type_.types if isinstance(type_, inspect.UnionType) else (type_,)
    optional = any(isinstance(each, inspect.NoneType) for each in types)
    (own,) = (each for each in types if not isinstance(each, inspect.NoneType))
    secret = isinstance(own, inspect.Metadata) and bool((own.extra or {}).get("secret"))
    plain = own.type if isinstance(own, inspect.Metadata) else own
    if isinstance(plain, inspect.LiteralType):
        return Form.TEXT, optional, secret
    try:
        return Form(type(plain)), optional, secret
    except ValueError:
        raise TypeError(f"{name} is {plain}: a field of a passage is a text, a choice of texts, or a number") from None


FIELDS: Final = fields_of(TYPES)
"""The fields of a passage, of whichever kind."""
OPTIONAL: Final = tuple(each for each in FIELDS if each.optional)
"""Those that a line may be without."""
CONTENT: Final = ("kind", *(each.name for each in FIELDS if not each.secret and each.name not in IDENTITY))
"""The columns of a passage that readers see, but for its identity."""
