"""Makes names from outside harmless in a chat message, so that no robot reads them as markup, links or mentions."""

import unicodedata
from typing import Final

_SHOWN_AS: Final = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "@": "＠", "`": "｀", "*": "＊"})
_UNSEEN: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def plain(text: str, most: int = 60) -> str:
    """Return one line of at most `most` characters, in which no tag, link, mention or hidden character is left."""
    seen = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in text[: 4 * most])
    line = " ".join(seen.translate(_SHOWN_AS).replace("://", "：//").split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
