"""How the kernels of this room are compiled: into machine code that is kept beside the sources; read `words` next.

numba looks for a change in the module of a kernel only, not in those whose functions became a part of it. So the folder
of the machine code is named after all of this room.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from importlib.resources import files
from typing import Any, ParamSpec, TypeVar, cast

try:
    from numba import njit
except ImportError as error:
    raise ImportError(
        "numba, which compiles the kernels, cannot be loaded: install it with `pip install -e .`; it has wheels for "
        "Python 3.11 to 3.14 on Linux, macOS and Windows, and none for musl (Alpine)"
    ) from error

from numba.core import config

_SOURCES = {each.name: each.read_bytes() for each in files(__package__ or "").iterdir() if each.name.endswith(".py")}
_DIGEST = hashlib.sha256(repr(sorted(_SOURCES.items())).encode()).hexdigest()[:16]
if not config.CACHE_DIR:  # type: ignore[attr-defined]  # made of the environment
    with suppress(OSError):  # who may not write here has a folder of numba's
        _FOLDER: Any = files(__package__ or "").joinpath("__pycache__", _DIGEST)
        _FOLDER.mkdir(parents=True, exist_ok=True)
        config.CACHE_DIR = str(_FOLDER)  # type: ignore[attr-defined]  # as above

P = ParamSpec("P")
R = TypeVar("R")

# No kernel makes an array. Without counting who else has those that it is given, it runs three times as fast.
_UNCOUNTED: dict[str, Any] = {"_nrt": False}


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function when it is first called; other threads run meanwhile."""
    return cast("Callable[P, R]", njit(cache=True, nogil=True, **_UNCOUNTED)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function as a part of those that call it."""
    return cast("Callable[P, R]", njit(cache=True, inline="always", **_UNCOUNTED)(function))
