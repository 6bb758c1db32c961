"""The variables of a physics `Model`: inputs, parameters, states, outputs, events."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.identification_entries import shifted
from packtwin.pybamm_models.physics_build import (
    AMBIENT,
    COOLING,
    CURRENT,
    INITIAL_CONCENTRATION,
    INITIAL_TEMPERATURE,
    MAXIMUM_CONCENTRATION,
    Recipe,
)
from packtwin.pybamm_models.physics_definition import Physics
from packtwin.pybamm_models.physics_names import name_of
from packtwin.pybamm_models.physics_parameters import is_never_negative, number_of
from packtwin.pybamm_models.physics_states import Field
from packtwin.twin.errors import ModelError
from packtwin.twin.variable import Interface, Variable

__all__ = [
    "entries_of",
    "event_variables",
    "interface_of",
    "model_name",
    "named_states",
    "output_variables",
]

_SOC_START = 0.5
_DETERMINED = {
    CURRENT,
    AMBIENT,
    COOLING,
    INITIAL_TEMPERATURE,
    *INITIAL_CONCENTRATION.values(),
}
_TEMPERATURE_K = 298.15


def model_name(physics: Physics) -> str:
    """Return a C identifier such as `dfn_chen2020`."""
    stem = physics.parameter_set
    stem = Path(stem).stem if stem.endswith(".json") else stem
    return re.sub(r"\W+", "_", f"{physics.family}_{stem}".lower()).strip("_")


def interface_of(physics: Physics, recipe: Recipe) -> Interface:
    """Return inputs and parameters of the model; its outputs come later.

    Raises:
        ModelError: a chosen parameter is an input or follows from the start.
    """
    own = _DETERMINED & set(physics.parameters)
    if own:
        message = (
            f"{', '.join(f'`{name}`' for name in sorted(own))} cannot be chosen in "
            "`parameters`: it is an input or follows from `soc_start` and "
            "`temperature_start_K`. Leave it out."
        )
        raise ModelError(message)
    ambient_K = _number_or(AMBIENT, recipe, _TEMPERATURE_K)
    inputs = [
        Variable(name="current_A", description="Current, positive on discharge."),
        Variable(
            name="ambient_temperature_K",
            description="Temperature of the surroundings."
            if physics.is_lumped
            else "Temperature of the cell.",
            start=ambient_K,
            minimum=0.0,
            nominal=300.0,
        ),
    ]
    parameters = [
        Variable(
            name="soc_start",
            description="State of charge at the start, in the set's voltage window.",
            start=_SOC_START,
            minimum=0.0,
            maximum=1.0,
            variability="fixed",
        )
    ]
    if physics.is_lumped:
        inputs.append(
            Variable(
                name="heat_transfer_coefficient_W_per_m2K",
                description="From the cooled surface to the surroundings.",
                start=_number_or(COOLING, recipe, 10.0),
                minimum=0.0,
                nominal=10.0,
            )
        )
        parameters.append(
            Variable(
                name="temperature_start_K",
                description="Temperature of the cell at the start.",
                start=_number_or(INITIAL_TEMPERATURE, recipe, ambient_K),
                minimum=0.0,
                nominal=300.0,
                variability="fixed",
            )
        )
    for name in physics.parameters:
        value = number_of(name, recipe.values)
        parameters.append(
            Variable(
                name=name_of(name),
                description=f"PyBaMM: {name}.",
                start=value,
                minimum=0.0 if is_never_negative(name) else -math.inf,
                nominal=abs(value) or 1.0,
                variability="fixed",
            )
        )
    return Interface(inputs=tuple(inputs), parameters=tuple(parameters))


def _number_or(name: str, recipe: Recipe, otherwise: float) -> float:
    try:
        return number_of(name, recipe.values)
    except (KeyError, ModelError):
        return otherwise


def entries_of(physics: Physics, recipe: Recipe, u: Any, p: Any) -> dict[str, Any]:
    """Return every PyBaMM parameter that inputs and parameters determine.

    Args:
        physics: What is built.
        recipe: Its parameters.
        u: Inputs by index, numbers or CasADi scalars.
        p: Parameters likewise.
    """
    n_own = 2 if physics.is_lumped else 1
    chosen = {name: p[n_own + i] for i, name in enumerate(physics.parameters)}
    window, soc = recipe.window, p[0]
    stoichiometry = {
        "negative": window.x0 + soc * (window.x100 - window.x0),
        "positive": window.y0 + soc * (window.y100 - window.y0),
    }
    entries = {CURRENT: u[0], AMBIENT: u[1]}
    entries[INITIAL_TEMPERATURE] = p[1] if physics.is_lumped else u[1]
    if physics.is_lumped:
        entries[COOLING] = u[2]
    for side, value in stoichiometry.items():
        maximum = MAXIMUM_CONCENTRATION[side]
        c_max = chosen.get(maximum, number_of(maximum, recipe.values))
        entries[INITIAL_CONCENTRATION[side]] = shifted(side, value, chosen) * c_max
    return entries | chosen


def named_states(
    fields: tuple[Field, ...],
    starts: npt.NDArray[np.float64],
    scales: npt.NDArray[np.float64],
) -> tuple[Variable, ...]:
    """Return one variable per scalar state, in order."""
    states: list[Variable] = []
    for field in fields:
        begin = len(states)
        states += field.variables(
            starts[begin : begin + field.size], float(scales[begin])
        )
    return tuple(states)


def output_variables(
    names: tuple[str, ...], starts: npt.NDArray[np.float64]
) -> tuple[Variable, ...]:
    """Return the outputs with their values at the guess of the start."""
    return tuple(
        Variable(name=name, start=float(start))
        for name, start in zip(names, starts, strict=True)
    )


def event_variables(events: tuple[Any, ...]) -> tuple[Variable, ...]:
    """Return one variable per termination event; names without unit."""
    return tuple(
        Variable(
            name=name_of(event.name, has_unit=False),
            description=f"{event.name} was reached.",
        )
        for event in events
    )
