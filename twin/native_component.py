"""`NativeComponent`: a component whose steps need no Python, and all the others."""

from __future__ import annotations

import ctypes
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.c_function import address_of
from packtwin.twin.component import Component
from packtwin.twin.native_step import NATIVE_SIGNATURE, NativeStep
from packtwin.twin.step_report import StepReport

__all__ = ["NativeComponent", "python_step"]

Vector: TypeAlias = NDArray[np.float64]


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
    return NativeStep(
        function=address_of(callback), self=0, resume=resume, kept=(callback,)
    )
