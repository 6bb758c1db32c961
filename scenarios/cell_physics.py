"""A cell's physics behind the hybrid cell's ports: the exact part of `Switched`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import casadi as ca
import numpy as np

from packtwin.twin.cell_interface import cell_interface
from packtwin.twin.lookup import Lookup
from packtwin.twin.model import Model, names_to_symbols
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.table import Table
from packtwin.twin.variable import Interface

__all__ = ["PHYSICS_OUTPUTS", "TEMPERATURE", "cell_physics"]

TEMPERATURE = "volume_averaged_cell_temperature_K"
"""State of the physics that holds the cell's temperature."""
PHYSICS_OUTPUTS = (
    "voltage_V",
    "ocv_V",
    "soc",
    "temperature_K",
    "plating_potential_V",
    "heat_generation_W",
    "heat_reversible_W",
    "electrical_power_W",
    "stoichiometry_negative_surface",
    "stoichiometry_positive_surface",
    "stoichiometry_negative_mean",
    "stoichiometry_positive_mean",
)
"""What it says; the other outputs of the hybrid cell follow from these."""

_INPUTS = {"ambient_temperature_K": "coolant_temperature_K"}
_PARAMETERS = {"soc_start": "start_soc", "temperature_start_K": "start_temperature_K"}


def cell_physics(spec: SurrogateSpec, physics: Model) -> Model:
    """Return the physics with the inputs and parameters of the hybrid cell.

    A cell of other capacity is the physics at the current over the capacity factor,
    its heat times that factor in the same body; a further resistance adds its voltage
    and its heat. The electrical power is the mean over a step; all else holds at its
    end (a mean costs the integrator a row of its Jacobian).

    Args:
        spec: The hybrid cell, for ports, cooling area and heat capacity.
        physics: With a lumped temperature, as `physics_model` builds it.
    """
    ports = cell_interface()
    known = {v.name: v for v in ports.outputs}
    outputs = tuple(
        replace(known[name], sampling="mean" if name == "electrical_power_W" else "end")
        for name in PHYSICS_OUTPUTS
    )
    interface = replace(ports, outputs=outputs)
    u, U = names_to_symbols(ports.inputs, "u", ca.MX)
    p, P = names_to_symbols(ports.parameters, "p", ca.MX)
    t, x = ca.MX.sym("t"), ca.MX.sym("x", len(physics.states))
    z = ca.MX.sym("z", len(physics.algebraic_states))
    given = (t, x, z, *_given(physics.interface, U, P))
    arguments = [t, x, z, u, p]
    capacity = _heat_capacity(spec.tables["heat_content_J"])

    def function(label: str, value: Any) -> ca.Function:
        return ca.Function(f"{physics.name}_cell_{label}", arguments, [value])

    def same(label: str, own: ca.Function | None) -> ca.Function | None:
        return None if own is None else function(label, _inlined(own, given))

    current_A, factor = U["current_A"], P["capacity_factor"]
    lost_V = P["series_resistance_Ohm"] * current_A
    at = [v.name for v in physics.states].index(TEMPERATURE)
    cooling_W = (
        U["heat_transfer_coefficient_W_per_m2K"]
        * spec.constants.cooling_area_m2
        * (x[at] - U["coolant_temperature_K"])
    )
    further_W = (factor - 1.0) * cooling_W + lost_V * current_A
    rates = ca.vertsplit(_inlined(physics.rhs, given))
    rates[at] = factor * rates[at] + further_W / capacity.function()(x[at])
    return Model(
        name=f"{physics.name}_cell",
        interface=interface,
        states=physics.states,
        rhs=function("rhs", ca.vertcat(*rates)),
        outputs=function(
            "outputs", _outputs(physics, given, current_A, factor, lost_V)
        ),
        initial=ca.Function(
            f"{physics.name}_cell_initial",
            [u, p],
            physics.initial.call(list(given[3:]), True, False),
        ),
        algebraic_states=physics.algebraic_states,
        algebraic=same("algebraic", physics.algebraic),
        events=physics.events,
        indicators=same("indicators", physics.indicators),
        lookups=(*physics.lookups, capacity),
    )


def _given(ports: Interface, U: dict[str, Any], P: dict[str, Any]) -> tuple[Any, Any]:
    """Return inputs and parameters of the physics by those of the cell."""
    inputs = U | {"current_A": U["current_A"] / P["capacity_factor"]}
    return (
        ca.vertcat(*[inputs[_INPUTS.get(name, name)] for name in ports.input_names]),
        ca.vertcat(*[P[_PARAMETERS[name]] for name in ports.parameter_names]),
    )


def _outputs(
    physics: Model, given: tuple[Any, ...], current_A: Any, factor: Any, lost_V: Any
) -> Any:
    names = physics.interface.output_names
    y = dict(zip(names, ca.vertsplit(_inlined(physics.outputs, given)), strict=True))
    voltage_V = y["voltage_V"] - lost_V
    own_W = y["heat_irreversible_W"] + y["heat_reversible_W"]
    values = y | {
        "voltage_V": voltage_V,
        "heat_generation_W": factor * own_W + lost_V * current_A,
        "heat_reversible_W": factor * y["heat_reversible_W"],
        "electrical_power_W": voltage_V * current_A,
    }
    return ca.densify(ca.vertcat(*[values[name] for name in PHYSICS_OUTPUTS]))


def _inlined(function: ca.Function, arguments: tuple[Any, ...]) -> Any:
    """Call a function of one result by its expressions: they can be expanded."""
    return function.call(list(arguments), True, False)[0]


def _heat_capacity(heat_J: Table) -> Lookup:
    """Return the slope of the heat content over temperature."""
    n = len(heat_J.coefficients)
    c = heat_J.coefficients * heat_J.scale ** np.arange(4.0)
    slope = np.column_stack([c[:, 1], 2.0 * c[:, 2], 3.0 * c[:, 3], np.zeros(n)])
    return Lookup(
        name="cell_heat_capacity_J_per_K",
        breakpoints=np.linspace(heat_J.lower, heat_J.upper, n + 1),
        coefficients=slope,
    )
