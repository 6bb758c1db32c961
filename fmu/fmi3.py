"""The binary interface of FMI 3.0 as ctypes sees it."""

from __future__ import annotations

import ctypes

__all__ = ["IntermediateUpdateCallback", "LogMessageCallback"]

LogMessageCallback = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_char_p
)
"""Environment, status, category, text."""

IntermediateUpdateCallback = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_double,
    ctypes.c_bool,
    ctypes.c_bool,
    ctypes.c_bool,
    ctypes.c_bool,
    ctypes.POINTER(ctypes.c_bool),
    ctypes.POINTER(ctypes.c_double),
)
"""Environment, time, whether variables may be set, got, whether the step is finished,
whether it can return early; then where to write whether, and when, it shall."""
