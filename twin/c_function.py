"""Functions of the C files that packtwin ships, compiled once per machine."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources
from pathlib import Path

from packtwin.twin.library_cache import cached_library

__all__ = ["address_of", "c_function", "load_function"]


@cache
def c_function(package: str, file: str, name: str) -> int:
    """Return the address of a function.

    Args:
        package: Where the file is.
        file: The C source.
        name: The function.

    Raises:
        CompilerError: No C compiler, or it failed.
    """
    text = (resources.files(package) / file).read_text(encoding="utf-8")
    return load_function(cached_library(f"packtwin_{Path(file).stem}", text), name)


def load_function(library: Path, name: str) -> int:
    """Return the address of a function of a shared library, which stays loaded."""
    return address_of(getattr(ctypes.CDLL(str(library)), name))


def address_of(function: object) -> int:
    """Return the address of a C function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
