"""The pack: representative cells of a series/parallel pack as one step map.

Three cells stand for `series x parallel` cells: the mean one, the weakest (capacity
and resistance off) and the hottest (warmer coolant). Cells in parallel are taken as
equal, so each carries `current / parallel`; the string is

    V_pack = (series - 2) V_mean + V_weak + V_hot - R_interconnect I.

The requested quantity is current, power or voltage. The current that meets a requested
power or voltage at the end of the step is found by safeguarded secant iterations inside
the step, and clipped to the limits that are then reported as active.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.integrate import integrate
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate import cell_outputs, mode_rates
from packtwin.twin.surrogate_model import CasadiOperations, cell_model
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.variable import Interface, Variable

__all__ = ["PackLayout", "pack_step_map"]

Symbol: TypeAlias = Any
CELLS = ("mean", "weak", "hot")
SECANT_ITERATIONS = 3

# An uncertified spec claims nothing: no domain and no bound.
DEFAULT_DOMAIN = {
    "temperature_minimum_K": 1e3,
    "temperature_maximum_K": 0.0,
    "discharge_rate_maximum": 0.0,
    "charge_rate_maximum": 0.0,
    "soc_minimum": 1.0,
    "soc_maximum": 0.0,
}
DEFAULT_BOUNDS = {"voltage_V": 1e3, "plating_potential_V": 1e3}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PackLayout:
    """Start values of the pack's parameters.

    Attributes:
        n_series: Cells (groups) in series, >= 3.
        n_parallel: Cells in parallel.
        interconnect_resistance_Ohm: Of the whole string.
        weak_capacity_factor: Capacity of the weakest cell relative to the mean one.
        weak_resistance_Ohm: Additional resistance of the weakest cell.
        hot_coolant_offset_K: How much warmer the hottest cell's coolant is.
        start_soc: State of charge at the start.
        start_temperature_K: Cell temperature at the start.
    """

    n_series: int = 96
    n_parallel: int = 31
    interconnect_resistance_Ohm: float = 0.005
    weak_capacity_factor: float = 0.98
    weak_resistance_Ohm: float = 0.001
    hot_coolant_offset_K: float = 1.5
    start_soc: float = 0.9
    start_temperature_K: float = 298.15


def pack_interface(spec: SurrogateSpec, layout: PackLayout) -> Interface:
    """Return the pack's ports, as in docs/ports.md."""
    c = spec.constants
    volt = layout.n_series * 3.7

    def inp(name: str, start: float, text: str, nominal: float = 1.0) -> Variable:
        return Variable(name=name, start=start, description=text, nominal=nominal)

    def out(name: str, text: str, *, mean: bool = False) -> Variable:
        sampling = "mean" if mean else "end"
        return Variable(name=name, description=text, sampling=sampling)  # type: ignore[arg-type]

    def par(name: str, start: float, low: float, high: float, text: str) -> Variable:
        return Variable(
            name=name,
            start=start,
            minimum=low,
            maximum=high,
            variability="fixed",
            description=text,
        )

    return Interface(
        inputs=(
            inp("control_mode", 1.0, "0 current, 1 power, 2 voltage."),
            inp("current_request_A", 0.0, "Used in mode 0; discharge > 0.", 100.0),
            inp("power_request_W", 0.0, "Used in mode 1; > 0 leaves the pack.", 1e4),
            inp("voltage_request_V", volt, "Used in mode 2.", 100.0),
            inp("coolant_temperature_K", layout.start_temperature_K, "At the plate."),
            inp("heat_transfer_coefficient_W_per_m2K", 20.0, "Over the cell's area."),
        ),
        outputs=(
            out("current_A", "Pack current.", mean=True),
            out("voltage_V", "Pack terminal voltage."),
            out("power_W", "Electrical power.", mean=True),
            out("ocv_V", "Open-circuit voltage of the string."),
            out("soc", "State of charge of the mean cell."),
            out("temperature_mean_K", "Mean over all cells."),
            out("temperature_min_K", "Coldest representative cell."),
            out("temperature_max_K", "Hottest representative cell."),
            out("cell_voltage_min_V", "Lowest cell voltage."),
            out("cell_voltage_mean_V", "Voltage of the mean cell."),
            out("cell_voltage_max_V", "Highest cell voltage."),
            out("plating_potential_min_V", "Lowest plating potential; < 0 may plate."),
            out("heat_generation_W", "Heat of all cells.", mean=True),
            out("heat_reversible_W", "Entropic part of it.", mean=True),
            out("heat_mixing_W", "Heat of mixing of all cells.", mean=True),
            out("heat_interconnect_W", "Ohmic heat of the connections.", mean=True),
            out(
                "heat_cell_to_coolant_W",
                "Heat of cells and connections into the coolant.",
                mean=True,
            ),
            out("chemical_power_W", "What chemistry gives up.", mean=True),
            out("lithium_negative_Ah", "Lithium in the negative electrodes."),
            out("lithium_positive_Ah", "Lithium in the positive electrodes."),
            out("discharge_power_limit_W", "Largest power that can be drawn, >= 0."),
            out("charge_power_limit_W", "Largest power that can be put in, >= 0."),
            out("active_limit", "0 none, 1 discharge, 2 charge limit clipped."),
            out("c_rate", "Current over nominal capacity."),
            out("is_in_domain", "1 inside the certified domain, else 0."),
            out("voltage_bound_V", "Certified error bound of cell voltage."),
            out("plating_bound_V", "Certified error bound of the plating potential."),
            out("power_error_W", "Power left unmet by the root iteration."),
        ),
        parameters=(
            par("n_series", float(layout.n_series), 3, 1e4, "Cells in series."),
            par("n_parallel", float(layout.n_parallel), 1, 1e4, "Cells in parallel."),
            par(
                "interconnect_resistance_Ohm",
                layout.interconnect_resistance_Ohm,
                0,
                10,
                "Of the whole string.",
            ),
            par(
                "weak_capacity_factor",
                layout.weak_capacity_factor,
                0.5,
                1.5,
                "Capacity of the weakest cell over the mean one.",
            ),
            par(
                "weak_resistance_Ohm",
                layout.weak_resistance_Ohm,
                0,
                1,
                "Additional resistance of the weakest cell.",
            ),
            par(
                "hot_coolant_offset_K",
                layout.hot_coolant_offset_K,
                -20,
                40,
                "How much warmer the hottest cell's coolant is.",
            ),
            par("start_soc", layout.start_soc, 0, 1, "State of charge at the start."),
            par(
                "start_temperature_K",
                layout.start_temperature_K,
                233.15,
                353.15,
                "Cell temperature at the start.",
            ),
            par(
                "cell_voltage_minimum_V",
                c.voltage_minimum_V,
                1,
                5,
                "Limit on discharge.",
            ),
            par(
                "cell_voltage_maximum_V", c.voltage_maximum_V, 1, 5, "Limit on charge."
            ),
            par("discharge_rate_maximum", 3.0, 0, 20, "Limit in C-rate."),
            par("charge_rate_maximum", 3.0, 0, 20, "Limit in C-rate."),
        ),
    )


def pack_step_map(
    spec: SurrogateSpec, layout: PackLayout | None = None, *, name: str = "pack"
) -> StepMap:
    """Return the pack of a trained cell.

    Args:
        spec: The cell.
        layout: Start values of the parameters.
        name: C identifier of the step map.
    """
    layout = layout or PackLayout()
    interface = pack_interface(spec, layout)
    cell = integrate(cell_model(spec), "exponential")
    terminal = _terminal_voltage(spec)
    states = tuple(
        replace(v, name=f"{v.name.removesuffix('_K')}_{which}" + _suffix(v.name))
        for which in CELLS
        for v in cell.memory
    )
    n = len(cell.memory)
    memory = (
        *states,
        Variable(name="last_current_A", description="Cell current of the last step."),
        Variable(name="slope_Ohm", description="-dV/dI of the mean cell.", start=0.03),
    )
    x, u = ca.MX.sym("x", len(memory)), ca.MX.sym("u", len(interface.inputs))
    p, t, h = (
        ca.MX.sym("p", len(interface.parameters)),
        ca.MX.sym("t"),
        ca.MX.sym("h"),
    )
    U = {k: u[i] for i, k in enumerate(interface.input_names)}
    P = {k: p[i] for i, k in enumerate(interface.parameter_names)}
    parts = [x[i * n : (i + 1) * n] for i in range(3)]
    factors = _cell_parameters(P)

    root = _find_current(
        terminal, parts, U, P, factors, h, x[3 * n], x[3 * n + 1], spec
    )
    cell_u = [
        ca.vertcat(root.cell_A, U["coolant_temperature_K"] + offset, U[_H])
        for offset in (0.0, 0.0, P["hot_coolant_offset_K"])
    ]
    stepped = [
        cell.step(parts[i], t, h, cell_u[i], factors[i]) for i in range(len(CELLS))
    ]
    y = _collect(spec, interface, cell, [s[1] for s in stepped], U, P, root)
    step = ca.Function(
        f"{name}_step",
        [x, t, h, u, p],
        [ca.vertcat(*[s[0] for s in stepped], root.cell_A, root.slope_Ohm), y],
    )

    started = [
        cell.initialize(ca.vertcat(0.0, U["coolant_temperature_K"], U[_H]), factors[i])
        for i in range(len(CELLS))
    ]
    zero = Root(
        cell_A=ca.MX(0),
        slope_Ohm=ca.MX(0.03),
        discharge_A=P["discharge_rate_maximum"] * spec.constants.nominal_capacity_Ah,
        charge_A=P["charge_rate_maximum"] * spec.constants.nominal_capacity_Ah,
        active=ca.MX(0),
        wanted_W=ca.MX(0),
    )
    y0 = _collect(spec, interface, cell, [s[1] for s in started], U, P, zero)
    initialize = ca.Function(
        f"{name}_initialize",
        [u, p],
        [ca.vertcat(*[s[0] for s in started], zero.cell_A, zero.slope_Ohm), y0],
    )
    return StepMap(
        name=name,
        interface=interface,
        memory=memory,
        initialize=initialize,
        step=step,
    )


_H = "heat_transfer_coefficient_W_per_m2K"


def _suffix(name: str) -> str:
    return "_K" if name.endswith("_K") else ""


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


def _cell_parameters(P: dict[str, Symbol]) -> list[Symbol]:
    """Return the cell's parameter vectors: mean, weak, hot."""
    start = (P["start_soc"], P["start_temperature_K"])
    return [
        ca.vertcat(*start, 1.0, 0.0),
        ca.vertcat(*start, P["weak_capacity_factor"], P["weak_resistance_Ohm"]),
        ca.vertcat(*start, 1.0, 0.0),
    ]


def _terminal_voltage(spec: SurrogateSpec) -> ca.Function:
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
        temperature_K=x[n + 2],
        rate=rate,
        current_A=current,
        series_resistance_Ohm=ohm,
    )
    return ca.Function(
        "terminal_voltage", [x, decay, h, current, capacity, ohm], [out.voltage_V]
    )


def _find_current(  # noqa: PLR0913 (the step's symbols)
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
    series, parallel = P["n_series"], P["n_parallel"]
    wire = P["interconnect_resistance_Ohm"] * parallel / series
    decays = [
        ca.exp(-h * ca.vertcat(*mode_rates(ops, c, n, part[0], part[n + 2])))
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


def _collect(
    spec: SurrogateSpec,
    interface: Interface,
    cell: StepMap,
    y: list[Symbol],
    U: dict[str, Symbol],
    P: dict[str, Symbol],
    root: Root,
) -> Symbol:
    """Gather the pack's outputs from its three cells."""
    c = spec.constants
    names = cell.interface.output_names
    series, parallel = P["n_series"], P["n_parallel"]
    weights = (series - 2.0, 1.0, 1.0)

    def each(name: str) -> list[Symbol]:
        return [y[i][names.index(name)] for i in range(3)]

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
    slope_V = root.slope_Ohm * series + P["interconnect_resistance_Ohm"] * parallel

    def limit_W(cell_A: Symbol, sign: float) -> Symbol:
        voltage = string_V - slope_V * (sign * cell_A - root.cell_A)
        return cell_A * parallel * voltage

    domain = spec.certificate.get("domain", DEFAULT_DOMAIN)
    rate = root.cell_A / c.nominal_capacity_Ah
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
    bounds = spec.certificate.get("bounds", DEFAULT_BOUNDS)
    electrical_W = total("electrical_power_W") * parallel - wire_W
    end_W = string_V * current
    met = ca.if_else(root.active > 0.5, 0.0, root.wanted_W - end_W)
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
        "chemical_power_W": total("chemical_power_W") * parallel,
        "lithium_negative_Ah": each("stoichiometry_negative_mean")[0]
        * c.negative_capacity_Ah
        * parallel,
        "lithium_positive_Ah": each("stoichiometry_positive_mean")[0]
        * c.positive_capacity_Ah
        * parallel,
        "discharge_power_limit_W": limit_W(root.discharge_A, 1.0),
        "charge_power_limit_W": limit_W(root.charge_A, -1.0),
        "active_limit": root.active,
        "c_rate": rate,
        "is_in_domain": inside,
        "voltage_bound_V": ca.MX(bounds["voltage_V"]),
        "plating_bound_V": ca.MX(bounds["plating_potential_V"]),
        "power_error_W": ca.if_else(root.wanted_W == 0.0, 0.0, met),
    }
    return ca.densify(ca.vertcat(*[values[k] for k in interface.output_names]))
