"""`switched_cell`: the hybrid cell that falls back to the DFN it was learned from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import casadi as ca
import numpy as np

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.physics import Family, physics_model, physics_of_cell
from packtwin.scenarios.cell_physics import TEMPERATURE, cell_physics
from packtwin.twin.errors import InterfaceError
from packtwin.twin.implicit import implicit_source
from packtwin.twin.model import Model
from packtwin.twin.pack import DEFAULT_DOMAIN
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate_core import view_core
from packtwin.twin.surrogate_model import cell_model, cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.switched import Guard, Lift, Switched
from packtwin.twin.trust import UNKNOWN_BOUND_V

__all__ = ["PHYSICS_BOUND_V", "cell_guard", "cell_lift", "switched_cell"]

PHYSICS_BOUND_V = 2e-3
"""What 95 % of the errors of the physics after a switch are smaller than."""

# How far outside the certified ranges the guard's distance has grown by 1.
_WIDTH_K, _WIDTH_C_RATE, _WIDTH_SOC = 5.0, 0.5, 0.05
_ROUNDING = 2e-3  # of that distance, at a border: no excursion
# Changes that matter of current over capacity, of coolant and heat transfer.
_SCALE_C_RATE, _SCALE_K, _SCALE_W_per_m2K = 1.0, 10.0, 20.0
_SIDES = ("negative", "positive")


def switched_cell(
    spec: SurrogateSpec,
    cell: Cell,
    *,
    family: Family = "DFN",
    dwell_s: float = 240.0,
    bound_V: float | None = None,
    name: str = "",
) -> Switched:
    """Return the hybrid cell with its physics behind it.

    Args:
        spec: The trained cell.
        cell: What it was learned from; its mesh is that of the fallback.
        family: The physics that answers: the DFN, or one that is cheaper and has errors
            of its own.
        dwell_s: For how long the physics answers at least.
        bound_V: What it states as its bounds: by default those of the DFN on the mesh
            of the truth, and for another family that nothing is known.
        name: C identifier; by default that of the spec and `_switched`.

    Raises:
        ModelError: PyBaMM cannot build the physics.
    """
    known_V = PHYSICS_BOUND_V if family == "DFN" else UNKNOWN_BOUND_V
    fast = replace(cell_step_map(spec), equations=cell_model(spec))
    model = cell_physics(spec, physics_model(physics_of_cell(cell, family)))
    return Switched(
        name=name or f"{spec.name}_switched",
        fast=fast,
        exact=implicit_source(model),
        guard=cell_guard(spec, fast, dwell_s=dwell_s),
        lift=cell_lift(spec, fast, model),
        project=_project(spec, fast, model),
        answer=_answer(spec, fast, model, known_V if bound_V is None else bound_V),
    )


def cell_guard(spec: SurrogateSpec, fast: StepMap, *, dwell_s: float = 240.0) -> Guard:
    """Return the guard: the learned distance and the certificate's ranges.

    Args:
        spec: With its certificate; without one the guard always trips.
        fast: Its step map.
        dwell_s: For how long the physics answers at least.
    """
    y, Y = _named("y", fast.interface.output_names)
    u, U = _named("u", fast.interface.input_names)
    p, P = _named("p", fast.interface.parameter_names)
    d = spec.certificate.get("domain", DEFAULT_DOMAIN)
    rate = U["current_A"] / (P["capacity_factor"] * spec.constants.nominal_capacity_Ah)
    T, soc = Y["temperature_K"], Y["soc"]
    beyond = [
        (d["temperature_minimum_K"] - T) / _WIDTH_K,
        (T - d["temperature_maximum_K"]) / _WIDTH_K,
        (rate - d["discharge_rate_maximum"]) / _WIDTH_C_RATE,
        (-rate - d["charge_rate_maximum"]) / _WIDTH_C_RATE,
        (d["soc_minimum"] - soc) / _WIDTH_SOC,
        (soc - d["soc_maximum"]) / _WIDTH_SOC,
        # Cold cells are certified for smaller currents only.
        ca.fmin(
            (d.get("cold_below_K", 0.0) - T) / _WIDTH_K,
            (ca.fabs(rate) - d.get("cold_rate_maximum", 0.0)) / _WIDTH_C_RATE,
        ),
    ]
    distance = Y["domain_distance"]
    for excess in beyond:
        distance = ca.fmax(distance, 1.0 + excess - _ROUNDING)
    return Guard(
        distance=ca.Function("distance", [y, u, p], [distance]), dwell_s=dwell_s
    )


def cell_lift(spec: SurrogateSpec, fast: StepMap, model: Model) -> Lift:
    """Return the lift of a cell: lithium of both electrodes and temperature are kept.

    Args:
        spec: The trained cell.
        fast: Its step map.
        model: As `cell_physics` returns it.
    """
    memory, x = ca.MX.sym("memory", fast.n_memory), ca.MX.sym("x", len(model.states))
    *core, heat_J = ca.vertsplit(memory)
    view = view_core(spec.constants, core)
    new = x
    for side, wanted in zip(_SIDES, (view.x, view.y), strict=True):
        weight = _mean_weights(model, side)
        spread = (weight != 0.0).astype(float)
        short = wanted - ca.mtimes(ca.DM(weight).T, x)
        new = new + ca.DM(spread / (weight @ spread)) * short
    at = _temperature_index(model)
    new[at] = spec.tables["temperature_K"].casadi(heat_J)
    p = ca.MX.sym("p", len(fast.interface.parameters))
    scales = {
        "current_A": _SCALE_C_RATE * spec.constants.nominal_capacity_Ah,
        "coolant_temperature_K": _SCALE_K,
        "heat_transfer_coefficient_W_per_m2K": _SCALE_W_per_m2K,
    }
    return Lift(
        correct=ca.Function("correct", [memory, x, p], [new]),
        scales=tuple(scales[name] for name in fast.interface.input_names),
    )


def _project(spec: SurrogateSpec, fast: StepMap, model: Model) -> ca.Function:
    """Return the shadow's memory with the physics' lithium and temperature."""
    memory, x = ca.MX.sym("memory", fast.n_memory), ca.MX.sym("x", len(model.states))
    *core, _ = ca.vertsplit(memory)
    view = view_core(spec.constants, core)
    new: list[Any] = []
    particles = (spec.constants.negative_particle, spec.constants.positive_particle)
    for side, mean, particle in zip(_SIDES, (view.x, view.y), particles, strict=True):
        short = ca.mtimes(ca.DM(_mean_weights(model, side)).T, x) - mean
        begin = len(new)
        new += [s + short for s in core[begin : begin + particle.n_shell]]
    new += core[len(new) :]
    T = x[_temperature_index(model)]
    heat_J = spec.tables["heat_content_J"].casadi(T)
    for _ in range(3):  # the two tables are inverse to fractions of a millikelvin
        value, slope = spec.tables["temperature_K"].casadi_with_slope(heat_J)
        heat_J = heat_J + (T - value) / slope
    p = ca.MX.sym("p", len(fast.interface.parameters))
    return ca.Function("project", [x, memory, p], [ca.vertcat(*new, heat_J)])


def _answer(
    spec: SurrogateSpec, fast: StepMap, model: Model, bound_V: float
) -> ca.Function:
    """Return the physics' outputs; heat is what warmed the cell and what left it.

    The heat that leaves is the mean over the step of the coefficient times the
    temperature difference (by the trapezoidal rule), so that heat, stored heat,
    electrical and chemical power balance exactly.
    """
    n, c = fast.n_memory, spec.constants
    before, after, h = ca.MX.sym("before", n), ca.MX.sym("after", n), ca.MX.sym("h")
    y_fast, Y = _named("y_fast", fast.interface.output_names)
    y_exact, E = _named("y_exact", model.interface.output_names)
    u, U = _named("u", fast.interface.input_names)
    p = ca.MX.sym("p", len(fast.interface.parameters))
    temperature = spec.tables["temperature_K"]
    mean_K = 0.5 * (
        temperature.casadi(before[n - 1]) + temperature.casadi(after[n - 1])
    )
    to_coolant_W = (
        U["heat_transfer_coefficient_W_per_m2K"]
        * c.cooling_area_m2
        * (mean_K - U["coolant_temperature_K"])
    )
    stored_J = after[n - 1]
    warming_W = (stored_J - before[n - 1]) / ca.if_else(h > 0.0, h, 1.0)
    heat_W = ca.if_else(h > 0.0, to_coolant_W + warming_W, E["heat_generation_W"])
    electrical_W, reversible_W = E["electrical_power_W"], E["heat_reversible_W"]
    values = E | {
        "heat_generation_W": heat_W,
        "heat_mixing_W": heat_W
        - reversible_W
        - (E["ocv_V"] * U["current_A"] - electrical_W),
        "heat_cell_to_coolant_W": to_coolant_W,
        "chemical_power_W": heat_W + electrical_W,
        "stored_heat_J": stored_J,
        "voltage_bound_V": ca.MX(bound_V),
        "plating_bound_V": ca.MX(bound_V),
        "domain_distance": Y["domain_distance"],
    }
    row = ca.vertcat(*[values[k] for k in fast.interface.output_names])
    return ca.Function("answer", [before, after, y_fast, y_exact, h, u, p], [row])


def _mean_weights(model: Model, side: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return by which weights the states sum to an electrode's mean stoichiometry."""
    at = model.interface.output_names.index(f"stoichiometry_{side}_mean")
    symbols = [ca.MX.sym(f"s{k}", model.outputs.numel_in(k)) for k in range(5)]
    row = ca.jacobian(model.outputs(*symbols)[at], symbols[1])
    u, p = model.start_vectors()
    x, z = model.initial(u, p)
    found = ca.Function("weights", symbols, [row])(0.0, x, z, u, p)
    weights: np.ndarray[Any, np.dtype[np.float64]] = found.full().reshape(-1)
    return weights


def _temperature_index(model: Model) -> int:
    names = [v.name for v in model.states]
    if TEMPERATURE not in names:
        msg = (
            f"Model `{model.name}` has no state `{TEMPERATURE}`; a cell's fallback "
            "needs a lumped temperature."
        )
        raise InterfaceError(msg)
    return names.index(TEMPERATURE)


def _named(label: str, names: tuple[str, ...]) -> tuple[Any, dict[str, Any]]:
    vector = ca.MX.sym(label, len(names))
    return vector, {name: vector[k] for k, name in enumerate(names)}
