"""The current that meets a requested power or voltage, found inside the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.pack_limit import CurrentLimit
from packtwin.twin.pack_string import PackString

__all__ = ["Root", "find_current"]

Symbol: TypeAlias = Any
POWER, VOLTAGE = 1.0, 2.0  # control modes; 0 is current
REQUEST_PASSES = 6
NEAR_V = 2e-4  # a correction this small leaves an error near 1e-5 of the power
FIRST_NEAR_V = 2e-5  # by the slope of the last step
SLOPE_MINIMUM_OHM, SLOPE_MAXIMUM_OHM = 1e-3, 10.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The cell current of the step and what was learned on the way.

    Attributes:
        cell_A: Cell current.
        slope_Ohm: `-dV/dI` of the cells, to start from next time.
        active: 0 nothing clipped, 1 clipped to the discharge, 2 to the charge limit.
        discharge: Limit of the discharge current.
        charge: Limit of the charge current.
    """

    cell_A: Symbol
    slope_Ohm: Symbol
    active: Symbol
    discharge: CurrentLimit
    charge: CurrentLimit


def find_current(
    string: PackString,
    U: dict[str, Symbol],
    P: dict[str, Symbol],
    limits: tuple[CurrentLimit, CurrentLimit],
    last: tuple[Symbol, Symbol],
) -> Root:
    """Find the cell current that meets the request at the end of the step.

    Around the last pair `(I, V)` the string is `V = a - R I`; the request is met by the
    root of a quadratic (power) or a line (voltage). Each pass corrects `R` by the
    secant through the two latest pairs; a requested current needs no pass and is not
    clipped.

    Args:
        string: The string at the start of the step.
        U: Inputs of the pack.
        P: Parameters of the pack.
        limits: Of discharge and charge.
        last: Current and slope to start from.
    """
    discharge, charge = limits
    series, parallel = P["n_series"], P["n_parallel"]
    request = ca.vertcat(
        U["control_mode"],
        U["power_request_W"] / (series * parallel),
        U["voltage_request_V"] / series,
        discharge.cell_A,
        charge.cell_A,
    )
    is_current = U["control_mode"] < 0.5 * POWER
    one = _one_pass(string.voltages)
    keep = ca.Function("keep_current", one.mx_in(), [one.mx_in(0)])
    guarded = ca.Function.if_else("request_pass_unless_done", one, keep)
    search = ca.vertcat(last[0], last[0], 0.0, last[1] + string.wire_Ohm, last[0], 0.0)
    for _ in range(REQUEST_PASSES):
        is_open = ca.logic_and(search[5] < 0.5, ca.logic_not(is_current))
        search = guarded(is_open, search, string.start, request)
    wanted, slope, free = search[0], search[3], search[4]
    active = ca.if_else(free > discharge.cell_A + 1e-9, 1.0, 0.0)
    active = ca.if_else(free < -charge.cell_A - 1e-9, 2.0, active)
    return Root(
        cell_A=ca.if_else(is_current, U["current_request_A"] / parallel, wanted),
        slope_Ohm=slope - string.wire_Ohm,
        active=ca.if_else(is_current, 0.0, active),
        discharge=discharge,
        charge=charge,
    )


def _one_pass(voltages: ca.Function) -> ca.Function:
    """Return `(search, start, request) -> (search,)`: one voltage and what follows.

    `search` holds the current to try, the one tried before with its voltage, the slope,
    the current that would meet the request without limits and whether all is done.
    """
    search, request = ca.MX.sym("search", 6), ca.MX.sym("request", 5)
    start = ca.MX.sym("start", voltages.numel_in(0))
    tried, before, voltage_before, slope_before = (search[k] for k in range(4))
    mode, power, volt, discharge, charge = (request[k] for k in range(5))
    voltage = voltages(start, tried)[0]

    gap = tried - before
    is_first = ca.fabs(gap) < 1e-6
    secant = (voltage_before - voltage) / ca.if_else(is_first, 1.0, gap)
    secant = ca.fmin(ca.fmax(secant, SLOPE_MINIMUM_OHM), SLOPE_MAXIMUM_OHM)
    slope = ca.if_else(is_first, slope_before, secant)

    a = voltage + slope * tried
    root = ca.sqrt(ca.fmax(a * a - 4.0 * slope * power, 0.0))
    is_power = mode < 0.5 * (POWER + VOLTAGE)
    free = ca.if_else(is_power, 2.0 * power / (a + root), (a - volt) / slope)
    wanted = ca.fmin(ca.fmax(free, -charge), discharge)
    near_V = ca.if_else(is_first, FIRST_NEAR_V, NEAR_V)
    is_done = slope * ca.fabs(wanted - tried) <= near_V
    return ca.Function(
        "request_pass",
        [search, start, request],
        [ca.vertcat(wanted, tried, voltage, slope, free, is_done)],
    )
