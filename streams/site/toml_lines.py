"""Finds the line of each key in a TOML text, so that a mistake can be located.

`tomllib` forgets positions, and no maintained Python parser hands them out. A statement of TOML begins on
a line of its own, so it is enough to cut the text into statements and let `tomllib` read each one.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def key_lines(text: str) -> dict[Path, int]:
    """Return the line (from 1) of every key path in `text`, which must be valid TOML.

    A path is a tuple of keys and, inside arrays of tables, indexes: `("entrance", 3, "inner")`.
    What stands inside a value that spans lines gets the line on which that value's key stands.
    """
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    prefix: Path = ()
    for number, first_line, content in _statements(text):
        if first_line.startswith("["):
            prefix = _enter(content, counts, repeated=first_line.startswith("[["))
            found.setdefault(prefix, number)
        else:
            for path in _paths(content):
                found.setdefault(prefix + path, number)
    return found


def line_of(path: Path, lines: dict[Path, int]) -> int:
    """Return the line of `path`, or of the nearest table around it that has one."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield each header or assignment: the number of its first line, that line, and what it says."""
    begun: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not begun and (not line.strip() or line.lstrip().startswith("#")):
            continue
        begun.append(line)
        try:
            content = tomllib.loads("\n".join(begun))
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        yield number - len(begun) + 1, begun[0].lstrip(), content
        begun = []


def _enter(header: dict[str, Any], counts: dict[Path, int], *, repeated: bool) -> Path:
    """Return the path of the table that a header opens, counting the elements of arrays of tables."""
    path: Path = ()
    inner: Any = header
    while inner:
        key, inner = next(iter(inner.items()))
        path += (key,)
        if isinstance(inner, list):
            inner = inner[0]
        if not inner and repeated:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path += (counts[path] - 1,)
    return path


def _paths(content: Any, path: Path = ()) -> Iterator[Path]:  # noqa: ANN401 - a TOML value is any of its types
    """Yield the path of every key and element in a parsed value, outermost first."""
    items: Any = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list):
        items = enumerate(content)
    for key, value in items:
        yield (*path, key)
        yield from _paths(value, (*path, key))
