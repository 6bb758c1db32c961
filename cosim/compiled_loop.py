"""`CompiledLoop`: the steps of a `Stepper` in C, with the same bits.

Components that have a step in C are called directly, the others through Python. What a
component does out of the ordinary (an event, a refusal, an error) is finished in Python
and the loop goes on after it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.stepper import Stepper
from packtwin.cosim.stop_condition import StopCondition
from packtwin.cosim.time_grid import TimeGrid
from packtwin.twin.c_function import c_function
from packtwin.twin.component import StepReport
from packtwin.twin.native_component import NativeComponent, python_step
from packtwin.twin.native_step import NativeStep

__all__ = ["CompiledLoop"]

Vector: TypeAlias = NDArray[np.float64]

_RELATIONS = {">=": 0, "<=": 1, ">": 2, "<": 3}


class _Slot(ctypes.Structure):
    _fields_ = (
        ("step", ctypes.c_void_p),
        ("self", ctypes.c_void_p),
        ("n_u", ctypes.c_int),
        ("n_y", ctypes.c_int),
        ("places", ctypes.c_void_p),
        ("factors", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("u", ctypes.c_void_p),
        ("y", ctypes.c_void_p),
        ("target", ctypes.c_void_p),
    )


class _Stop(ctypes.Structure):
    _fields_ = (
        ("signal", ctypes.c_longlong),
        ("relation", ctypes.c_int),
        ("bound", ctypes.c_double),
    )


class _Loop(ctypes.Structure):
    _fields_ = (
        ("slots", ctypes.POINTER(_Slot)),
        ("n_slot", ctypes.c_int),
        ("both", ctypes.c_void_p),
        ("n_now", ctypes.c_longlong),
        ("has_previous", ctypes.c_int),
        ("columns", ctypes.c_void_p),
        ("n_column", ctypes.c_longlong),
        ("stops", ctypes.POINTER(_Stop)),
        ("n_stop", ctypes.c_int),
    )


class _End(ctypes.Structure):
    _fields_ = (
        ("done", ctypes.c_longlong),
        ("slot", ctypes.c_int),
        ("status", ctypes.c_int),
        ("stop", ctypes.c_int),
    )


@final
class CompiledLoop:
    """A started run that takes many steps at once.

    Attributes:
        native_names: Components that are stepped without Python.
        taken: Steps taken by the last `advance`, also if it failed.
    """

    def __init__(
        self,
        stepper: Stepper,
        columns: NDArray[np.intp],
        stops: Sequence[tuple[int, StopCondition]],
    ) -> None:
        """Lay out a started run in C.

        Args:
            stepper: The run, initialized.
            columns: Places of the signals to record.
            stops: Conditions that end the run, each with the place of its signal.

        Raises:
            CompilerError: No C compiler; the loop in Python gives the same results.
        """
        self._stepper = stepper
        self._run = _runner()
        self._steps = [_native(slot.component) for slot in stepper.slots]
        self.native_names = tuple(
            slot.component.name
            for slot, (_, is_native) in zip(stepper.slots, self._steps, strict=True)
            if is_native
        )
        self.taken = 0
        self._columns = columns.astype(np.int64)
        self._kept: list[Any] = []
        self._outputs = [np.zeros(len(slot.outputs)) for slot in stepper.slots]
        self._conditions = tuple(stops)
        self._slots = (_Slot * len(stepper.slots))()
        for i in range(len(stepper.slots)):
            self._lay_out(i)
        self._stops = (_Stop * len(stops))(
            *(_Stop(place, _RELATIONS[s.relation], s.bound) for place, s in stops)
        )
        self._loop = _Loop(
            slots=self._slots,
            n_slot=len(self._slots),
            both=stepper.both.ctypes.data,
            n_now=len(stepper.values),
            has_previous=stepper.has_previous,
            columns=self._columns.ctypes.data,
            n_column=len(self._columns),
            stops=self._stops,
            n_stop=len(self._stops),
        )

    def _lay_out(self, i: int) -> None:
        slot, structure = self._stepper.slots[i], self._slots[i]
        step = self._steps[i][0]
        places = slot.indices.astype(np.int64)
        y = self._outputs[i]
        self._kept += [places, step]
        structure.step, structure.self = step.function, step.self
        structure.n_u, structure.n_y = len(slot.inputs), len(slot.outputs)
        structure.places = places.ctypes.data
        if slot.factors is not None:
            structure.factors = slot.factors.ctypes.data
            structure.offsets = slot.offsets.ctypes.data
        structure.u, structure.y = slot.u.ctypes.data, y.ctypes.data
        structure.target = self._stepper.both.ctypes.data + 8 * slot.target.start

    def advance(self, grid: TimeGrid, first: int, rows: Vector) -> tuple[int, int]:
        """Take steps; see `Loop.advance`."""
        ticks = grid.ticks(first, len(rows) + 1)
        end = _End()
        self.taken = 0
        while self.taken < len(rows):
            at = self.taken
            self._run(
                ctypes.byref(self._loop),
                ctypes.c_void_p(ticks[at:].ctypes.data),
                ctypes.c_longlong(len(rows) - at),
                ctypes.c_void_p(rows[at:].ctypes.data),
                ctypes.byref(end),
            )
            self.taken += end.done
            if end.stop >= 0:
                return self.taken, end.stop
            if end.slot >= 0:
                k = self.taken
                self._finish(int(ticks[k]), int(ticks[k + 1]), end)
                rows[k] = self._stepper.values[self._columns]
                self.taken += 1
                met = self._met()
                if met >= 0:
                    return self.taken, met
        return self.taken, -1

    def _finish(self, tick: int, end_tick: int, end: _End) -> None:
        """Finish a step in Python, from the component that stopped it on."""
        i, status = end.slot, end.status

        def step(_tick: int, _end_tick: int, u: Vector) -> StepReport:
            if status:
                report: StepReport = self._steps[i][0].resume(status, tick, end_tick, u)
                return report
            return StepReport(outputs=self._outputs[i].copy(), end_tick=end_tick)

        self._stepper.take_over(i, step, tick, end_tick)

    def _met(self) -> int:
        values = self._stepper.values
        for i, (place, condition) in enumerate(self._conditions):
            if condition.is_met(float(values[place])):
                return i
        return -1


def _native(component: Any) -> tuple[NativeStep, bool]:
    if isinstance(component, NativeComponent):
        step = component.native_step()
        if step is not None:
            return step, True
    return python_step(component), False


def _runner() -> Any:
    address = c_function("packtwin.cosim.c_sources", "loop.c", "pt_loop_run")
    return ctypes.CFUNCTYPE(
        None, *[ctypes.c_void_p] * 2, ctypes.c_longlong, *[ctypes.c_void_p] * 2
    )(address)
