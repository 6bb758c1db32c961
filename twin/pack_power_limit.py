"""How much power the pack can give or take for some seconds, held constant.

The power is held in steps as the pack takes them, with the current that meets it at
the end of each; cells warm and drain on the way. The limit is the largest power at
which, after every step, every cell is inside its voltages and its current and, on
charge, above a plating potential. It is searched with its sign fixed, from below: what
is returned was tried and holds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import casadi as ca

from packtwin.twin.errors import InterfaceError
from packtwin.twin.pack_current import find_current
from packtwin.twin.pack_interface import (
    SEARCH_MEMORY,
    START_SLOPE_OHM,
    PackLayout,
    pack_interface,
)
from packtwin.twin.pack_limit import CurrentLimit
from packtwin.twin.pack_string import (
    CELLS,
    PackString,
    StringFunctions,
    cell_inputs,
    cell_parameters,
)
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate_model import LONGEST_STEP_S, cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["HORIZONS_S", "power_limits"]

Symbol: TypeAlias = Any

HORIZONS_S: Final = (2, 10, 30)
PASSES = 14
# A power is found when no more than this share of it is missing, by the last slope or
# by the bracket; aimed at is a smaller one. Less than a millionth of the most is none.
NEAR_SHARE, AIM_SHARE, NOTHING = 4e-3, 1e-3, 1e-6
# A power that no current gives at the step's end is missed by more than this share.
_UNMET_SHARE = 1e-3
_ANY_A, _CELL_V = 1e6, 3.7
_N_SEARCH = 6


def power_limits(
    spec: SurrogateSpec, horizons_s: Sequence[int] = HORIZONS_S
) -> ca.Function:
    """Return `casadi.Function (memory, u, p) -> (discharge_W, charge_W)`.

    The arguments are those of the pack with these horizons; the results are >= 0, one
    row per horizon.

    Args:
        spec: The cell.
        horizons_s: For how long the power is held, rising.

    Raises:
        InterfaceError: The horizons do not rise from 1 s or more.
    """
    horizons = tuple(horizons_s)
    if not horizons or horizons[0] < 1 or list(horizons) != sorted(set(horizons)):
        msg = f"Power limits need whole seconds that rise, got {horizons}."
        raise InterfaceError(msg)
    interface = pack_interface(spec, PackLayout(), horizons)
    cell = cell_step_map(spec)
    n = len(CELLS) * cell.n_memory
    memory = ca.MX.sym("memory", n + len(SEARCH_MEMORY))
    u = ca.MX.sym("u", len(interface.inputs))
    p = ca.MX.sym("p", len(interface.parameters))
    one = _held_step(spec, cell, horizons)
    last, slope = memory[n], memory[n + 1]
    start = ca.vertcat(memory[:n], last, slope, math.inf)
    P = {k: p[i] for i, k in enumerate(interface.parameter_names)}
    rated_A = P["discharge_rate_maximum"], P["charge_rate_maximum"]
    found = []
    for sign, rate in zip((1.0, -1.0), rated_A, strict=True):
        most_A = rate * spec.constants.nominal_capacity_Ah
        most_W = most_A * P["cell_voltage_maximum_V"]
        limits_W = []
        for horizon_s in horizons:
            most_W = _search(one, horizon_s, start, (sign, most_W, u, p), slope)
            limits_W.append(most_W * P["n_series"] * P["n_parallel"])
        found.append(ca.vertcat(*limits_W))
    return ca.Function("power_limits", [memory, u, p], found)


def _held_step(
    spec: SurrogateSpec, cell: StepMap, horizons_s: tuple[int, ...]
) -> ca.Function:
    """Return `(state, h, sign, power_W, u, p) -> (state,)`: a step at constant power.

    `state` holds the cells, current and slope of the last step and the smallest margin
    so far, V; `power_W` is the magnitude per cell.
    """
    interface = pack_interface(spec, PackLayout(), horizons_s)
    n = cell.n_memory
    state = ca.MX.sym("state", len(CELLS) * n + 3)
    h, sign, power_W = (ca.MX.sym(k) for k in ("h", "sign", "power_W"))
    u = ca.MX.sym("u", len(interface.inputs))
    p = ca.MX.sym("p", len(interface.parameters))
    U = {k: u[i] for i, k in enumerate(interface.input_names)}
    P = {k: p[i] for i, k in enumerate(interface.parameter_names)}
    memory = ca.reshape(state[: len(CELLS) * n], n, len(CELLS))
    last, slope_Ohm, worst_V = (state[len(CELLS) * n + k] for k in range(3))
    functions = StringFunctions.of(spec)
    cells = (memory, cell_parameters(P))
    string = PackString.at(spec, functions, cells, P, h)
    anything = CurrentLimit(
        cell_A=ca.MX(_ANY_A), mean_V=ca.MX(0.0), slope_Ohm=ca.MX(0.0)
    )
    request = U | {
        "control_mode": ca.MX(1.0),
        "power_request_W": sign * power_W * P["n_series"] * P["n_parallel"],
    }
    root = find_current(string, request, P, (anything, anything), (last, slope_Ohm))
    after, y = string.step(cell_inputs(root.cell_A, U, P))
    names = cell.interface.output_names
    capacity_Ah = spec.constants.nominal_capacity_Ah
    is_charge = sign < 0.0
    rate = ca.if_else(is_charge, P["charge_rate_maximum"], P["discharge_rate_maximum"])
    margins = [(rate * capacity_Ah - sign * root.cell_A) * START_SLOPE_OHM]
    voltages_V = y[names.index("voltage_V"), :]
    platings_V = y[names.index("plating_potential_V"), :]
    for voltage_V, plating_V in zip(
        ca.horzsplit(voltages_V), ca.horzsplit(platings_V), strict=True
    ):
        room_V = ca.if_else(
            is_charge,
            P["cell_voltage_maximum_V"] - voltage_V,
            voltage_V - P["cell_voltage_minimum_V"],
        )
        above_V = plating_V - P["plating_potential_minimum_V"]
        margins += [room_V, ca.if_else(is_charge, above_V, math.inf)]
    for margin in margins:
        worst_V = ca.if_else(margin <= worst_V, margin, worst_V)
    weights = ca.vertcat(P["n_series"] - 2.0, 1.0, 1.0)
    total_V = ca.dot(weights, voltages_V.T)
    string_V = total_V / P["n_series"] - string.wire_Ohm * root.cell_A
    unmet_W = ca.fabs(string_V * root.cell_A - sign * power_W)
    worst_V = ca.if_else(unmet_W <= _UNMET_SHARE * power_W, worst_V, -1.0)
    return ca.Function(
        "held_step",
        [state, h, sign, power_W, u, p],
        [ca.vertcat(ca.vec(after), root.cell_A, root.slope_Ohm, worst_V)],
    )


def _search(
    one: ca.Function,
    horizon_s: int,
    start: Symbol,
    task: tuple[float, Symbol, Symbol, Symbol],
    slope_Ohm: Symbol,
) -> Symbol:
    """Return the largest power per cell that holds for a horizon, W.

    Args:
        one: As `_held_step` returns it.
        horizon_s: How long the power is held.
        start: State at its begin.
        task: Sign, largest power, inputs and parameters of the pack.
        slope_Ohm: Of the cells' voltage over current, roughly.
    """
    sign, most_W, u, p = task
    tried = _one_pass(one, horizon_s)
    keep = ca.Function("keep_power", tried.mx_in(), [tried.mx_in(0)])
    guarded = ca.Function.if_else("power_pass_unless_done", tried, keep)
    per_W = ca.fmax(slope_Ohm, 1e-3) / _CELL_V
    search = ca.vertcat(most_W, 0.0, most_W, 0.0, 0.0, 0.0)
    for _ in range(PASSES):
        search = guarded(search[5] < 0.5, search, start, sign, most_W, per_W, u, p)
    return search[1]


def _one_pass(one: ca.Function, horizon_s: int) -> ca.Function:
    """Return `(search, start, sign, most, per_W, u, p) -> (search,)`: one horizon.

    `search` holds the power to try, the largest known to hold, the smallest known not
    to, the one tried before with its margin, and whether all is done.
    """
    arguments = [ca.MX.sym("search", _N_SEARCH), ca.MX.sym("start", one.numel_in(0))]
    arguments += [ca.MX.sym(k) for k in ("sign", "most", "per_W")]
    arguments += [ca.MX.sym("u", one.numel_in(4)), ca.MX.sym("p", one.numel_in(5))]
    search, state, sign, most, per_W, u, p = arguments
    tried, low, high, before, margin_before = (search[k] for k in range(5))
    n = math.ceil(horizon_s / LONGEST_STEP_S - 1e-9)
    for _ in range(n):
        state = one(state, horizon_s / n, sign, tried, u, p)
    margin = state[state.numel() - 1]

    gap = tried - before
    is_first = margin_before == 0.0
    secant = (margin_before - margin) / ca.if_else(gap == 0.0, 1.0, gap)
    slope = ca.fmax(ca.if_else(is_first, per_W, secant), 0.1 * per_W)
    holds = margin >= 0.0  # a NaN does not
    low, high = ca.if_else(holds, tried, low), ca.if_else(holds, high, tried)
    is_near = ca.logic_or(margin <= NEAR_SHARE * slope * tried, tried >= most)
    is_tight = high - low <= ca.fmax(NEAR_SHARE * high, NOTHING * most)
    is_done = ca.logic_or(ca.logic_and(holds, is_near), is_tight)
    linear = tried + margin / slope - AIM_SHARE * tried
    is_inside = ca.logic_and(linear > low, linear < high)
    following = ca.if_else(is_inside, linear, 0.5 * (low + high))
    return ca.Function(
        "power_pass",
        arguments,
        [ca.vertcat(following, low, high, tried, margin, is_done)],
    )
