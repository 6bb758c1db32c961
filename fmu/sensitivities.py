"""`FmuSensitivities`: exact derivatives of the steps of FMUs that packtwin exported.

Their binaries keep the last step in their state. Asked for the derivatives of
`state.NAME` and outputs together, they give those of that step: states and outputs
after it, by states before it and what was held over it. FMI leaves this open for
co-simulation, so no other FMU is asked; an annotation (`memoryCount`) tells that the
states shown are the whole memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

    With FMI 3.0 a gradient is one call. FMI 2.0 has tangents only: one call for every
    state, input and parameter.
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
        unknown = (*states, *mapped.outputs)
        self._n_x, self._n_u = len(states), len(mapped.inputs)
        self._known, self._unknown = _references(known), _references(unknown)
        # The memory stays in the FMU's own units.
        own = [1.0] * self._n_x
        self._known_factor = np.array([*own, *(m.factor for m in known[self._n_x :])])
        self._factor = np.array([*own, *(m.factor for m in mapped.outputs)])

    @property
    def memory_count(self) -> int:
        """Length of the memory."""
        return self._n_x

    def push_forward(self, taken: TakenStep, cause: Cause) -> Effect:
        """Return the tangents of memory and outputs."""
        self._restore(taken.after)
        memory = cause.memory if len(cause.memory) else np.zeros(self._n_x)
        seed = np.concatenate([memory, cause.inputs, cause.parameters])
        found = self._forward(seed / self._known_factor)
        return Effect(memory=found[: self._n_x], outputs=found[self._n_x :])

    def pull_back(self, taken: TakenStep, effect: Effect) -> Cause:
        """Return the gradients to memory, inputs and parameters."""
        self._restore(taken.after)
        weights = np.concatenate([effect.memory, effect.outputs])
        if not self._is_adjoint:
            units = np.eye(len(self._known_factor))
            found = np.array([self._forward(unit) @ weights for unit in units])
        elif weights.any():
            found = self._instance.derivative(
                self._unknown,
                self._known,
                weights * self._factor,
                len(self._known_factor),
                is_adjoint=True,
            )
        else:
            found = np.zeros(len(self._known_factor))
        found = found / self._known_factor
        memory, inputs, parameters = np.split(found, [self._n_x, self._n_x + self._n_u])
        if taken.is_start:
            memory = np.zeros(0)
        return Cause(memory=memory, inputs=inputs, parameters=parameters)

    def _forward(self, seed: Vector) -> Vector:
        count = len(self._factor)
        found = self._instance.derivative(self._unknown, self._known, seed, count)
        found *= self._factor
        return found


def _references(variables: Sequence[MappedVariable]) -> list[int]:
    """Return value references; the elements of an array share one."""
    found, at = [], 0
    while at < len(variables):
        found.append(variables[at].reference)
        at += variables[at].size
    return found
