"""The pack: representative cells of a series/parallel pack as one step map.

Three cells stand for `series x parallel` cells: the mean one, the weakest (capacity
and resistance off) and the hottest (warmer coolant). Cells in parallel are taken as
equal, so each carries `current / parallel`; the string is

    V_pack = (series - 2) V_mean + V_weak + V_hot - R_interconnect I.

The requested quantity is current, power or voltage. The current that meets a requested
power or voltage at the end of the step is found inside the step and clipped to the
limits of rate and voltage, which are then reported as active. The voltage limits hold
for every cell at the end of the step; whichever cell is worst sets them. A requested
current is not clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import casadi as ca

from packtwin.twin.pack_current import Root, find_current
from packtwin.twin.pack_interface import SEARCH_MEMORY, PackLayout, pack_interface
from packtwin.twin.pack_limit import CurrentLimit, find_limit
from packtwin.twin.pack_power_limit import power_limits
from packtwin.twin.pack_string import (
    CELLS,
    PackString,
    StringFunctions,
    cell_inputs,
    cell_parameters,
)
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.variable import Interface

__all__ = ["PackLayout", "pack_step_map"]

Symbol: TypeAlias = Any
# The limits at the start are those of a first step of this length.
FIRST_STEP_S = 1.0
# An uncertified spec claims no domain.
DEFAULT_DOMAIN = {
    "temperature_minimum_K": 1e3,
    "temperature_maximum_K": 0.0,
    "discharge_rate_maximum": 0.0,
    "charge_rate_maximum": 0.0,
    "soc_minimum": 1.0,
    "soc_maximum": 0.0,
}


def pack_step_map(
    spec: SurrogateSpec,
    layout: PackLayout | None = None,
    *,
    name: str = "pack",
    horizons_s: Sequence[int] = (),
) -> StepMap:
    """Return the pack of a trained cell.

    Args:
        spec: The cell.
        layout: Start values of the parameters.
        name: C identifier of the step map.
        horizons_s: Say also what power can be held for these times after every step
            (`power_limits`), which takes milliseconds then.
    """
    layout = layout or PackLayout()
    horizons = tuple(horizons_s)
    interface = pack_interface(spec, layout, horizons)
    cell = cell_step_map(spec)
    states = tuple(
        replace(v, name=_member(v.name, which)) for which in CELLS for v in cell.memory
    )
    n = len(cell.memory)
    memory = (*states, *SEARCH_MEMORY)
    x, u = ca.MX.sym("x", len(memory)), ca.MX.sym("u", len(interface.inputs))
    p, t, h = (
        ca.MX.sym("p", len(interface.parameters)),
        ca.MX.sym("t"),
        ca.MX.sym("h"),
    )
    U = {k: u[i] for i, k in enumerate(interface.input_names)}
    P = {k: p[i] for i, k in enumerate(interface.parameter_names)}
    cells = ca.reshape(x[: 3 * n], n, 3)
    M = {v.name: x[3 * n + i] for i, v in enumerate(SEARCH_MEMORY)}
    factors = cell_parameters(P)

    functions = StringFunctions.of(spec)
    string = PackString.at(spec, functions, (cells, factors), P, h)
    root = find_current(
        string, U, P, _limits(string, spec, P, M), (M["last_current_A"], M["slope_Ohm"])
    )
    stepped = string.step(cell_inputs(root.cell_A, U, P))
    usual = pack_interface(spec, layout)
    held = power_limits(spec, horizons) if horizons else None

    def said(cells: tuple[Symbol, Symbol], root: Root) -> list[Symbol]:
        """Return memory and outputs, after a step or at the start."""
        new = ca.vertcat(ca.vec(cells[0]), _searched(root))
        y = _collect(spec, usual, cell, cells[1], U, P, root)
        return [new, y if held is None else ca.vertcat(y, *held(new, u, p))]

    step = ca.Function(f"{name}_step", [x, t, h, u, p], said(stepped, root))

    rest = cell_inputs(ca.MX(0), U, P)[:, 0]
    started = [
        ca.horzcat(*part)
        for part in zip(
            *(cell.initialize(rest, factors[:, i]) for i in range(len(CELLS))),
            strict=True,
        )
    ]
    string = PackString.at(
        spec, functions, (started[0], factors), P, ca.MX(FIRST_STEP_S)
    )
    starts = {v.name: ca.MX(v.start) for v in SEARCH_MEMORY}
    discharge, charge = _limits(string, spec, P, starts)
    idle = Root(
        cell_A=ca.MX(0),
        slope_Ohm=starts["slope_Ohm"],
        active=ca.MX(0),
        discharge=discharge,
        charge=charge,
    )
    initialize = ca.Function(
        f"{name}_initialize", [u, p], said((started[0], started[1]), idle)
    )
    return StepMap(
        name=name,
        interface=interface,
        memory=memory,
        initialize=initialize,
        step=step,
        substep_s=cell.substep_s,
    )


def _limits(
    string: PackString,
    spec: SurrogateSpec,
    P: dict[str, Symbol],
    M: dict[str, Symbol],
) -> tuple[CurrentLimit, CurrentLimit]:
    """Return the limits of discharge and charge, searched from those in memory."""

    def limit(side: str, sign: float, bound: str) -> CurrentLimit:
        return find_limit(
            string,
            sign=sign,
            bound_V=P[bound],
            most_A=P[f"{side}_rate_maximum"] * spec.constants.nominal_capacity_Ah,
            guess_A=M[f"{side}_limit_A"],
            slope_Ohm=M[f"{side}_slope_Ohm"],
        )

    return (
        limit("discharge", 1.0, "cell_voltage_minimum_V"),
        limit("charge", -1.0, "cell_voltage_maximum_V"),
    )


def _searched(root: Root) -> Symbol:
    """Return what the next step starts its searches from, as `SEARCH_MEMORY`."""
    return ca.vertcat(
        root.cell_A,
        root.slope_Ohm,
        root.discharge.cell_A,
        root.discharge.slope_Ohm,
        root.charge.cell_A,
        root.charge.slope_Ohm,
    )


def _member(name: str, which: str) -> str:
    """Insert the cell's name before the unit suffix."""
    stem, unit = (name[:-2], name[-2:]) if name.endswith("_J") else (name, "")
    return f"{stem}_{which}{unit}"


def _collect(
    spec: SurrogateSpec,
    interface: Interface,
    cell: StepMap,
    y: Symbol,
    U: dict[str, Symbol],
    P: dict[str, Symbol],
    root: Root,
) -> Symbol:
    """Gather the pack's outputs from its three cells', which are the columns of `y`."""
    c = spec.constants
    names = cell.interface.output_names
    series, parallel = P["n_series"], P["n_parallel"]
    weights = (series - 2.0, 1.0, 1.0)

    def each(name: str) -> list[Symbol]:
        return ca.horzsplit(y[names.index(name), :])

    def total(name: str) -> Symbol:
        return sum(w * v for w, v in zip(weights, each(name), strict=True))

    def least(name: str) -> Symbol:
        a, b, d = each(name)
        return ca.fmin(a, ca.fmin(b, d))

    def most(name: str) -> Symbol:
        a, b, d = each(name)
        return ca.fmax(a, ca.fmax(b, d))

    current = root.cell_A * parallel
    wire_V = P["interconnect_resistance_Ohm"] * current
    string_V = total("voltage_V") - wire_V
    wire_W = wire_V * current

    def limit_W(limit: CurrentLimit) -> Symbol:
        return limit.cell_A * limit.mean_V * series * parallel

    domain = spec.certificate.get("domain", DEFAULT_DOMAIN)
    mean_rate = root.cell_A / c.nominal_capacity_Ah
    rate = mean_rate / ca.fmin(1.0, P["weak_capacity_factor"])
    # A few millikelvin of rounding at a border are no excursion.
    inside = ca.logic_and(
        ca.logic_and(
            least("temperature_K") >= domain["temperature_minimum_K"] - 0.01,
            most("temperature_K") <= domain["temperature_maximum_K"] + 0.01,
        ),
        ca.logic_and(
            ca.logic_and(
                rate <= domain["discharge_rate_maximum"] + 1e-9,
                rate >= -domain["charge_rate_maximum"] - 1e-9,
            ),
            ca.logic_and(
                least("soc") >= domain["soc_minimum"],
                most("soc") <= domain["soc_maximum"],
            ),
        ),
    )
    # Cold cells are certified for smaller currents only.
    is_warm = least("temperature_K") >= domain.get("cold_below_K", 0.0)
    cold_rate = domain.get("cold_rate_maximum", 0.0)
    inside = ca.logic_and(
        inside, ca.logic_or(is_warm, ca.fabs(rate) <= cold_rate + 1e-9)
    )
    inside = ca.logic_and(inside, most("domain_distance") <= 1.0)
    electrical_W = total("electrical_power_W") * parallel - wire_W
    end_W = string_V * current
    is_power = ca.logic_and(U["control_mode"] > 0.5, U["control_mode"] < 1.5)
    is_met = ca.logic_and(is_power, root.active < 0.5)
    values = {
        "current_A": current,
        "voltage_V": string_V,
        "power_W": electrical_W,
        "ocv_V": total("ocv_V"),
        "soc": each("soc")[0],
        "temperature_mean_K": total("temperature_K") / series,
        "temperature_min_K": least("temperature_K"),
        "temperature_max_K": most("temperature_K"),
        "cell_voltage_min_V": least("voltage_V"),
        "cell_voltage_mean_V": each("voltage_V")[0],
        "cell_voltage_max_V": most("voltage_V"),
        "plating_potential_min_V": least("plating_potential_V"),
        "heat_generation_W": total("heat_generation_W") * parallel,
        "heat_reversible_W": total("heat_reversible_W") * parallel,
        "heat_mixing_W": total("heat_mixing_W") * parallel,
        "heat_interconnect_W": wire_W,
        "heat_cell_to_coolant_W": total("heat_cell_to_coolant_W") * parallel + wire_W,
        "stored_heat_J": total("stored_heat_J") * parallel,
        "chemical_power_W": total("chemical_power_W") * parallel,
        "lithium_negative_Ah": each("stoichiometry_negative_mean")[0]
        * c.negative_capacity_Ah
        * parallel,
        "lithium_positive_Ah": each("stoichiometry_positive_mean")[0]
        * c.positive_capacity_Ah
        * parallel,
        "discharge_power_limit_W": limit_W(root.discharge),
        "charge_power_limit_W": limit_W(root.charge),
        "active_limit": root.active,
        "c_rate": mean_rate,
        "is_in_domain": inside,
        "voltage_bound_V": most("voltage_bound_V"),
        "plating_bound_V": most("plating_bound_V"),
        "power_error_W": ca.if_else(is_met, U["power_request_W"] - end_W, 0.0),
    }
    return ca.densify(ca.vertcat(*[values[k] for k in interface.output_names]))
