"""Types that all packages share: a text in two languages, and the kinds of passages."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["person", "vehicle"]
KINDS: tuple[Kind, ...] = ("person", "vehicle")


@dataclass(frozen=True)
class Text:
    """The same in Chinese and English."""

    zh: str
    en: str
