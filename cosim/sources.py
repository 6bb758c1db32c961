"""`SignalSource`: a time table as a component, such as a drive cycle or the weather."""

from __future__ import annotations

import ctypes
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.c_function import c_function
from packtwin.twin.component import Capabilities, StepReport, seconds, ticks
from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.native_step import NativeStep
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Interface, Variable, nearest_names

__all__ = ["SignalSource"]

Vector: TypeAlias = NDArray[np.float64]

_FAR_TICK = 1 << 62
_LONGEST_TICK = 1 << 52  # what doubles count exactly, twice


class _Source(ctypes.Structure):
    _fields_ = (
        ("knots", ctypes.c_void_p),
        ("lengths", ctypes.c_void_p),
        ("values", ctypes.c_void_p),
        ("change", ctypes.c_void_p),
        ("is_mean", ctypes.c_void_p),
        ("n_row", ctypes.c_size_t),
        ("n", ctypes.c_size_t),
        ("row", ctypes.c_size_t),
        ("first", ctypes.c_longlong),
        ("last", ctypes.c_longlong),
    )


@final
class SignalSource:
    """Gives the columns of a table, linear or stepwise between its times.

    A column is given at the end of each step, or as its exact mean over the step.
    """

    def __init__(
        self,
        name: str,
        time_s: Sequence[float] | Vector,
        columns: Mapping[str, Sequence[float] | Vector],
        *,
        mean: Collection[str] = (),
        stepwise: Collection[str] = (),
        beyond: Literal["refuse", "hold"] = "refuse",
    ) -> None:
        """Make a source.

        Args:
            name: Name in the system.
            time_s: Times of the rows, increasing by at least 1 ns.
            columns: Output name -> its values, one a row.
            mean: Columns given as the mean over the step; the others at its end.
            stepwise: Columns that keep a row's value until the next row (flags); the
                others are linear between rows.
            beyond: Refuse steps outside the table, or hold its first and last row.
        """
        times = np.asarray(time_s, dtype=np.float64)
        self._name = name
        values = _stack(name, times, columns)
        for chosen in (*mean, *stepwise):
            if chosen not in columns:
                known = nearest_names(chosen, tuple(columns))
                msg = f"`{name}` has no column `{chosen}`; nearest: {known}."
                raise InterfaceError(msg)
        self._interface = Interface(
            outputs=tuple(
                Variable(
                    name=column,
                    start=float(values[0, i]),
                    sampling="mean" if column in mean else "end",
                    variability="discrete" if column in stepwise else "continuous",
                )
                for i, column in enumerate(columns)
            )
        )
        self._is_mean = np.array([column in mean for column in columns], dtype=bool)
        self._has_mean, self._has_end = self._is_mean.any(), not self._is_mean.all()
        knots = [ticks(float(t)) for t in times]
        self._first, self._last = knots[0], knots[-1]
        if beyond == "hold":
            self._first, self._last = -_FAR_TICK, _FAR_TICK
            knots = [-_FAR_TICK, *knots, _FAR_TICK]
            values = np.vstack([values[:1], values, values[-1:]])
        # Row i holds from knot i on; it changes by `change` until knot i + 1.
        is_linear = np.array([column not in stepwise for column in columns])
        change = np.diff(values, axis=0, append=values[-1:]) * is_linear
        self._knots, self._values, self._change = knots, values, change
        self._lengths = [b - a for a, b in pairwise(knots)] + [1]

    @property
    def name(self) -> str:
        """Name, unique in a system."""
        return self._name

    @property
    def interface(self) -> Interface:
        """One output per column."""
        return self._interface

    @property
    def capabilities(self) -> Capabilities:
        """It has no memory, so it can go anywhere."""
        return Capabilities(can_rewind=True)

    @property
    def feedthrough(self) -> frozenset[tuple[str, str]]:
        """None: it has no inputs."""
        return frozenset()

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Return the values at `tick`, also of columns given as means."""
        if not self._first <= tick <= self._last:
            raise StepError(self._outside(tick))
        return self._sample(tick)

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Give the columns of one step."""
        if tick < self._first or end_tick > self._last:
            return StepReport(
                outputs=self._values[-1].copy(),
                end_tick=tick,
                status=StepStatus.REFUSED,
                message=self._outside(end_tick),
            )
        if not self._has_mean:
            y = self._sample(end_tick)
        elif not self._has_end:
            y = self._mean(tick, end_tick)
        else:
            y = self._sample(end_tick)
            np.copyto(y, self._mean(tick, end_tick), where=self._is_mean)
        return StepReport(outputs=y, end_tick=end_tick)

    def native_step(self) -> NativeStep | None:
        """Return the step in C; None for rows further apart than it takes, 50 days.

        Raises:
            CompilerError: No C compiler, or it failed.
        """
        lengths = np.array(self._lengths, dtype=np.int64)
        if lengths[self._change.any(axis=1)].max(initial=0) > _LONGEST_TICK:
            return None
        knots = np.array(self._knots, dtype=np.int64)
        values, change = (np.ascontiguousarray(v) for v in (self._values, self._change))
        data = _Source(
            knots=knots.ctypes.data,
            lengths=lengths.ctypes.data,
            values=values.ctypes.data,
            change=change.ctypes.data,
            is_mean=self._is_mean.ctypes.data,
            n_row=len(knots),
            n=len(self._is_mean),
            row=0,
            first=self._first,
            last=self._last,
        )
        return NativeStep(
            function=c_function(
                "packtwin.cosim.c_sources", "source.c", "pt_source_step"
            ),
            self=ctypes.addressof(data),
            resume=lambda _, tick, end_tick, u: self.step(tick, end_tick, u),
            kept=(data, knots, lengths, values, change, self._is_mean),
        )

    def save(self) -> None:
        """Return nothing: there is no state."""

    def restore(self, state: None) -> None:
        """Do nothing: there is no state."""

    def close(self) -> None:
        """Nothing to free."""

    def _sample(self, tick: int) -> Vector:
        row = bisect_right(self._knots, tick) - 1
        part = (tick - self._knots[row]) / self._lengths[row]
        result: Vector = self._values[row] + part * self._change[row]
        return result

    def _mean(self, tick: int, end_tick: int) -> Vector:
        """Mean over the step: of each piece its length times its middle value."""
        first = bisect_right(self._knots, tick) - 1
        last = bisect_left(self._knots, end_tick) - 1
        total = np.zeros(len(self._is_mean))
        for row in range(first, last + 1):
            knot, length = self._knots[row], self._lengths[row]
            start, end = max(tick, knot), min(end_tick, knot + length)
            middle = ((start - knot) + (end - knot)) / (2 * length)
            value = self._values[row] + middle * self._change[row]
            total += (end - start) / (end_tick - tick) * value
        return total

    def _outside(self, tick: int) -> str:
        return (
            f"{seconds(tick):.9g} s is outside the table of `{self._name}`, "
            f"{seconds(self._first):.9g} s to {seconds(self._last):.9g} s; give a "
            'longer table or choose `beyond="hold"`'
        )


def _stack(
    name: str, times: Vector, columns: Mapping[str, Sequence[float] | Vector]
) -> Vector:
    n_row = times.size
    if times.ndim != 1 or n_row < 2 or not np.isfinite(times).all():
        msg = f"The times of `{name}` must be two or more finite seconds in one axis."
        raise InterfaceError(msg)
    if min(ticks(float(dt)) for dt in np.diff(times)) < 1:
        msg = (
            f"The times of `{name}` must increase by at least 1e-9 s from row to row; "
            f"the smallest difference is {np.diff(times).min():g} s."
        )
        raise InterfaceError(msg)
    if not columns:
        msg = f"`{name}` has no columns; give at least one."
        raise InterfaceError(msg)
    stacked = []
    for column, values in columns.items():
        array = np.asarray(values, dtype=np.float64)
        if array.shape != (n_row,) or not np.isfinite(array).all():
            msg = (
                f"Column `{column}` of `{name}` has shape {array.shape}, expected "
                f"({n_row},) finite values, one a row."
            )
            raise InterfaceError(msg)
        stacked.append(array)
    return np.column_stack(stacked)
