"""The same discretised equations solved by PyBaMM: the reference of a `Model`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pybamm

from packtwin.pybamm_models.physics_build import (
    CURRENT,
    PYBAMM_ERRORS,
    mesh_arguments,
    recipe_of,
)
from packtwin.pybamm_models.physics_definition import Physics
from packtwin.pybamm_models.physics_interface import entries_of, interface_of
from packtwin.twin.errors import InterfaceError, ModelError

__all__ = ["ABSOLUTE_TOLERANCE", "RELATIVE_TOLERANCE", "Profile", "simulation_of"]

Profile: TypeAlias = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]

# atol 1e-8 fails at t = 0 on a current that starts from zero (IDA_BAD_K).
RELATIVE_TOLERANCE, ABSOLUTE_TOLERANCE = 1e-6, 1e-7


def simulation_of(
    physics: Physics,
    current_A: float | Profile | None,
    starts: Mapping[str, float] | None = None,
    *,
    solver: Any = None,
) -> Any:
    """Return a `pybamm.Simulation` of exactly the equations of `physics_model`.

    Its variables include the model's outputs under the same names.

    Args:
        physics: What to build.
        current_A: Constant, or knots `(time_s, current_A)` with lines between them;
            None leaves it to the `inputs` of `solve` or `step`, as `CURRENT`.
        starts: Values of inputs and parameters by the model's names; the others keep
            the model's start values.
        solver: A PyBaMM solver; IDAKLU with 1e-6 relative and 1e-7 absolute if None.

    Raises:
        ModelError: PyBaMM cannot build it, or a start value is unknown or out of range.
    """
    recipe = recipe_of(physics)
    try:
        interface = interface_of(physics, recipe).with_starts(dict(starts or {}))
    except InterfaceError as error:
        message = f"Simulation of `{physics.parameter_set}`: {error}"
        raise ModelError(message) from error
    u, p = (
        [v.start for v in variables]
        for variables in (interface.inputs, interface.parameters)
    )
    values = recipe.values.copy()
    values.update(entries_of(physics, recipe, u, p) | {CURRENT: _current(current_A)})
    try:
        simulation = pybamm.Simulation(
            recipe.model,
            parameter_values=values,
            solver=solver
            or pybamm.IDAKLUSolver(rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE),
            **mesh_arguments(recipe.model, physics),
        )
        simulation.build()
    except PYBAMM_ERRORS as error:
        message = (
            f"PyBaMM cannot build {physics.family} of `{physics.parameter_set}` with "
            f"options {physics.all_options}: {error}. Change options or parameters."
        )
        raise ModelError(message) from error
    return simulation


def _current(current_A: float | Profile | None) -> Any:
    if current_A is None:
        return "[input]"
    if isinstance(current_A, tuple):
        time_s, level_A = current_A
        return pybamm.Interpolant(time_s, level_A, pybamm.t, interpolator="linear")
    return float(current_A)
