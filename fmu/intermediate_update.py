"""What an FMI 3.0 FMU calls inside a step to get its inputs there: in C, if possible.

An FMU that was instantiated for intermediate update calls at every step, whether its
inputs change or not; from C that costs nanoseconds, through Python microseconds.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.fmi3 import IntermediateUpdateCallback
from packtwin.fmu.native_library import address_of, native_function
from packtwin.fmu.stepping import SmoothInputs
from packtwin.twin.errors import CompilerError
from packtwin.twin.input_polynomial import MAXIMUM_ROWS, value_at

__all__ = ["IntermediateUpdate"]

Vector: TypeAlias = NDArray[np.float64]


class _Smooth(ctypes.Structure):
    _fields_ = (
        ("instance", ctypes.c_void_p),
        ("set", ctypes.c_void_p),
        ("references", ctypes.c_void_p),
        ("n", ctypes.c_size_t),
        ("buffer", ctypes.c_void_p),
        ("factors", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("start", ctypes.c_double),
        ("n_rows", ctypes.c_int),
        ("status", ctypes.c_int),
    )


@final
class IntermediateUpdate:
    """Sets inputs to polynomials of time whenever an FMU asks.

    Attributes:
        environment: What the FMU hands back with every call.
        callback: What it calls; null if no input may change inside a step.
    """

    def __init__(self, smooth: SmoothInputs) -> None:
        """Prepare for the inputs that may change inside a step."""
        n = len(smooth.references)
        self._rows, self._buffer = np.zeros((MAXIMUM_ROWS, n)), np.zeros(n)
        self._references = (ctypes.c_uint * n)(*smooth.references)
        self._positions, self._set = smooth.positions, None
        self._kept = (smooth.factors.copy(), smooth.offsets.copy())
        self._smooth = _Smooth(
            references=ctypes.addressof(self._references),
            n=n,
            buffer=self._buffer.ctypes.data,
            factors=self._kept[0].ctypes.data,
            offsets=self._kept[1].ctypes.data,
            rows=self._rows.ctypes.data,
        )
        self.environment = ctypes.c_void_p(ctypes.addressof(self._smooth))
        self.callback: Any = IntermediateUpdateCallback(0)
        if smooth.order:
            self.callback = self._best()

    def _best(self) -> Any:
        try:
            return IntermediateUpdateCallback(native_function("pt_fmu_update"))
        except CompilerError:
            return _in_python(self._smooth, self._rows, self._kept, self._buffer)

    def attach(self, handle: ctypes.c_void_p, setter: Any) -> None:
        """Say whose inputs are set, and by which function."""
        self._smooth.instance, self._smooth.set = handle.value, address_of(setter)

    def follow(self, rows: Vector, start_s: float) -> None:
        """Make the inputs polynomials about `start_s` from now on."""
        self._rows[: len(rows)] = rows[:, self._positions]
        self._smooth.start, self._smooth.n_rows = start_s, len(rows)
        self._smooth.status = 0

    def hold(self) -> int:
        """Leave the inputs alone from now on; return the worst status of setting."""
        self._smooth.n_rows = 0
        return int(self._smooth.status)


def _in_python(
    smooth: _Smooth, rows: Vector, units: tuple[Vector, Vector], buffer: Vector
) -> Any:
    """Return the same as `pt_fmu_update`, without a compiler."""

    def update(_environment: Any, time_s: float, is_asked: bool, *_rest: Any) -> None:
        if not is_asked or smooth.n_rows == 0:
            return
        values = value_at(list(rows[: smooth.n_rows]), time_s - smooth.start)
        buffer[:] = (values - units[1]) / units[0]
        call = ctypes.CFUNCTYPE(
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_size_t,
            ctypes.c_void_p,
            ctypes.c_size_t,
        )(smooth.set)
        n = smooth.n
        status = call(smooth.instance, smooth.references, n, smooth.buffer, n)
        smooth.status = max(smooth.status, status)

    made: Callable[..., None] = IntermediateUpdateCallback(update)
    return made
