"""Solve a cell's DFN with PyBaMM: the check of the compiled step map.

It builds the equations without the `physics` modules, so that a mistake there shows;
only the mesh and the factors of parameters are theirs.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt
import pybamm

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.facts import cell_facts
from packtwin.pybamm_models.identification_entries import add_entries
from packtwin.pybamm_models.names import OUTPUTS
from packtwin.pybamm_models.particle_flux import (
    IntegratedFluxDFN,
    integrate_diffusivity,
)
from packtwin.pybamm_models.physics import physics_of_cell
from packtwin.pybamm_models.physics_build import mesh_arguments
from packtwin.pybamm_models.physics_parameters import number_of
from packtwin.pybamm_models.physics_simulation import (
    ABSOLUTE_TOLERANCE,
    RELATIVE_TOLERANCE,
)
from packtwin.pybamm_models.recording import as_run, solve_failure
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import Run

__all__ = ["build_simulation", "solve_with_pybamm"]

_OPTIONS = {
    "thermal": "lumped",
    "voltage as a state": "false",
    "heat of mixing": "false",
}


def build_simulation(cell: Cell, request: Request) -> Any:
    """Return a `pybamm.Simulation` of `request`, outputs under our own names."""
    values = pybamm.ParameterValues(cell.parameter_set)
    add_entries(tuple(request.factors), values)
    for name, scale in request.factors.items():
        values[name] = number_of(name, values) * scale
    x, y = cell_facts(cell).stoichiometries(request.start_soc)
    for side, stoichiometry in (("negative", x), ("positive", y)):
        c_max = values[f"Maximum concentration in {side} electrode [mol.m-3]"]
        values.update(
            {
                f"Initial concentration in {side} electrode [mol.m-3]": stoichiometry
                * c_max
            }
        )
    values.update(
        {
            "Current function [A]": _profile(request.time_s, request.current_A),
            "Ambient temperature [K]": _ambient(request),
            "Initial temperature [K]": request.start_temperature_K,
            "Total heat transfer coefficient [W.m-2.K-1]": (
                request.heat_transfer_coefficient_W_per_m2_K
            ),
            "Lower voltage cut-off [V]": cell.stop_voltage_min_V,
            "Upper voltage cut-off [V]": cell.stop_voltage_max_V,
        }
    )
    model = _model(cell, values)
    for output in OUTPUTS:
        model.variables[output.name] = _variable(model, output)
    solver = pybamm.IDAKLUSolver(
        rtol=RELATIVE_TOLERANCE,
        atol=ABSOLUTE_TOLERANCE,
        output_variables=[output.name for output in OUTPUTS],
    )
    return pybamm.Simulation(
        model,
        parameter_values=values,
        solver=solver,
        **mesh_arguments(model, physics_of_cell(cell)),
    )


def solve_with_pybamm(cell: Cell, request: Request) -> Run:
    """Solve one request; a limit is a status, a failed solve an error.

    Raises:
        ModelError: PyBaMM could not build or solve it.
    """
    started = time.perf_counter()
    grid = np.arange(0.0, np.floor(request.time_s[-1]) + 1.0)
    try:
        simulation = build_simulation(cell, request)
        # Stopping at every change of slope: the integrator steps over pulses else.
        solution = simulation.solve(_knots(request), t_interp=grid)
        solved_s = np.asarray(solution.t, dtype=float)
        arrays = {
            output.name: np.asarray(solution[output.name].entries, dtype=float)
            for output in OUTPUTS
        }
        termination = str(solution.termination)
    except (pybamm.SolverError, ValueError, RuntimeError) as error:
        raise solve_failure(cell, request, error) from error
    is_stopped = termination.startswith("event")
    return as_run(
        cell,
        request,
        solved_s,
        arrays,
        limit=termination.removeprefix("event: ") if is_stopped else "",
        solve_s=time.perf_counter() - started,
    )


def _model(cell: Cell, values: Any) -> Any:
    if not cell.is_flux_integrated:
        return pybamm.lithium_ion.DFN(_OPTIONS)
    return IntegratedFluxDFN(
        _OPTIONS,
        integrate_diffusivity(values, "Negative"),
        integrate_diffusivity(values, "Positive"),
    )


def _variable(model: Any, output: Any) -> Any:
    terms = [model.variables[term] for term in output.terms]
    if output.is_edge_value:
        terms = [pybamm.boundary_value(term, "right") for term in terms]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _profile(time_s: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> Any:
    if np.all(values == values[0]):
        return float(values[0])
    return pybamm.Interpolant(time_s, values, pybamm.t, interpolator="linear")


def _ambient(request: Request) -> Any:
    profile = _profile(request.time_s, request.coolant_temperature_K)
    if isinstance(profile, float):
        return profile

    def ambient_temperature_K(y: Any, z: Any, t: Any) -> Any:
        return pybamm.Interpolant(
            request.time_s, request.coolant_temperature_K, t, interpolator="linear"
        )

    return ambient_temperature_K


def _knots(request: Request) -> npt.NDArray[np.float64]:
    """Return first and last time and every time at which a slope changes."""
    is_kept = np.ones(len(request.time_s), dtype=bool)
    step_s = np.diff(request.time_s)
    change = np.zeros(len(request.time_s) - 2)
    for values in (request.current_A, request.coolant_temperature_K):
        change = np.maximum(change, np.abs(np.diff(np.diff(values) / step_s)))
    is_kept[1:-1] = change > 1e-9
    return request.time_s[is_kept]
