"""From a `SurrogateSpec` to the cell's `Model` and `StepMap` (CasADi)."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.cell_interface import cell_interface, cell_states
from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import Model, model_from_expressions
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate import (
    CORRECTIONS,
    cell_outputs,
    count_excitations,
    count_features,
)
from packtwin.twin.surrogate_casadi import CasadiOperations, network_layers
from packtwin.twin.surrogate_core import (
    core_rates,
    core_step,
    heating_time,
    potentials,
    rest_core,
    view_core,
)
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.variable import Variable

__all__ = [
    "LONGEST_STEP_S",
    "cell_halves",
    "cell_model",
    "cell_step_map",
]

Array: TypeAlias = NDArray[np.float64]

LONGEST_STEP_S = 2.0


def _check_weights(spec: SurrogateSpec) -> None:
    n = spec.n_mode
    wanted = (count_features(n), len(CORRECTIONS) * count_excitations(n))
    layers = network_layers(spec.weights, "closure")
    got = (layers[0][0].shape[1], layers[-1][0].shape[0]) if layers else (0, 0)
    if got != wanted:
        msg = (
            f"Surrogate `{spec.name}`: network `closure` maps {got[0]} to {got[1]} "
            f"numbers, expected {wanted[0]} to {wanted[1]}; it was trained by "
            "another version of packtwin, train it again."
        )
        raise InterfaceError(msg)


@final
class _Cell:
    """The expressions of some cells, a row of each quantity with a place per cell."""

    def __init__(self, spec: SurrogateSpec, n_cell: int = 1) -> None:
        _check_weights(spec)
        self.spec = spec
        self.ops = CasadiOperations(spec.weights)
        self.interface, self.states = cell_interface(), cell_states(spec)
        self.x, X = _rows(self.states, "x", n_cell)
        self.u, self.U = _rows(self.interface.inputs, "u", n_cell)
        self.p, self.P = _rows(self.interface.parameters, "p", n_cell)
        self.core = [X[v.name] for v in self.states[:-1]]
        self.heat_J = X["heat_content_J"]
        self.temperature_K = spec.tables["temperature_K"].casadi(self.heat_J)
        self.scaled_A = self.U["current_A"] / self.P["capacity_factor"]
        h_W = self.U["heat_transfer_coefficient_W_per_m2K"]
        self.conductance = h_W * spec.constants.cooling_area_m2

    @property
    def start(self) -> list[Any]:
        """The states of a cell at rest."""
        table = self.spec.tables["heat_content_J"]
        core = rest_core(self.spec.constants, self.P["start_soc"])
        return [*core, table.casadi(self.P["start_temperature_K"])]

    def ahead(self, h: Any) -> tuple[list[Any], list[Any]]:
        """Return the core after a step as `base + slope * scaled_A`."""
        return core_step(
            self.ops,
            self.spec.constants,
            self.spec.tables,
            self.core,
            temperature_K=self.temperature_K,
            h=h,
        )

    def finished(self, base: list[Any], slope: list[Any], h: Any) -> list[Any]:
        """Return the states and the outputs after a step."""
        core = [b + s * self.scaled_A for b, s in zip(base, slope, strict=True)]
        values, net_W = self.outputs(core)
        time_s = heating_time(
            self.ops, self.spec.constants, conductance_W_per_K=self.conductance, h=h
        )
        heat_J = self.heat_J + time_s * net_W
        mean_W = net_W * ca.if_else(h > 0.0, time_s / ca.if_else(h > 0.0, h, 1.0), 1.0)
        y = self.completed(values, mean_W, heat_J)
        return list(ca.cse([ca.densify(ca.vertcat(*core, heat_J)), ca.densify(y)]))

    def outputs(
        self, core: list[Any], to_coolant_W: Any | None = None
    ) -> tuple[dict[str, Any], Any]:
        """Return all outputs of a core but the stored heat, and the heat to it."""
        c, current_A = self.spec.constants, self.U["current_A"]
        view = view_core(c, core)
        known = potentials(
            self.ops,
            c,
            self.spec.tables,
            view,
            temperature_K=self.temperature_K,
            scaled_current_A=self.scaled_A,
        )
        out = cell_outputs(
            self.ops,
            c,
            view,
            known,
            temperature_K=self.temperature_K,
            current_A=current_A,
            scaled_current_A=self.scaled_A,
            series_resistance_Ohm=self.P["series_resistance_Ohm"],
        )
        warmer_K = self.temperature_K - self.U["coolant_temperature_K"]
        net_W = out.heat_generation_W - self.conductance * warmer_K
        mixing_W = out.heat_irreversible_W - current_A * (out.ocv_V - out.voltage_V)
        return {
            "voltage_V": out.voltage_V,
            "ocv_V": out.ocv_V,
            "soc": c.soc(view.x),
            "plating_potential_V": out.plating_potential_V,
            "heat_generation_W": out.heat_generation_W,
            "heat_reversible_W": out.heat_reversible_W,
            "heat_mixing_W": mixing_W,
            "chemical_power_W": out.ocv_V * current_A
            + mixing_W
            + out.heat_reversible_W,
            "electrical_power_W": out.voltage_V * current_A,
            "stoichiometry_negative_surface": known.x_surface,
            "stoichiometry_positive_surface": known.y_surface,
            "stoichiometry_negative_mean": view.x,
            "stoichiometry_positive_mean": view.y,
            "voltage_bound_V": out.voltage_bound_V,
            "plating_bound_V": out.plating_bound_V,
            "domain_distance": self.ops.distance(
                out.features, net_W / c.heat_capacity_J_per_K
            ),
        }, net_W

    def completed(self, values: dict[str, Any], net_W: Any, heat_J: Any) -> Any:
        """Return the output vector, given the mean net heat and the stored heat."""
        temperature = self.spec.tables["temperature_K"]
        values = {
            **values,
            "temperature_K": temperature.casadi(heat_J),
            "heat_cell_to_coolant_W": values["heat_generation_W"] - net_W,
            "stored_heat_J": heat_J,
        }
        return ca.vertcat(*[values[k] for k in self.interface.output_names])


def cell_model(spec: SurrogateSpec) -> Model:
    """Return the cell's equations with the trained weights inside.

    Raises:
        InterfaceError: The weights do not fit the equations.
    """
    cell = _Cell(spec)
    rates = core_rates(
        cell.ops,
        spec.constants,
        spec.tables,
        cell.core,
        temperature_K=cell.temperature_K,
        scaled_current_A=cell.scaled_A,
    )
    values, net_W = cell.outputs(cell.core)
    y = cell.completed(values, net_W, cell.heat_J)
    names = [v.name for v in cell.states]
    return model_from_expressions(
        spec.name,
        cell.interface,
        cell.states,
        symbols=(ca.MX.sym("t"), cell.x, cell.u, cell.p),
        rhs=dict(zip(names, [*rates, net_W], strict=True)),
        outputs={k: y[i] for i, k in enumerate(cell.interface.output_names)},
        initial=dict(zip(names, cell.start, strict=True)),
    )


def cell_step_map(spec: SurrogateSpec, *, substep_s: float = LONGEST_STEP_S) -> StepMap:
    """Return one step of the cell, for any step length.

    The core advances first, linearly implicit and exact for the modes, at the
    temperature of the step's start; the closure is evaluated once, at its end, and its
    heat warms the cell over the step. So lithium, charge and energy are balanced
    exactly, and a voltage found for a current is the one of the end of the step.

    Args:
        spec: The trained cell.
        substep_s: A longer step is cut into equal substeps of at most this length. The
            error of a step in time is first order: 0.2 mV rms at 2 s, 2 mV at 10 s.

    Raises:
        InterfaceError: The weights do not fit the equations.
    """
    cell, h = _Cell(spec), ca.MX.sym("h")
    step = cell.finished(*cell.ahead(h), h)
    arguments = [cell.x, ca.MX.sym("t"), h, cell.u, cell.p]

    start = ca.vertcat(*cell.start)
    values, net_W = cell.outputs(cell.core)
    at_rest = ca.Function(
        "outputs",
        [cell.x, cell.u, cell.p],
        [cell.completed(values, net_W, cell.heat_J)],
    )
    return StepMap(
        name=spec.name,
        interface=cell.interface,
        memory=cell.states,
        initialize=ca.Function(
            f"{spec.name}_initialize",
            [cell.u, cell.p],
            [ca.densify(start), at_rest(start, cell.u, cell.p)],
        ),
        step=ca.Function(f"{spec.name}_step", arguments, step),
        substep_s=substep_s,
    )


def cell_halves(spec: SurrogateSpec, n_cell: int) -> tuple[ca.Function, ca.Function]:
    """Return one step of several cells at once, in two halves.

    The matrices have one column per cell; the rows are those of `cell_step_map`.

    Args:
        spec: The trained cell.
        n_cell: Number of cells.

    Returns:
        `(memory, h) -> (base, slope)`, the core at the end of the step being `base +
        slope * current / capacity factor`, and `(memory, base, slope, h, u, p) ->
        (memory, y)`.
    """
    cell, h = _Cell(spec, n_cell), ca.MX.sym("h")
    ahead = ca.Function(
        "cells_ahead", [cell.x, h], [ca.vertcat(*part) for part in cell.ahead(h)]
    )
    base, slope = (ca.MX.sym(k, len(cell.core), n_cell) for k in ("base", "slope"))
    finished = cell.finished(ca.vertsplit(base), ca.vertsplit(slope), h)
    given = [cell.x, base, slope, h, cell.u, cell.p]
    return ahead, ca.Function("cells_finished", given, finished)


def _rows(
    variables: tuple[Variable, ...], label: str, n_cell: int
) -> tuple[Any, dict[str, Any]]:
    """Return a matrix symbol and its rows by variable name."""
    matrix = ca.MX.sym(label, len(variables), n_cell)
    names = [v.name for v in variables]
    return matrix, dict(zip(names, ca.vertsplit(matrix), strict=True))
