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
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.component import Component, StepReport

__all__ = ["NATIVE_SIGNATURE", "NativeComponent", "NativeStep", "python_step"]

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


@runtime_checkable
class NativeComponent(Component, Protocol):
    """A component that can be stepped without Python."""

    def native_step(self) -> NativeStep | None:
        """Return its step in C, once it is initialized; None if it has none.

        It holds until the next `initialize`, `restore` or `close`.
        """
        ...


def python_step(component: Component) -> NativeStep:
    """Return a component's Python step behind the C signature."""
    n_u, n_y = len(component.interface.inputs), len(component.interface.outputs)
    state: dict[str, Any] = {}

    def call(_self: Any, tick: int, end_tick: int, u: Any, y: Any) -> int:
        inputs = np.ctypeslib.as_array(u, (n_u,)).copy() if n_u else np.zeros(0)
        try:
            report = component.step(tick, end_tick, inputs)
        except BaseException as error:  # must not cross C; raised by `resume`
            state["error"] = error
            return 1
        if report.status or report.end_tick != end_tick:
            state["report"] = report
            return 1
        if n_y:
            ctypes.memmove(y, report.outputs.ctypes.data, 8 * n_y)
        return 0

    def resume(_status: int, _tick: int, _end_tick: int, _u: Vector) -> StepReport:
        error = state.pop("error", None)
        if error is not None:
            raise error
        report: StepReport = state.pop("report")
        return report

    callback = NATIVE_SIGNATURE(call)
    address = ctypes.cast(callback, ctypes.c_void_p).value or 0
    return NativeStep(function=address, self=0, resume=resume, kept=(callback,))
