"""Exact derivatives of a step map's steps with held inputs, substeps included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.sensitivities import Cause, Effect, TakenStep
from packtwin.twin.step_derivatives import derivative_functions
from packtwin.twin.step_map import StepMap

__all__ = ["StepMapSensitivities", "StepTangents"]

Vector: TypeAlias = NDArray[np.float64]


@final
class StepTangents:
    """The derivatives of a step map's two functions, made once.

    Attributes:
        step_map: What is differentiated.
    """

    def __init__(self, step_map: StepMap) -> None:
        """Differentiate the start and the step."""
        self.step_map = step_map
        self._functions = derivative_functions(
            step_map.name, step_map.initialize, step_map.step
        )

    def start_forward(self, *arguments: Vector) -> tuple[Vector, ...]:
        """`(u, p, du, dp) -> (d_memory, d_y)`."""
        return _flat(self._functions[0], arguments)

    def start_reverse(self, *arguments: Vector) -> tuple[Vector, ...]:
        """`(u, p, l_memory, l_y) -> (l_u, l_p)`."""
        return _flat(self._functions[1], arguments)

    def step_forward(self, *arguments: Vector | float) -> tuple[Vector, ...]:
        """`(memory, t, h, u, p, d_memory, d_h, d_u, d_p) -> (d_next, d_y)`."""
        return _flat(self._functions[2], arguments)

    def step_reverse(self, *arguments: Vector | float) -> tuple[Vector, ...]:
        """`(memory, t, h, u, p, l_next, l_y) -> (l_memory, l_u, l_p)`."""
        return _flat(self._functions[3], arguments)


@final
class StepMapSensitivities:
    """Sensitivities of a component made from a step map."""

    def __init__(self, tangents: StepTangents, p: Vector) -> None:
        """Take the parameters of the run.

        Args:
            tangents: Of the step map.
            p: Parameters.
        """
        self._tangents, self._map, self._p = tangents, tangents.step_map, p
        self._is_mean = self._map.is_mean_output

    @property
    def memory_count(self) -> int:
        """Length of the memory."""
        return self._map.n_memory

    def push_forward(self, taken: TakenStep, cause: Cause) -> Effect:
        """Return the tangents of memory and outputs."""
        u, p = taken.inputs, self._p
        if taken.is_start:
            d_memory, d_y = self._tangents.start_forward(
                u, p, cause.inputs, cause.parameters
            )
            return Effect(memory=d_memory, outputs=d_y)
        rows, d_rows = self._rows(u), self._rows(cause.inputs)
        memories, times, h = self._path(taken)
        d_memory, total = cause.memory, np.zeros(len(self._is_mean))
        d_y = total
        for memory, t in zip(memories, times, strict=True):
            d_memory, d_y = self._tangents.step_forward(
                memory, t, h, rows, p, d_memory, 0.0, d_rows, cause.parameters
            )
            total = total + d_y
        outputs = np.where(self._is_mean, total / len(memories), d_y)
        return Effect(memory=d_memory, outputs=outputs)

    def pull_back(self, taken: TakenStep, effect: Effect) -> Cause:
        """Return the gradients to memory, inputs and parameters."""
        u, p = taken.inputs, self._p
        if taken.is_start:
            l_u, l_p = self._tangents.start_reverse(u, p, effect.memory, effect.outputs)
            return Cause(memory=np.zeros(0), inputs=l_u, parameters=l_p)
        rows = self._rows(u)
        memories, times, h = self._path(taken)
        l_memory, l_u, l_p = effect.memory, np.zeros(len(u)), np.zeros(len(p))
        l_mean = np.where(self._is_mean, effect.outputs / len(memories), 0.0)
        l_y = np.where(self._is_mean, l_mean, effect.outputs)
        for memory, t in zip(reversed(memories), reversed(times), strict=True):
            l_memory, l_rows, one = self._tangents.step_reverse(
                memory, t, h, rows, p, l_memory, l_y
            )
            l_u, l_p = l_u + l_rows[: len(u)], l_p + one
            l_y = l_mean  # outputs at the end are those of the last substep
        return Cause(memory=l_memory, inputs=l_u, parameters=l_p)

    def _rows(self, u: Vector) -> Vector:
        """Return held inputs as the step map takes them."""
        rows = np.zeros(len(u) * (self._map.input_order + 1))
        rows[: len(u)] = u
        return rows

    def _path(self, taken: TakenStep) -> tuple[list[Vector], list[float], float]:
        """Return memory and time at the start of every substep, and their length."""
        n = self._map.substep_count(taken.span_s)
        h, rows = taken.span_s / n, self._rows(taken.inputs)
        times = [taken.start_s + i * h for i in range(n)]
        memories: list[Vector] = [taken.before[0]]
        for t in times[:-1]:
            now, _ = self._map.step(memories[-1], t, h, rows, self._p)
            memories.append(np.asarray(now.full(), dtype=np.float64).reshape(-1))
        return memories, times, h


def _flat(function: ca.Function, arguments: Sequence[Any]) -> tuple[Vector, ...]:
    return tuple(
        np.asarray(value.full(), dtype=np.float64).reshape(-1)
        for value in function.call(list(arguments))
    )
