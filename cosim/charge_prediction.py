"""A cell's step map seen over a horizon: rollouts and their first derivatives.

Every interval is linearised on its own, as in multiple shooting; `condense` then
eliminates the states, which leaves the currents as the only unknowns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeConditions
from packtwin.twin.errors import InterfaceError
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import nearest_names

__all__ = ["QUANTITIES", "CellPrediction", "Rollout"]

Vector: TypeAlias = NDArray[np.float64]

# Rows of a prediction. The two starts are taken just after the current has changed.
QUANTITIES = (
    "soc",
    "temperature_K",
    "end_voltage_V",
    "end_plating_V",
    "start_voltage_V",
    "start_plating_V",
)
_REQUIRED_INPUTS = (
    "current_A",
    "coolant_temperature_K",
    "heat_transfer_coefficient_W_per_m2K",
)
_REQUIRED_OUTPUTS = ("soc", "temperature_K", "voltage_V", "plating_potential_V")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """States at the start of every interval and the quantities of every interval.

    Attributes:
        memory: `(n_memory, n_interval)`, starts of the intervals.
        rows: `(6, n_interval)`, in the order of `QUANTITIES`, biases included.
    """

    memory: Vector
    rows: Vector

    def row(self, name: str) -> Vector:
        """Return one quantity over the intervals."""
        row: Vector = self.rows[QUANTITIES.index(name)]
        return row


@final
class CellPrediction:
    """Predicts one cell over fixed intervals with a current held in each."""

    def __init__(
        self,
        cell: StepMap,
        interval_s: tuple[float, ...],
        *,
        parameters: Mapping[str, float] | None = None,
    ) -> None:
        """Build the CasADi functions.

        Args:
            cell: Step map of the worst cell.
            interval_s: Lengths of the intervals; longer ones block moves.
            parameters: Parameters other than their start values.
        """
        require_names(cell, _REQUIRED_INPUTS, _REQUIRED_OUTPUTS)
        self.cell = cell
        self.interval_s = np.array(interval_s, dtype=float)
        interface = cell.interface.with_starts(dict(parameters or {}))
        self.parameters = np.array([v.start for v in interface.parameters], dtype=float)
        self._inputs = np.array([v.start for v in interface.inputs], dtype=float)
        n, n_memory = len(interval_s), len(cell.memory)
        self._sizes = (n_memory, n)
        substeps = max(cell.substep_count(h) for h in interval_s)
        stage, slopes = _stage_functions(cell, substeps)
        self._rollout = stage.mapaccum("rollout", n)
        self._slopes = _expanded(slopes).map(n)
        self._bias = np.zeros((len(QUANTITIES), 1))

    def inputs(self, current_A: float, conditions: ChargeConditions) -> Vector:
        """Return the cell's input vector."""
        names = self.cell.interface.input_names
        u = self._inputs.copy()
        values = (
            current_A,
            conditions.coolant_temperature_K,
            conditions.heat_transfer_coefficient_W_per_m2K,
        )
        for name, value in zip(_REQUIRED_INPUTS, values, strict=True):
            u[names.index(name)] = value
        return u

    def roll(
        self, memory: Vector, current_A: Vector, conditions: ChargeConditions
    ) -> Rollout:
        """Predict from `memory` with one current per interval."""
        ends, rows = self._rollout(memory, *self._arguments(current_A, conditions))
        starts = np.column_stack([memory, ends.full()[:, :-1]])
        return Rollout(memory=starts, rows=rows.full() + _bias(conditions))

    def condense(
        self, rollout: Rollout, current_A: Vector, conditions: ChargeConditions
    ) -> Vector:
        """Return `d rows / d current` as `(6, n_interval, n_interval)`.

        Entry `[i, k, j]` is zero for `j > k`: a later current changes nothing.
        """
        n_memory, n = self._sizes
        slopes = self._slopes(rollout.memory, *self._arguments(current_A, conditions))
        stages = slopes.full().reshape(n_memory + len(QUANTITIES), n, n_memory + 1)
        sensitivity = np.zeros((n_memory, n))
        table = np.zeros((len(QUANTITIES), n, n))
        for k in range(n):
            stage = stages[:, k, :]
            after = stage[:, :-1] @ sensitivity
            after[:, k] += stage[:, -1]
            sensitivity, table[:, k, :] = after[:n_memory], after[n_memory:]
        return table

    def _arguments(
        self, current_A: Vector, conditions: ChargeConditions
    ) -> tuple[Any, ...]:
        n = self._sizes[1]
        u = np.tile(self.inputs(0.0, conditions)[:, None], (1, n))
        p = np.tile(self.parameters[:, None], (1, n))
        return current_A[None, :], self.interval_s[None, :], u, p


def require_names(
    cell: StepMap, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> None:
    """Refuse a cell that lacks ports, naming them and the nearest it has."""
    interface = cell.interface
    pairs = ((inputs, interface.input_names), (outputs, interface.output_names))
    for wanted, known in pairs:
        for name in wanted:
            if name not in known:
                msg = (
                    f"Cell `{cell.name}` has no `{name}`, which charging needs; "
                    f"nearest: {nearest_names(name, known)}."
                )
                raise InterfaceError(msg)


def _bias(conditions: ChargeConditions) -> Vector:
    voltage_V, plating_V = conditions.voltage_bias_V, conditions.plating_bias_V
    column = (0.0, 0.0, voltage_V, plating_V, voltage_V, plating_V)
    return np.array(column)[:, None]


def _stage_functions(cell: StepMap, substeps: int) -> tuple[ca.Function, ca.Function]:
    """Return `(x, current, h, u, p) -> (x_end, rows)` and its Jacobian."""
    interface = cell.interface
    x = ca.MX.sym("x", len(cell.memory))
    current, h = ca.MX.sym("current"), ca.MX.sym("h")
    u = ca.MX.sym("u", len(interface.inputs))
    p = ca.MX.sym("p", len(interface.parameters))
    at = interface.input_names.index("current_A")
    full_u = ca.vertcat(u[:at], current, u[at + 1 :])
    _, y_start = cell.step(x, 0.0, 0.0, full_u, p)
    x_end, y_end = x, y_start
    for _ in range(substeps):
        x_end, y_end = cell.step(x_end, 0.0, h / substeps, full_u, p)
    index = interface.output_names.index
    rows = ca.vertcat(
        y_end[index("soc")],
        y_end[index("temperature_K")],
        y_end[index("voltage_V")],
        y_end[index("plating_potential_V")],
        y_start[index("voltage_V")],
        y_start[index("plating_potential_V")],
    )
    arguments = [x, current, h, u, p]
    jacobian = ca.jacobian(ca.vertcat(x_end, rows), ca.vertcat(x, current))
    return (
        ca.Function("stage", arguments, [x_end, rows]),
        ca.Function("slopes", arguments, [ca.densify(jacobian)]),
    )


def _expanded(function: ca.Function) -> ca.Function:
    """Return a scalar-graph copy if there is one of moderate size; it is faster."""
    try:
        scalar = function.expand()
    except RuntimeError:
        return function
    return scalar if scalar.n_instructions() < _LARGEST_SCALAR_GRAPH else function


_LARGEST_SCALAR_GRAPH = 2_000_000
