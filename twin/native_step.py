"""`NativeStep`: a component's step as a C function, for loops that stay in C.

    int f(void *self, long long tick, long long end_tick, const double *u, double *y);

It steps with inputs constant at `u`, writes the outputs at the end to `y` and returns
0; or anything else, and then `resume` says in Python what happened and finishes the
step. One tick is a nanosecond.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.step_report import StepReport

__all__ = ["NATIVE_SIGNATURE", "NativeStep", "Resume"]

Vector: TypeAlias = NDArray[np.float64]
Resume: TypeAlias = Callable[[int, int, int, Vector], StepReport]

NATIVE_SIGNATURE = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_longlong,
    ctypes.c_longlong,
    ctypes.POINTER(ctypes.c_double),
    ctypes.POINTER(ctypes.c_double),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NativeStep:
    """A step in C.

    Attributes:
        function: Address of the function.
        self: Address of its data.
        resume: `(status, tick, end_tick, u) -> report`: what the step that returned
            `status` led to; may raise as `Component.step` does.
        kept: Whatever must live as long.
    """

    function: int
    self: int
    resume: Resume
    kept: tuple[Any, ...] = ()
