"""The log of one FMU instance, and what an FMU may call."""

from __future__ import annotations

import ctypes
from collections import deque
from functools import cache
from typing import Any, final

from packtwin.fmu.fmi2 import CallbackFunctions, CallbackLogger
from packtwin.fmu.fmi3 import LogMessageCallback

__all__ = ["LogBook"]

_N_ENTRIES = 50
_N_CHARACTERS = 1000


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


@final
class LogBook:
    """The last messages of one FMU instance, and the callbacks that fill it.

    The callback functions are held here, so that they live as long as the instance.
    A message with C format directives is kept as it is: Python cannot read variadic
    arguments. However much an FMU logs, only the last messages take memory.

    Attributes:
        callbacks: What FMI 2.0 wants.
        log_message: What FMI 3.0 wants.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[int, str]] = deque(maxlen=_N_ENTRIES)
        libc = _libc()
        entries = self._entries  # not `self`: the callback must not keep a cycle

        def write(status: int, text: bytes | None) -> None:
            decoded = (text or b"")[:_N_CHARACTERS].decode("utf-8", "replace")
            entries.append((status, decoded))

        def write_fmi2(
            _env: Any, _name: Any, status: int, _category: Any, text: Any
        ) -> None:
            write(status, text)

        def write_fmi3(_env: Any, status: int, _category: Any, text: Any) -> None:
            write(status, text)

        self.callbacks = CallbackFunctions(
            logger=CallbackLogger(write_fmi2),
            allocate_memory=ctypes.cast(libc.calloc, ctypes.c_void_p),
            free_memory=ctypes.cast(libc.free, ctypes.c_void_p),
        )
        self.log_message = LogMessageCallback(write_fmi3)

    def clear(self) -> None:
        """Forget all messages."""
        self._entries.clear()

    def last_problem(self) -> str:
        """Return the last message that is not mere information, or nothing."""
        for status, text in reversed(self._entries):
            if status != 0:
                return text.strip()
        return self._entries[-1][1].strip() if self._entries else ""
