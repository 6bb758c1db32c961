"""`FmuSensitivities`: exact derivatives of the steps of FMUs that packtwin exported.

Their binaries keep the last step in their state, and FMI's derivatives of `state.NAME`
and of means over the step are those of that step: unknowns after it, knowns before it.
Outputs at the end of a step are differentiated there, with the states there as knowns.
FMI leaves this open for co-simulation, so no other FMU is asked; an annotation
(`memoryCount`) tells that the states shown are the whole memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.fmu.description import (
    memory_count,
    provides_adjoint_derivatives,
    provides_directional_derivatives,
)
from packtwin.fmu.file import FmuFile
from packtwin.fmu.mapped_interface import MappedInterface
from packtwin.fmu.stepping import AbstractStepping
from packtwin.fmu.variable_map import MappedVariable, map_variable
from packtwin.twin.sensitivities import Cause, Effect, TakenStep

__all__ = ["FmuSensitivities", "fmu_sensitivities"]

Vector: TypeAlias = NDArray[np.float64]

_REAL = ("Real", "Float64")


def fmu_sensitivities(
    file: FmuFile,
    mapped: MappedInterface,
    instance: AbstractStepping,
    restore: Callable[[Any], None],
) -> FmuSensitivities | None:
    """Return the sensitivities of an instance for co-simulation, or None.

    Args:
        file: The FMU.
        mapped: Its variables.
        instance: What is stepped.
        restore: Goes back to a state that the component saved.
    """
    count = memory_count(file.root)
    if count is None or not provides_directional_derivatives(file.root, "CoSimulation"):
        return None
    states = [
        m
        for v in file.description.modelVariables
        if v.name.startswith("state.") and v.causality == "local" and v.type in _REAL
        for m in map_variable(v, {})
    ]
    ports = (*mapped.inputs, *mapped.outputs, *mapped.parameters)
    if len(states) != count or any(m.kind not in _REAL for m in ports):
        return None
    is_adjoint = provides_adjoint_derivatives(file.root, "CoSimulation")
    return FmuSensitivities(states, mapped, instance, restore, is_adjoint=is_adjoint)


@final
class FmuSensitivities:
    """Derivatives of the steps of one instance.

    With FMI 3.0 a gradient is two calls. FMI 2.0 has tangents only: one pair of calls
    for every state, input and parameter.
    """

    def __init__(
        self,
        states: Sequence[MappedVariable],
        mapped: MappedInterface,
        instance: AbstractStepping,
        restore: Callable[[Any], None],
        *,
        is_adjoint: bool,
    ) -> None:
        """Prepare the calls.

        Args:
            states: The whole memory.
            mapped: The other variables.
            instance: What is stepped.
            restore: Goes back to a saved state.
            is_adjoint: Whether it gives adjoint derivatives.
        """
        self._instance, self._restore = instance, restore
        self._is_adjoint = is_adjoint
        known = (*states, *mapped.inputs, *mapped.parameters)
        is_mean = np.array([m.variable.sampling == "mean" for m in mapped.outputs])
        self._at_end, self._over_step = (
            np.flatnonzero(~is_mean),
            np.flatnonzero(is_mean),
        )
        of_step = (*states, *(mapped.outputs[i] for i in self._over_step))
        at_end = [mapped.outputs[i] for i in self._at_end]
        self._n_x, self._n_u = len(states), len(mapped.inputs)
        self._n_known, self._n_y = len(known), len(mapped.outputs)
        self._known = _references(known)
        self._of_step, self._of_end = _references(of_step), _references(at_end)
        # The memory stays in the FMU's own units, which are ours.
        ones = np.ones(self._n_x)
        self._known_factor = np.concatenate(
            [ones, [m.factor for m in known[self._n_x :]]]
        )
        self._factor = np.array([m.factor for m in mapped.outputs])

    @property
    def memory_count(self) -> int:
        """Length of the memory."""
        return self._n_x

    def push_forward(self, taken: TakenStep, cause: Cause) -> Effect:
        """Return the tangents of memory and outputs."""
        self._restore(taken.after)
        memory = cause.memory if len(cause.memory) else np.zeros(self._n_x)
        seed = np.concatenate([memory, cause.inputs, cause.parameters])
        return self._forward(seed / self._known_factor)

    def pull_back(self, taken: TakenStep, effect: Effect) -> Cause:
        """Return the gradients to memory, inputs and parameters."""
        self._restore(taken.after)
        weights = effect.outputs * self._factor
        if self._is_adjoint:
            found = self._reverse(effect.memory, weights)
        else:
            found = self._by_columns(effect)
        found = found / self._known_factor
        memory, inputs, parameters = np.split(found, [self._n_x, self._n_x + self._n_u])
        if taken.is_start:
            memory = np.zeros(0)
        return Cause(memory=memory, inputs=inputs, parameters=parameters)

    def _forward(self, seed: Vector) -> Effect:
        call, known = self._instance.derivative, self._known
        of_step = np.zeros(self._n_x + len(self._over_step))
        if self._of_step:
            of_step = call(self._of_step, known, seed, len(of_step))
        outputs = np.zeros(self._n_y)
        outputs[self._over_step] = of_step[self._n_x :]
        if self._of_end:
            now = np.concatenate([of_step[: self._n_x], seed[self._n_x :]])
            n_end = len(self._at_end)
            outputs[self._at_end] = call(self._of_end, known, now, n_end)
        return Effect(memory=of_step[: self._n_x], outputs=outputs * self._factor)

    def _reverse(self, memory: Vector, weights: Vector) -> Vector:
        found, n = np.zeros(self._n_known), self._n_known
        call = partial(self._instance.derivative, is_adjoint=True)
        if weights[self._at_end].any():
            found = call(self._of_end, self._known, weights[self._at_end], n)
        through, found[: self._n_x] = found[: self._n_x] + memory, 0.0
        seed = np.concatenate([through, weights[self._over_step]])
        if not seed.any():
            return found
        return found + call(self._of_step, self._known, seed, n)

    def _by_columns(self, effect: Effect) -> Vector:
        found = np.zeros(self._n_known)
        for i in range(self._n_known):
            seed = np.zeros(self._n_known)
            seed[i] = 1.0
            column = self._forward(seed)
            found[i] = column.memory @ effect.memory + column.outputs @ effect.outputs
        return found


def _references(variables: Sequence[MappedVariable]) -> list[int]:
    """Return value references; the elements of an array share one."""
    found, at = [], 0
    while at < len(variables):
        found.append(variables[at].reference)
        at += variables[at].size
    return found
