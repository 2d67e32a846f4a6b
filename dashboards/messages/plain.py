"""Makes a name from outside harmless in a chat: it is shown as the text that it is, in whatever a robot makes of it."""

import unicodedata
from typing import Final

_SHOWN_AS: Final = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］", "@": "＠", "`": "｀", "*": "＊"})
_UNSEEN: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


def plain(text: str, most: int = 60) -> str:
    """Return one line of at most `most` characters, in which no tag, link, mention or hidden character is left."""
    seen = "".join(" " if unicodedata.category(each) in _UNSEEN else each for each in text[: 4 * most])
    line = " ".join(seen.translate(_SHOWN_AS).replace("://", "：//").split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
