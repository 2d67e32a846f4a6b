"""How the kernels of this room are compiled: into machine code that is kept beside the sources; read `words` next."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

try:
    from numba import njit
except ImportError as error:
    raise ImportError(
        "numba, which compiles the kernels, cannot be loaded: install it with `pip install -e .`; it has wheels for "
        "Python 3.11 to 3.14 on Linux, macOS and Windows, and none for musl (Alpine)"
    ) from error

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
