"""Argument types of FMI functions, a letter for each argument.

H is an instance, P a pointer, S a string, N a size, I an int, B a bool, D a double.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

__all__ = ["COMMON_SIGNATURES", "argument_types"]

_CODES: Mapping[str, Any] = {
    "H": ctypes.c_void_p,
    "P": ctypes.c_void_p,
    "S": ctypes.c_char_p,
    "N": ctypes.c_size_t,
    "I": ctypes.c_int,
    "B": ctypes.c_bool,
    "D": ctypes.c_double,
}
COMMON_SIGNATURES: Mapping[str, str] = {
    "GetFMUState": "HP",
    "SetFMUState": "HP",
    "FreeFMUState": "HP",
    "SerializedFMUStateSize": "HPP",
    "SerializeFMUState": "HPPN",
    "DeserializeFMUState": "HPNP",
    "SetTime": "HD",
    "SetContinuousStates": "HPN",
    "GetContinuousStateDerivatives": "HPN",
    "GetEventIndicators": "HPN",
    "GetContinuousStates": "HPN",
    "GetNominalsOfContinuousStates": "HPN",
}
"""What both versions share, by the names of FMI 3.0 without prefix."""


def argument_types(signature: str) -> list[Any]:
    """Return the ctypes of a signature."""
    return [_CODES[code] for code in signature]
