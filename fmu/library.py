"""Load and unload the shared library of an FMU."""

from __future__ import annotations

import _ctypes
import ctypes
from pathlib import Path

from packtwin.twin.errors import FmuError

__all__ = ["load_library", "unload_library"]


def unload_library(library: ctypes.CDLL) -> None:
    """Undo one `load_library`."""
    _ctypes.dlclose(library._handle)  # noqa: SLF001 (ctypes has no other way)


def load_library(library: Path | ctypes.CDLL, path: Path) -> ctypes.CDLL:
    """Load a shared library, or count one more use of a loaded one.

    Raises:
        FmuError: It cannot be loaded; says why.
    """
    if isinstance(library, ctypes.CDLL):
        _ctypes.dlopen(library._name, ctypes.DEFAULT_MODE)  # noqa: SLF001
        return library
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        msg = (
            f"The binary `{library.name}` of `{path}` cannot be loaded: {error}. "
            "Install what it needs, or use an FMU made for this system."
        )
        raise FmuError(msg) from error
