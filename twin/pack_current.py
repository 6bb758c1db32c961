"""The current that meets a requested power or voltage, found inside the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.surrogate import cell_outputs, mode_rates
from packtwin.twin.surrogate_model import CasadiOperations
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["Root", "find_current", "terminal_voltage"]

Symbol: TypeAlias = Any
SECANT_ITERATIONS = 3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The cell current of the step and what was learned on the way."""

    cell_A: Symbol
    slope_Ohm: Symbol
    discharge_A: Symbol
    charge_A: Symbol
    active: Symbol
    wanted_W: Symbol


def terminal_voltage(spec: SurrogateSpec) -> ca.Function:
    """Voltage of one cell at the end of a step, temperature frozen.

    `(x, decay, h, current_A, capacity_factor, series_resistance_Ohm) -> (voltage_V,)`;
    the cheap part of the full step, for the root iteration.
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


def find_current(  # noqa: PLR0913 (the step's symbols)
    terminal: ca.Function,
    parts: list[Symbol],
    U: dict[str, Symbol],
    P: dict[str, Symbol],
    factors: list[Symbol],
    h: Symbol,
    last_A: Symbol,
    last_slope: Symbol,
    spec: SurrogateSpec,
) -> Root:
    """Find the cell current that meets the request at the end of the step.

    Around the last pair `(I, V)` the string is `V = a - R I`; the request is met by the
    root of a quadratic (power) or a line (voltage). Each pass corrects `R` by the
    secant through the two latest pairs.
    """
    c, n = spec.constants, spec.n_mode
    ops = CasadiOperations(spec.weights)
    to_temperature = spec.tables["temperature_K"]
    series, parallel = P["n_series"], P["n_parallel"]
    wire = P["interconnect_resistance_Ohm"] * parallel / series
    decays = [
        ca.exp(
            -h
            * ca.vertcat(
                *mode_rates(ops, c, n, part[0], to_temperature.casadi(part[n + 2]))
            )
        )
        for part in parts
    ]

    def cell_voltage(i: int, current: Symbol) -> Symbol:
        return terminal(parts[i], decays[i], h, current, factors[i][2], factors[i][3])

    def mean_voltage(current: Symbol) -> Symbol:
        v = [cell_voltage(i, current) for i in range(3)]
        return ((series - 2.0) * v[0] + v[1] + v[2]) / series - wire * current

    power = U["power_request_W"] / (series * parallel)
    volt = U["voltage_request_V"] / series
    request = U["current_request_A"] / parallel
    mode = U["control_mode"]

    def solve(current: Symbol, voltage: Symbol, slope: Symbol) -> Symbol:
        a = voltage + slope * current
        root = ca.sqrt(ca.fmax(a * a - 4.0 * slope * power, 0.0))
        by_power = 2.0 * power / (a + root)
        by_voltage = (a - volt) / slope
        return ca.if_else(
            mode < 0.5, request, ca.if_else(mode < 1.5, by_power, by_voltage)
        )

    weak = cell_voltage(1, last_A)
    # Limits from the weakest cell, one secant pass each from the linear estimate.
    low, high = P["cell_voltage_minimum_V"], P["cell_voltage_maximum_V"]
    slope_0 = last_slope + factors[1][3]
    limits = []
    for bound, sign, rate_maximum in (
        (low, 1.0, P["discharge_rate_maximum"]),
        (high, -1.0, P["charge_rate_maximum"]),
    ):
        most = rate_maximum * c.nominal_capacity_Ah
        first = ca.fmin(ca.fmax(sign * (last_A + (weak - bound) / slope_0), 0.0), most)
        tried = cell_voltage(1, sign * first)
        slope = (weak - tried) / (sign * first - last_A + 1e-9)
        slope = ca.fmin(ca.fmax(slope, 0.3 * slope_0), 3.0 * slope_0)
        second = sign * (sign * first + (tried - bound) / slope)
        limits.append(ca.fmin(ca.fmax(second, 0.0), most))
    discharge, charge = limits

    def clip(current: Symbol) -> Symbol:
        bounded = ca.fmin(ca.fmax(current, -charge), discharge)
        return ca.if_else(mode < 0.5, current, bounded)

    current, voltage, slope = last_A, mean_voltage(last_A), last_slope + wire
    wanted = clip(solve(current, voltage, slope))
    for _ in range(SECANT_ITERATIONS - 1):
        now = mean_voltage(wanted)
        gap = wanted - current
        is_near = ca.fabs(gap) < 1e-6
        secant = (voltage - now) / ca.if_else(is_near, 1.0, gap)
        secant = ca.fmin(ca.fmax(secant, 1e-3), 1.0)
        slope = ca.if_else(is_near, slope, secant)
        current, voltage = wanted, now
        wanted = clip(solve(current, voltage, slope))
    free = solve(current, voltage, slope)
    active = ca.if_else(free > discharge + 1e-9, 1.0, 0.0)
    active = ca.if_else(free < -charge - 1e-9, 2.0, active)
    return Root(
        cell_A=wanted,
        slope_Ohm=slope - wire,
        discharge_A=discharge,
        charge_A=charge,
        active=active,
        wanted_W=ca.if_else(
            ca.logic_and(mode > 0.5, mode < 1.5), U["power_request_W"], 0.0
        ),
    )
