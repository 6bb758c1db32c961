"""How what an FMU instance holds is freed: states, instance, library."""

from __future__ import annotations

import ctypes
from typing import final

from packtwin.fmu.dialect import Dialect
from packtwin.fmu.library import unload_library

__all__ = ["Life", "free", "free_state", "unload"]


@final
class Life:
    """What may still be called, and what is left to free, when all is freed."""

    __slots__ = ("is_fatal", "is_running", "states")

    def __init__(self) -> None:
        self.is_running = False
        self.is_fatal = False
        self.states: dict[int, ctypes.c_void_p] = {}


def free_state(
    library: ctypes.CDLL,
    handle: ctypes.c_void_p,
    life: Life,
    dialect: Dialect,
    state: ctypes.c_void_p,
) -> None:
    """Free a saved state, where that may still be done."""
    function = getattr(library, dialect.free_state, None)
    if function is not None and not life.is_fatal:
        function(handle, ctypes.byref(state))


def free(
    library: ctypes.CDLL, handle: ctypes.c_void_p, life: Life, dialect: Dialect
) -> None:
    """Free the saved states and the instance."""
    while life.states:
        _, state = life.states.popitem()
        free_state(library, handle, life, dialect, state)
    if life.is_fatal:  # FMI forbids any further call
        return
    terminate = getattr(library, f"{dialect.prefix}Terminate", None)
    if life.is_running and terminate is not None:
        terminate(handle)
    function = getattr(library, f"{dialect.prefix}FreeInstance")
    function.restype = None
    function(handle)


def unload(library: ctypes.CDLL, life: Life) -> None:
    """Unload the library, unless the instance is in a state that forbids it."""
    if not life.is_fatal:
        unload_library(library)
