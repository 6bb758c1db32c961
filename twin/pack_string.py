"""The string's voltage at the end of a step, as a cheap function of the current."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.surrogate import cell_outputs, mode_rates
from packtwin.twin.surrogate_model import CasadiOperations
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["CELLS", "PackString", "terminal_voltage"]

Symbol: TypeAlias = Any
CELLS = ("mean", "weak", "hot")


def terminal_voltage(spec: SurrogateSpec) -> ca.Function:
    """Voltage of one cell at the end of a step, temperature frozen.

    `(x, decay, h, current_A, capacity_factor, series_resistance_Ohm) -> (voltage_V,)`;
    the cheap part of the full step, for the root iterations.
    """
    c, n = spec.constants, spec.n_mode
    ops = CasadiOperations(
        spec.weights, ("surface_negative", "surface_positive", "voltage")
    )
    x, decay = ca.MX.sym("x", n + 3), ca.MX.sym("decay", n)
    h, current, capacity, ohm = (ca.MX.sym(k) for k in ("h", "i", "c", "r"))
    scaled = current / capacity
    rate = scaled / c.nominal_capacity_Ah
    modes = rate + (x[2 : 2 + n] - rate) * decay
    out = cell_outputs(
        ops,
        c,
        spec.tables,
        x=x[0] - h * scaled / (3600.0 * c.negative_capacity_Ah),
        y=x[1] + h * scaled / (3600.0 * c.positive_capacity_Ah),
        modes=[modes[k] for k in range(n)],
        temperature_K=spec.tables["temperature_K"].casadi(x[n + 2]),
        rate=rate,
        current_A=current,
        series_resistance_Ohm=ohm,
    )
    return ca.Function(
        "terminal_voltage", [x, decay, h, current, capacity, ohm], [out.voltage_V]
    )


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
        c, n = spec.constants, spec.n_mode
        ops = CasadiOperations(spec.weights)
        to_temperature = spec.tables["temperature_K"]
        decays = [
            ca.exp(
                -h
                * ca.vertcat(
                    *mode_rates(ops, c, n, part[0], to_temperature.casadi(part[n + 2]))
                )
            )
            for part in parts
        ]
        wire = P["interconnect_resistance_Ohm"] * P["n_parallel"] / P["n_series"]
        cells = [ca.vertcat(*parts), *decays, *[f[2:4] for f in factors]]
        start = ca.vertcat(*cells, h, P["n_series"], wire)
        return cls(voltages=_voltages(spec), start=start, wire_Ohm=wire)


def _voltages(spec: SurrogateSpec) -> ca.Function:
    """Return the function `PackString.voltages`."""
    n, n_cell = spec.n_mode, len(CELLS)
    terminal = terminal_voltage(spec)
    sizes = [n + 3] * n_cell + [n] * n_cell + [2] * n_cell + [1, 1, 1]
    start, current = ca.MX.sym("start", sum(sizes)), ca.MX.sym("i")
    ends = [sum(sizes[:k]) for k in range(len(sizes) + 1)]
    *cells, h, series, wire = ca.vertsplit(start, ends)
    v = [
        terminal(cells[i], cells[i + 3], h, current, cells[i + 6][0], cells[i + 6][1])
        for i in range(n_cell)
    ]
    mean = ((series - 2.0) * v[0] + v[1] + v[2]) / series - wire * current
    low, high = ca.fmin(v[0], ca.fmin(v[1], v[2])), ca.fmax(v[0], ca.fmax(v[1], v[2]))
    return ca.Function(
        "string_voltages", [start, current], [ca.vertcat(mean, low, high)]
    )
