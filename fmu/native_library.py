"""What is done for FMUs in C, compiled once per machine."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources

from packtwin.twin.library_cache import cached_library

__all__ = ["address_of", "native_function"]


@cache
def native_function(name: str) -> int:
    """Return the address of a function of `fmu_step.c`.

    Raises:
        CompilerError: No C compiler, or it failed.
    """
    folder = resources.files("packtwin.fmu.c_sources")
    text = (folder / "fmu_step.c").read_text(encoding="utf-8")
    library = ctypes.CDLL(str(cached_library("packtwin_fmu_step", text)))
    return address_of(getattr(library, name))


def address_of(function: object) -> int:
    """Return the address of a C function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
