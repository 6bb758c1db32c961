"""The string's voltage at the end of a step, as a cheap function of the current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.surrogate import cell_outputs
from packtwin.twin.surrogate_casadi import CasadiOperations
from packtwin.twin.surrogate_core import (
    CORE_VIEW,
    CoreView,
    core_step,
    potentials,
    view_core,
)
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = [
    "CELLS",
    "PackString",
    "cell_inputs",
    "cell_parameters",
    "terminal_voltage",
]

Symbol: TypeAlias = Any
CELLS = ("mean", "weak", "hot")


def cell_parameters(P: dict[str, Symbol]) -> list[Symbol]:
    """Return the cells' parameter vectors, given those of the pack."""
    start = (P["start_soc"], P["start_temperature_K"])
    return [
        ca.vertcat(*start, 1.0, 0.0),
        ca.vertcat(*start, P["weak_capacity_factor"], P["weak_resistance_Ohm"]),
        ca.vertcat(*start, 1.0, 0.0),
    ]


def cell_inputs(
    cell_A: Symbol, U: dict[str, Symbol], P: dict[str, Symbol]
) -> list[Symbol]:
    """Return the cells' input vectors for one cell current."""
    heat = U["heat_transfer_coefficient_W_per_m2K"]
    return [
        ca.vertcat(cell_A, U["coolant_temperature_K"] + offset, heat)
        for offset in (0.0, 0.0, P["hot_coolant_offset_K"])
    ]


def terminal_voltage(spec: SurrogateSpec) -> ca.Function:
    """Voltage of one cell at the end of a step, temperature frozen.

    `(base, slope, temperature_K, current_A, capacity_factor, series_resistance_Ohm)
    -> (voltage_V,)` with the view at the end, `base + slope * current / capacity`; the
    cheap part of the full step, for the root iterations.
    """
    c, n = spec.constants, len(CORE_VIEW) + spec.n_mode
    ops = CasadiOperations(spec.weights, ("voltage",))
    base, slope = ca.MX.sym("base", n), ca.MX.sym("slope", n)
    temperature_K, current, capacity, ohm = (ca.MX.sym(k) for k in ("t", "i", "c", "r"))
    scaled = current / capacity
    view = CoreView.of_flat(ca.vertsplit(base + slope * scaled))
    known = potentials(
        ops,
        c,
        spec.tables,
        view,
        temperature_K=temperature_K,
        scaled_current_A=scaled,
    )
    out = cell_outputs(
        ops,
        c,
        view,
        known,
        temperature_K=temperature_K,
        current_A=current,
        scaled_current_A=scaled,
        series_resistance_Ohm=ohm,
    )
    return ca.Function(
        "terminal_voltage",
        [base, slope, temperature_K, current, capacity, ohm],
        [out.voltage_V],
    )


def _seen(spec: SurrogateSpec, core: list[Symbol]) -> Symbol:
    return ca.vertcat(*view_core(spec.constants, core).flat())


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PackString:
    """The string at the start of one step.

    Attributes:
        voltages: `casadi.Function (start, current_A) -> (3,)` of the cell current:
            voltage per cell of the whole string (with connections), lowest and
            highest cell voltage, at the end of the step.
        start: What the voltages depend on besides the current.
        wire_Ohm: Resistance of the connections per cell.
    """

    voltages: ca.Function
    start: Symbol
    wire_Ohm: Symbol

    @classmethod
    def at(
        cls,
        spec: SurrogateSpec,
        parts: list[Symbol],
        factors: list[Symbol],
        P: dict[str, Symbol],
        h: Symbol,
    ) -> PackString:
        """Return the string of three cells at the start of a step of length `h`.

        Args:
            spec: The cell.
            parts: Memory of each cell.
            factors: Parameters of each cell.
            P: Parameters of the pack.
            h: Length of the step.
        """
        ops, tables = CasadiOperations(spec.weights), spec.tables
        cells = []
        for part, factor in zip(parts, factors, strict=True):
            *core, heat_J = ca.vertsplit(part)
            temperature_K = tables["temperature_K"].casadi(heat_J)
            base, slope = core_step(
                ops, spec.constants, tables, core, temperature_K=temperature_K, h=h
            )
            cells += [_seen(spec, base), _seen(spec, slope), temperature_K, factor[2:4]]
        wire = P["interconnect_resistance_Ohm"] * P["n_parallel"] / P["n_series"]
        start = ca.vertcat(*cells, P["n_series"], wire)
        return cls(voltages=_voltages(spec), start=start, wire_Ohm=wire)


def _voltages(spec: SurrogateSpec) -> ca.Function:
    """Return the function `PackString.voltages`."""
    n, terminal = len(CORE_VIEW) + spec.n_mode, terminal_voltage(spec)
    sizes = [n, n, 1, 1, 1] * len(CELLS) + [1, 1]
    start, current = ca.MX.sym("start", sum(sizes)), ca.MX.sym("i")
    ends = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    *cells, series, wire = ca.vertsplit(start, ends)
    v = []
    for i in range(len(CELLS)):
        base, slope, temperature_K, capacity, ohm = cells[5 * i : 5 * i + 5]
        v.append(terminal(base, slope, temperature_K, current, capacity, ohm))
    mean = ((series - 2.0) * v[0] + v[1] + v[2]) / series - wire * current
    low, high = ca.fmin(v[0], ca.fmin(v[1], v[2])), ca.fmax(v[0], ca.fmax(v[1], v[2]))
    return ca.Function(
        "string_voltages", [start, current], [ca.vertcat(mean, low, high)]
    )
