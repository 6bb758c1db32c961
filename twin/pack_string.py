"""The string's voltage at the end of a step, as a cheap function of the current.

The three cells of the string are columns of matrices, so that they are evaluated at
once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.surrogate import cell_outputs
from packtwin.twin.surrogate_casadi import CasadiOperations
from packtwin.twin.surrogate_core import CORE_VIEW, CoreView, potentials, view_core
from packtwin.twin.surrogate_model import cell_halves
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = [
    "CELLS",
    "PackString",
    "StringFunctions",
    "cell_inputs",
    "cell_parameters",
]

Symbol: TypeAlias = Any
CELLS = ("mean", "weak", "hot")


def cell_parameters(P: dict[str, Symbol]) -> Symbol:
    """Return the cells' parameters, a column each, given those of the pack."""
    start = (P["start_soc"], P["start_temperature_K"])
    weak = (P["weak_capacity_factor"], P["weak_resistance_Ohm"])
    columns = [ca.vertcat(*start, *own) for own in ((1.0, 0.0), weak, (1.0, 0.0))]
    return ca.horzcat(*columns)


def cell_inputs(cell_A: Symbol, U: dict[str, Symbol], P: dict[str, Symbol]) -> Symbol:
    """Return the cells' inputs for one cell current, a column each."""
    heat = U["heat_transfer_coefficient_W_per_m2K"]
    columns = [
        ca.vertcat(cell_A, U["coolant_temperature_K"] + offset, heat)
        for offset in (0.0, 0.0, P["hot_coolant_offset_K"])
    ]
    return ca.horzcat(*columns)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StringFunctions:
    """What a step of the string is made of, as `casadi.Function`s.

    Attributes:
        ahead: First half of the cells' step; see `cell_halves`.
        finished: Second half.
        prepare: What `voltages` takes as start, from what is seen of base and slope of
            the core, the temperatures, capacity factors and resistances of the cells,
            their number in series and the resistance of the connections per cell.
        voltages: `(start, current_A) -> (3,)` of the cell current: voltage per cell of
            the whole string (with connections), lowest and highest cell voltage, at
            the end of the step, temperature frozen.
    """

    ahead: ca.Function
    finished: ca.Function
    prepare: ca.Function
    voltages: ca.Function

    @classmethod
    def of(cls, spec: SurrogateSpec) -> StringFunctions:
        """Return the functions of a string of three cells."""
        ahead, finished = cell_halves(spec, len(CELLS))
        prepare, voltages = _voltages(spec)
        return cls(ahead=ahead, finished=finished, prepare=prepare, voltages=voltages)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PackString:
    """The string at the start of one step.

    Attributes:
        functions: Of which the step is made.
        start: What the voltages depend on besides the current.
        wire_Ohm: Resistance of the connections per cell.
        cells: Memory, base and slope of the core, length of the step and parameters of
            the cells; see `cell_halves`.
    """

    functions: StringFunctions
    start: Symbol
    wire_Ohm: Symbol
    cells: tuple[Symbol, ...]

    @classmethod
    def at(
        cls,
        spec: SurrogateSpec,
        functions: StringFunctions,
        cells: tuple[Symbol, Symbol],
        P: dict[str, Symbol],
        h: Symbol,
    ) -> PackString:
        """Return the string of three cells at the start of a step of length `h`.

        Args:
            spec: The cell.
            functions: Of the string.
            cells: Memory and parameters of the cells, a column each.
            P: Parameters of the pack.
            h: Length of the step.
        """
        memory, factors = cells
        base, slope = functions.ahead(memory, h)
        wire = P["interconnect_resistance_Ohm"] * P["n_parallel"] / P["n_series"]
        seen = [
            ca.vertcat(*view_core(spec.constants, ca.vertsplit(core)).flat())
            for core in (base, slope)
        ]
        temperature_K = spec.tables["temperature_K"].casadi(memory[-1, :])
        given = (*seen, temperature_K, factors[2:4, :], P["n_series"], wire)
        return cls(
            functions=functions,
            start=functions.prepare(*given),
            wire_Ohm=wire,
            cells=(memory, base, slope, h, factors),
        )

    @property
    def voltages(self) -> ca.Function:
        """Voltages at the end of the step; see `StringFunctions`."""
        return self.functions.voltages

    def step(self, inputs: Symbol) -> tuple[Symbol, Symbol]:
        """Return the cells' memory and outputs after the step, a column each.

        Args:
            inputs: Of the cells, as `cell_inputs` returns them.
        """
        *cells, factors = self.cells
        memory, y = self.functions.finished(*cells, inputs, factors)
        return memory, y


def _voltages(spec: SurrogateSpec) -> tuple[ca.Function, ca.Function]:
    """Return `prepare` and `voltages`, see `StringFunctions`.

    Whatever does not depend on the current goes to the former: it is computed once a
    step and not for every current that is tried.
    """
    n, n_cell = len(CORE_VIEW) + spec.n_mode, len(CELLS)
    sizes = [(n, n_cell), (n, n_cell), (1, n_cell), (2, n_cell), (1, 1), (1, 1)]
    given = [ca.MX.sym(f"given_{k}", *size) for k, size in enumerate(sizes)]
    *cells, series, wire = given
    current = ca.MX.sym("current")
    v = ca.horzsplit(_terminal_voltages(spec, cells, current))
    mean = ((series - 2.0) * v[0] + v[1] + v[2]) / series - wire * current
    low, high = ca.fmin(v[0], ca.fmin(v[1], v[2])), ca.fmax(v[0], ca.fmax(v[1], v[2]))
    (rest,), symbols, known = ca.extract_parametric(
        [ca.vertcat(mean, low, high)], given, {"extract_trivial": True}
    )
    start = ca.MX.sym("start", sum(x.numel() for x in symbols))
    parts, at = [], 0
    for x in symbols:
        parts.append(ca.reshape(start[at : at + x.numel()], *x.shape))
        at += x.numel()
    (rest,) = ca.substitute([rest], symbols, parts)
    prepared = ca.vertcat(*(ca.vec(x) for x in known))
    return (
        ca.Function("string_start", given, [prepared]),
        ca.Function("string_voltages", [start, current], [rest]),
    )


def _terminal_voltages(
    spec: SurrogateSpec, cells: list[Symbol], current_A: Symbol
) -> Symbol:
    """Return the cells' voltages at the end of a step, a row.

    Args:
        spec: The cell.
        cells: Base and slope of what is seen of the core, the temperature, capacity
            factor and series resistance.
        current_A: Of all of them.
    """
    base, slope, temperature_K, factors = cells
    ops = CasadiOperations(spec.weights, ("voltage",))
    scaled_A = current_A / factors[0, :]
    view = CoreView.of_flat(
        [
            b + s * scaled_A
            for b, s in zip(*map(ca.vertsplit, (base, slope)), strict=True)
        ]
    )
    known = potentials(
        ops,
        spec.constants,
        spec.tables,
        view,
        temperature_K=temperature_K,
        scaled_current_A=scaled_A,
    )
    return cell_outputs(
        ops,
        spec.constants,
        view,
        known,
        temperature_K=temperature_K,
        current_A=current_A,
        scaled_current_A=scaled_A,
        series_resistance_Ohm=factors[1, :],
    ).voltage_V
