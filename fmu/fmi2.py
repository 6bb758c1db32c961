"""The binary interface of FMI 2.0 as ctypes sees it, and the log of one FMU."""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any, final

__all__ = [
    "CO_SIMULATION_FUNCTIONS",
    "CallbackFunctions",
    "CallbackLogger",
    "LogBook",
    "status_name",
]

CO_SIMULATION_FUNCTIONS: tuple[str, ...] = (
    "fmi2GetTypesPlatform",
    "fmi2GetVersion",
    "fmi2SetDebugLogging",
    "fmi2Instantiate",
    "fmi2FreeInstance",
    "fmi2SetupExperiment",
    "fmi2EnterInitializationMode",
    "fmi2ExitInitializationMode",
    "fmi2Terminate",
    "fmi2Reset",
    "fmi2GetReal",
    "fmi2GetInteger",
    "fmi2GetBoolean",
    "fmi2GetString",
    "fmi2SetReal",
    "fmi2SetInteger",
    "fmi2SetBoolean",
    "fmi2SetString",
    "fmi2GetFMUstate",
    "fmi2SetFMUstate",
    "fmi2FreeFMUstate",
    "fmi2SerializedFMUstateSize",
    "fmi2SerializeFMUstate",
    "fmi2DeSerializeFMUstate",
    "fmi2GetDirectionalDerivative",
    "fmi2SetRealInputDerivatives",
    "fmi2GetRealOutputDerivatives",
    "fmi2DoStep",
    "fmi2CancelStep",
    "fmi2GetStatus",
    "fmi2GetRealStatus",
    "fmi2GetIntegerStatus",
    "fmi2GetBooleanStatus",
    "fmi2GetStringStatus",
)
"""The 34 functions a co-simulation FMU exports."""

_STATUS_NAMES = (
    "fmi2OK",
    "fmi2Warning",
    "fmi2Discard",
    "fmi2Error",
    "fmi2Fatal",
    "fmi2Pending",
)
_N_ENTRIES = 50
_N_CHARACTERS = 1000

CallbackLogger = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_char_p,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
)


class CallbackFunctions(ctypes.Structure):
    """What an FMU may call: logger, calloc, free, step finished, environment."""

    _fields_ = (
        ("logger", CallbackLogger),
        ("allocate_memory", ctypes.c_void_p),
        ("free_memory", ctypes.c_void_p),
        ("step_finished", ctypes.c_void_p),
        ("environment", ctypes.c_void_p),
    )


def status_name(status: int) -> str:
    """Return FMI's name of a status."""
    if 0 <= status < len(_STATUS_NAMES):
        return _STATUS_NAMES[status]
    return f"the unknown status {status}"


@final
class LogBook:
    """The last messages of one FMU instance, and the callbacks that fill it.

    The callback functions are held here, so that they live as long as the instance.
    A message with C format directives is kept as it is: Python cannot read variadic
    arguments.
    """

    def __init__(self) -> None:
        self._entries: deque[tuple[int, str]] = deque(maxlen=_N_ENTRIES)
        libc = ctypes.CDLL(None)
        entries = self._entries  # not `self`: the callback must not keep a cycle

        def write(
            _env: Any, _name: Any, status: int, _category: Any, text: Any
        ) -> None:
            decoded = (text or b"")[:_N_CHARACTERS].decode("utf-8", "replace")
            entries.append((status, decoded))

        self.callbacks = CallbackFunctions(
            logger=CallbackLogger(write),
            allocate_memory=ctypes.cast(libc.calloc, ctypes.c_void_p),
            free_memory=ctypes.cast(libc.free, ctypes.c_void_p),
        )

    def clear(self) -> None:
        """Forget all messages."""
        self._entries.clear()

    def last_problem(self) -> str:
        """Return the last message that is not mere information, or nothing."""
        for status, text in reversed(self._entries):
            if status != 0:
                return text.strip()
        return self._entries[-1][1].strip() if self._entries else ""
