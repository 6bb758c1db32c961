"""Which outputs depend at once on which inputs and parameters: sparsity patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.model import Model
from packtwin.twin.variable import Interface

__all__ = [
    "Dependencies",
    "dependencies_at_start",
    "dependencies_of_equations",
    "dependencies_of_model",
    "dependencies_of_start",
    "dependencies_of_states",
    "dependencies_of_step",
    "dependencies_through",
    "feedthrough_of",
]

Pattern: TypeAlias = NDArray[np.bool_]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """Positions of what each output depends on at once, ascending, by output.

    Attributes:
        on_inputs: Positions of inputs.
        on_parameters: Positions of parameters, at the start.
    """

    on_inputs: tuple[tuple[int, ...], ...]
    on_parameters: tuple[tuple[int, ...], ...]


def feedthrough_of(
    interface: Interface, dependencies: Dependencies
) -> frozenset[tuple[str, str]]:
    """Return pairs (input, output) by name."""
    return frozenset(
        (interface.input_names[k], output)
        for output, inputs in zip(
            interface.output_names, dependencies.on_inputs, strict=True
        )
        for k in inputs
    )


def dependencies_of_start(initialize: ca.Function) -> Dependencies:
    """Return the dependencies of a step map's `initialize`."""
    on_inputs, on_parameters = (
        _rows(_pattern(initialize.jac_sparsity(1, k))) for k in range(2)
    )
    return Dependencies(on_inputs=on_inputs, on_parameters=on_parameters)


def dependencies_of_step(step: ca.Function) -> Dependencies:
    """Return the dependencies through a step map's `step`."""
    on_inputs, on_parameters = (
        _rows(_pattern(step.jac_sparsity(1, k))) for k in (3, 4)
    )
    return Dependencies(on_inputs=on_inputs, on_parameters=on_parameters)


def dependencies_of_model(model: Model) -> Dependencies:
    """Return the dependencies: directly, by the start and by algebraic states.

    Algebraic states that share an equation are taken to depend on each other, so that
    there may be more dependencies than needed but never fewer.
    """
    return dependencies_at_start(model, model.outputs)


def dependencies_at_start(model: Model, function: ca.Function) -> Dependencies:
    """Return what a function of the model depends on at the start."""
    on_inputs, on_parameters = (_rows(_at_start(model, function, k)) for k in range(2))
    return Dependencies(on_inputs=on_inputs, on_parameters=on_parameters)


def dependencies_through(
    function: ca.Function, parts: Mapping[int, Dependencies], own: tuple[int, int]
) -> Dependencies:
    """Return the dependencies of a function's result on inputs and parameters.

    Args:
        function: With one result.
        parts: Dependencies of those arguments that are outputs themselves.
        own: Positions of the arguments that are the inputs and the parameters.
    """

    def rows(at: int, label: str) -> tuple[tuple[int, ...], ...]:
        pattern = _pattern(function.jac_sparsity(0, at))
        for k, part in parts.items():
            inner = np.zeros((function.numel_in(k), pattern.shape[1]), dtype=bool)
            for i, row in enumerate(getattr(part, label)):
                inner[i, list(row)] = True
            pattern |= _pattern(function.jac_sparsity(0, k)) @ inner
        return _rows(pattern)

    return Dependencies(
        on_inputs=rows(own[0], "on_inputs"), on_parameters=rows(own[1], "on_parameters")
    )


def dependencies_of_states(model: Model) -> Dependencies:
    """Return what each continuous state depends on at the start."""
    on_inputs, on_parameters = (
        _rows(_pattern(model.initial.jac_sparsity(0, k))) for k in range(2)
    )
    return Dependencies(on_inputs=on_inputs, on_parameters=on_parameters)


def dependencies_of_equations(
    model: Model, function: ca.Function
) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Return the positions of inputs and states that each of its results depends on.

    Directly and by algebraic states, the continuous states being independent.
    """
    n_x, n_u = len(model.states), len(model.interface.inputs)
    x = np.eye(n_x, dtype=bool)
    z = _algebraic_by(model, x, None)
    on_states = _rows(_through(function, x, z, None))
    fixed = np.zeros((n_x, n_u), bool)
    z = _algebraic_by(model, fixed, 0)
    on_inputs = _rows(_through(function, fixed, z, 0))
    return tuple(zip(on_inputs, on_states, strict=True))


def _at_start(model: Model, function: ca.Function, k: int) -> Pattern:
    x = _pattern(model.initial.jac_sparsity(0, k))
    return _through(function, x, _algebraic_by(model, x, k), k)


def _algebraic_by(model: Model, x: Pattern, k: int | None) -> Pattern:
    """Pattern of the algebraic states, given that of the continuous ones."""
    z = np.zeros((len(model.algebraic_states), x.shape[1]), bool)
    if model.algebraic is not None:
        appears = _pattern(model.algebraic.jac_sparsity(0, 2)).T
        while True:
            wider = z | (appears @ _through(model.algebraic, x, z, k))
            if bool((wider == z).all()):
                break
            z = wider
    return z


def _through(function: ca.Function, x: Pattern, z: Pattern, k: int | None) -> Pattern:
    """Pattern of a function's result, given those of the states."""
    by_x, by_z = (_pattern(function.jac_sparsity(0, j)) for j in (1, 2))
    result: Pattern = (by_x @ x) | (by_z @ z)
    if k is not None:
        result = result | _pattern(function.jac_sparsity(0, 3 + k))
    return result


def _pattern(sparsity: Any) -> Pattern:
    pattern = np.zeros(sparsity.shape, dtype=bool)
    rows, columns = sparsity.get_triplet()
    pattern[rows, columns] = True
    return pattern


def _rows(pattern: Pattern) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(k) for k in np.flatnonzero(row)) for row in pattern)
