"""Any PyBaMM model as a `Model`: equations with physical names, units and events.

    model = physics_model(Physics(family="DFN", parameter_set="Chen2020"))

Inputs are `current_A` (positive discharges), with a lumped temperature also
`ambient_temperature_K` and `heat_transfer_coefficient_W_per_m2K`, and
`ambient_temperature_K` alone where the cell is held at it. Parameters are `soc_start`
and, with a lumped temperature, `temperature_start_K`, then those that
`Physics.parameters` asks for. SOC 0 and 1 are the set's open-circuit voltage window at
its own parameter values; a changed parameter does not move the start stoichiometries.

States keep PyBaMM's names (`negative_particle_concentration_mol_per_m3[r,x]`, counted
from 1, from the centre and from the negative collector) and are physical values.
Algebraic residuals are PyBaMM's own, divided by the scale of their state. Events are
PyBaMM's terminations, under their names without unit.
"""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np
import pybamm

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.physics_build import (
    PYBAMM_ERRORS,
    Recipe,
    mesh_arguments,
    recipe_of,
)
from packtwin.pybamm_models.physics_definition import Family, Physics
from packtwin.pybamm_models.physics_equations import Equations, equations_of
from packtwin.pybamm_models.physics_interface import (
    entries_of,
    event_variables,
    interface_of,
    model_name,
    named_states,
    output_variables,
)
from packtwin.pybamm_models.physics_simulation import simulation_of
from packtwin.twin.errors import ModelError
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface

__all__ = ["Family", "Physics", "physics_model", "physics_of_cell", "simulation_of"]


def physics_of_cell(cell: Cell, family: Family = "DFN") -> Physics:
    """Return the physics of a shipped cell, lumped, with its window and mesh."""
    return Physics(
        family=family,
        parameter_set=cell.parameter_set,
        mesh=cell.mesh,
        is_flux_integrated=cell.is_flux_integrated and family == "DFN",
        overrides={
            "Lower voltage cut-off [V]": cell.stop_voltage_min_V,
            "Upper voltage cut-off [V]": cell.stop_voltage_max_V,
            "Open-circuit voltage at 0% SOC [V]": cell.voltage_min_V,
            "Open-circuit voltage at 100% SOC [V]": cell.voltage_max_V,
        },
    )


def physics_model(physics: Physics) -> Model:
    """Build the equations of `physics`.

    Raises:
        ModelError: PyBaMM cannot build it, or a `Model` cannot express it.
    """
    recipe = recipe_of(physics)
    interface = interface_of(physics, recipe)
    u = ca.MX.sym("u", len(interface.inputs))
    p = ca.MX.sym("p", len(interface.parameters))
    entries = entries_of(physics, recipe, u, p)
    try:
        built, discretisation = _discretised(physics, recipe, entries)
        events = tuple(
            event
            for event in built.events
            if event.event_type == pybamm.EventType.TERMINATION
        )
        equations = equations_of(built, discretisation, entries, recipe.outputs, events)
    except PYBAMM_ERRORS as error:
        message = (
            f"PyBaMM cannot build {physics.family} of `{physics.parameter_set}` with "
            f"options {physics.all_options}: {error}. Change options or parameters."
        )
        raise ModelError(message) from error
    _refuse_idle(physics, equations, p)
    return _model(physics, recipe, equations, (u, p), interface, events)


def _discretised(
    physics: Physics, recipe: Recipe, entries: dict[str, ca.MX]
) -> tuple[Any, Any]:
    """Do what `pybamm.Simulation.build` does, keeping the discretisation."""
    values = recipe.values.copy()
    values.update(dict.fromkeys(entries, "[input]"))
    model = recipe.model
    processed = values.process_model(
        model, inplace=False, delayed_variable_processing=True
    )
    geometry = model.default_geometry
    values.process_geometry(geometry)
    arguments = mesh_arguments(model, physics)
    mesh = pybamm.Mesh(geometry, arguments["submesh_types"], arguments["var_pts"])
    discretisation = pybamm.Discretisation(mesh, model.default_spatial_methods)
    built = discretisation.process_model(
        processed, inplace=False, delayed_variable_processing=True
    )
    return built, discretisation


def _model(
    physics: Physics,
    recipe: Recipe,
    equations: Equations,
    vectors: tuple[ca.MX, ca.MX],
    interface: Interface,
    events: tuple[Any, ...],
) -> Model:
    name = model_name(physics)
    u, p = vectors
    arguments = [equations.t, equations.x, equations.z, u, p]
    n_x, n_z = equations.x.numel(), equations.z.numel()

    def function(label: str, result: ca.MX) -> ca.Function:
        return ca.Function(f"{name}_{label}", arguments, [result])

    initial = ca.Function(
        f"{name}_initial", [u, p], [equations.initial[:n_x], equations.initial[n_x:]]
    )
    start_u, start_p = (
        [v.start for v in variables]
        for variables in (interface.inputs, interface.parameters)
    )
    starts = np.concatenate([part.full().ravel() for part in initial(start_u, start_p)])
    scales = ca.Function("scales", [u, p], [equations.scales])(start_u, start_p)
    states = named_states(equations.fields, starts, scales.full().ravel())
    outputs = ca.Function("outputs", arguments, [equations.outputs])(
        0.0, starts[:n_x], starts[n_x:], start_u, start_p
    )
    return Model(
        name=name,
        interface=Interface(
            inputs=interface.inputs,
            outputs=output_variables(recipe.outputs, outputs.full().ravel()),
            parameters=interface.parameters,
        ),
        states=states[:n_x],
        rhs=function("rhs", equations.rhs),
        outputs=function("outputs", equations.outputs),
        initial=initial,
        algebraic_states=states[n_x:],
        algebraic=function("algebraic", equations.algebraic) if n_z else None,
        events=event_variables(events),
        indicators=function("indicators", equations.indicators) if events else None,
        lookups=equations.lookups,
    )


def _refuse_idle(physics: Physics, equations: Equations, p: ca.MX) -> None:
    """Refuse a chosen parameter that the model with these options never reads."""
    used = ca.vertcat(
        equations.rhs,
        equations.algebraic,
        equations.outputs,
        equations.indicators,
        equations.initial,
    )
    is_used = ca.which_depends(used, p, 1, False)
    n_own = p.numel() - len(physics.parameters)
    idle = [
        name
        for name, flag in zip(physics.parameters, is_used[n_own:], strict=True)
        if not flag
    ]
    if idle:
        message = (
            f"{', '.join(f'`{name}`' for name in idle)} has no effect in "
            f"{physics.family} with options {physics.all_options}. Leave it out of "
            "`parameters` or choose the options that use it."
        )
        raise ModelError(message)
