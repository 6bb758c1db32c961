"""The thermal system: pump, cold plate, radiator, chiller and heater of one loop.

Two coolant nodes: the cold plate and the rest of the loop (reservoir). From the plate
the coolant passes the radiator (or its bypass), the chiller and the heater, and enters
the reservoir, from where the pump feeds the plate. The stored energy

    E = C_plate T_plate + C_reservoir T_reservoir

changes by exactly

    heat_cell_to_coolant + heater_power + pump_power
        - heat_coolant_to_ambient - heat_coolant_to_refrigerant,

and the mean outputs of a step keep this to rounding.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import casadi as ca

from packtwin.twin.cooling_parameters import CoolingParameters
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = [
    "CoolingParameters",
    "cooling_model",
    "cooling_step_map",
    "cross_flow_effectiveness",
]

_AIR_DENSITY_KG_PER_M3 = 1.18
_AIR_HEAT_CAPACITY_J_PER_KGK = 1007.0
_TINY = 1e-9
_AMBIENT_GATE_K = 0.5  # width over which the radiator bypass closes at ambient


def cooling_step_map(
    parameters: CoolingParameters | None = None, *, name: str = "cooling"
) -> StepMap:
    """Return the step map of the thermal system (classical Runge-Kutta, 1 s)."""
    model = cooling_model(parameters, name=name)
    return integrate(model, "rk4", substep_s=1.0, symbol=ca.SX)


def cross_flow_effectiveness(transfer_units: Any, capacity_ratio: Any) -> Any:
    """Effectiveness of a cross-flow heat exchanger with both fluids unmixed.

    F. P. Incropera et al., Fundamentals of Heat and Mass Transfer, 6th ed. (2007),
    eq. 11.32; exact for a capacity ratio of 0, where it is 1 - exp(-NTU).

    Args:
        transfer_units: NTU = U A / C_min, >= 0.
        capacity_ratio: C_min / C_max in 0..1.
    """
    n = transfer_units + _TINY
    ratio = capacity_ratio + _TINY
    exponent = n**0.22 / ratio * ca.expm1(-ratio * n**0.78)
    return -ca.expm1(exponent)


def cooling_model(
    parameters: CoolingParameters | None = None, *, name: str = "cooling"
) -> Model:
    """Return the equations of the thermal system with the ports of docs/ports.md."""
    chosen = parameters or CoolingParameters()
    interface = _interface(chosen)
    states = (
        Variable(name="plate_node_temperature_K", start=298.15, nominal=300.0),
        Variable(name="reservoir_node_temperature_K", start=298.15, nominal=300.0),
    )
    u, inputs = names_to_symbols(interface.inputs, "u")
    p, values = names_to_symbols(interface.parameters, "p")
    x, _ = names_to_symbols(states, "x")
    t = ca.SX.sym("t")
    plate, reservoir = x[0], x[1]
    flows = _flows(plate, reservoir, inputs, values)
    to_plate = flows.pop("heat_coolant_to_plate_W")
    heat_in = inputs["heat_cell_to_coolant_W"]
    external = (
        flows["heater_power_W"]
        + flows["pump_power_W"]
        - flows["heat_coolant_to_ambient_W"]
        - flows["heat_coolant_to_refrigerant_W"]
    )
    start = values["initial_coolant_temperature_K"]
    return model_from_expressions(
        name,
        interface,
        states,
        symbols=(t, x, u, p),
        rhs={
            "plate_node_temperature_K": (heat_in + to_plate)
            / values["plate_heat_capacity_J_per_K"],
            "reservoir_node_temperature_K": (external - to_plate)
            / values["reservoir_heat_capacity_J_per_K"],
        },
        outputs=flows,
        initial={
            "plate_node_temperature_K": start,
            "reservoir_node_temperature_K": start,
        },
    )


def _flows(
    plate: Any, reservoir: Any, u: dict[str, Any], p: dict[str, Any]
) -> dict[str, Any]:
    pump = _clip(u["pump_command"])
    fan = _clip(u["fan_command"])
    flow = pump * p["flow_max_kg_per_s"]
    capacity = flow * p["coolant_heat_capacity_J_per_kgK"]
    pump_power = (
        pump**3
        * p["flow_max_kg_per_s"]
        / p["coolant_density_kg_per_m3"]
        * p["pump_pressure_max_Pa"]
        / p["pump_efficiency"]
    )
    fan_power = fan**3 * p["fan_power_max_W"]
    radiator = _radiator_heat(plate, capacity, u, p)
    outlet = plate - radiator / (capacity + _TINY)
    refrigerant, compressor = _chiller(outlet, capacity, u, p)
    loss = p["loop_loss_conductance_W_per_K"] * (reservoir - u["ambient_temperature_K"])
    heater = ca.fmin(
        ca.fmax(u["heater_power_request_W"], 0.0), p["heater_power_max_W"]
    ) * _logistic(p["heater_temperature_max_K"] - reservoir)
    return {
        "coolant_temperature_K": plate,
        "heat_transfer_coefficient_W_per_m2K": _plate_coefficient(pump, p),
        "coolant_flow_kg_per_s": flow,
        "cooling_power_W": pump_power + fan_power + compressor + heater,
        "heat_coolant_to_ambient_W": radiator + loss,
        "heat_coolant_to_refrigerant_W": refrigerant,
        "pump_power_W": pump_power,
        "compressor_power_W": compressor,
        "fan_power_W": fan_power,
        "heater_power_W": heater,
        "reservoir_temperature_K": reservoir,
        "heat_coolant_to_plate_W": capacity * (reservoir - plate),
    }


def _plate_coefficient(pump: Any, p: dict[str, Any]) -> Any:
    """Film and contact in series, plus what natural convection leaves at zero flow."""
    film = p["plate_film_coefficient_W_per_m2K"] * _power(pump, 0.8)
    contact = p["plate_contact_coefficient_W_per_m2K"]
    floor = p["plate_floor_coefficient_W_per_m2K"]
    return floor + film * contact / (film + contact)


def _radiator_heat(
    plate: Any, capacity: Any, u: dict[str, Any], p: dict[str, Any]
) -> Any:
    ram = p["ram_air_fraction"] * u["air_speed_m_per_s"]
    blown = p["fan_face_speed_m_per_s"] * _clip(u["fan_command"])
    face_speed = ca.sqrt(ram**2 + blown**2 + _TINY**2)
    air = (
        _AIR_DENSITY_KG_PER_M3
        * _AIR_HEAT_CAPACITY_J_PER_KGK
        * p["radiator_face_area_m2"]
        * face_speed
    )
    inside = p["radiator_coolant_conductance_W_per_K"] * _power(
        _clip(u["pump_command"]), 0.8
    )
    outside = p["radiator_air_conductance_W_per_K"] * _power(face_speed, 0.51)
    conductance = inside * outside / (inside + outside + _TINY)
    smallest, largest = ca.fmin(capacity, air), ca.fmax(capacity, air)
    effectiveness = cross_flow_effectiveness(
        conductance / (smallest + _TINY), smallest / (largest + _TINY)
    )
    difference = plate - u["ambient_temperature_K"]
    opening = _logistic(
        (plate - p["thermostat_temperature_K"]) / p["thermostat_width_K"]
    ) * _logistic(difference / _AMBIENT_GATE_K)
    return opening * effectiveness * smallest * difference


def _chiller(
    inlet: Any, capacity: Any, u: dict[str, Any], p: dict[str, Any]
) -> tuple[Any, Any]:
    """Return heat to the refrigerant and compressor power.

    The heat is the smaller of the refrigerant circuit's capacity and what the
    evaporator can pass; the COP is a fixed fraction of Carnot's, within limits.
    """
    ambient = u["ambient_temperature_K"]
    capability = (
        p["chiller_capacity_W"]
        + p["chiller_gain_coolant_W_per_K"]
        * (inlet - p["chiller_coolant_temperature_K"])
        - p["chiller_loss_ambient_W_per_K"]
        * (ambient - p["chiller_ambient_temperature_K"])
    )
    available = _clip(u["chiller_command"]) * ca.fmax(capability, 0.0)
    above = ca.fmax(inlet - p["evaporation_temperature_min_K"], 0.0)
    passed = (
        -ca.expm1(-p["chiller_conductance_W_per_K"] / (capacity + _TINY))
        * capacity
        * above
    )
    heat = _smooth_minimum(available, passed)
    evaporation = inlet - p["evaporator_difference_K"]
    lift = ambient + p["condenser_difference_K"] - evaporation
    cop = p["carnot_fraction"] * evaporation / ca.fmax(lift, 1.0)
    cop = ca.fmin(ca.fmax(cop, p["cop_min"]), p["cop_max"])
    return heat, heat / cop


def _clip(command: Any) -> Any:
    return ca.fmin(ca.fmax(command, 0.0), 1.0)


def _logistic(argument: Any) -> Any:
    return 0.5 * (1.0 + ca.tanh(0.5 * argument))


def _power(base: Any, exponent: float) -> Any:
    """`base**exponent` for base >= 0, with a finite slope at 0 (below 0.001)."""
    return base * (base**2 + 1e-6) ** ((exponent - 1.0) / 2.0)


def _smooth_minimum(a: Any, b: Any) -> Any:
    """Smaller of two values >= 0; 0 if one is 0, at most 8.3 % low where they meet."""
    smaller = ca.fmin(a, b)
    return smaller / (1.0 + (smaller / (ca.fmax(a, b) + _TINY)) ** 8) ** 0.125


def _interface(parameters: CoolingParameters) -> Interface:
    def command(name: str, text: str) -> Variable:
        return Variable(name=name, description=text, minimum=0.0, maximum=1.0)

    def mean(name: str, text: str, nominal: float = 1e3) -> Variable:
        return Variable(name=name, description=text, nominal=nominal, sampling="mean")

    def end(name: str, text: str, nominal: float) -> Variable:
        return Variable(name=name, description=text, nominal=nominal)

    start = parameters.initial_coolant_temperature_K
    return Interface(
        inputs=(
            end("heat_cell_to_coolant_W", "Heat of all cells into the plate.", 1e3),
            Variable(
                name="ambient_temperature_K",
                description="Air temperature.",
                start=298.15,
                nominal=300.0,
            ),
            end("air_speed_m_per_s", "Speed of the air towards the car.", 10.0),
            command("pump_command", "0..1 of full flow."),
            command("fan_command", "0..1 of full fan speed."),
            command("chiller_command", "0..1 of the refrigerant circuit's capacity."),
            end("heater_power_request_W", "Wanted electric heating, >= 0.", 1e3),
        ),
        outputs=(
            Variable(
                name="coolant_temperature_K",
                description="Coolant at the plate.",
                start=start,
                nominal=300.0,
            ),
            end(
                "heat_transfer_coefficient_W_per_m2K", "Cell surface to coolant.", 50.0
            ),
            end("coolant_flow_kg_per_s", "Coolant flow.", 0.3),
            mean("cooling_power_W", "Electrical: pump, fan, compressor and heater."),
            mean("heat_coolant_to_ambient_W", "Radiator and losses of the loop."),
            mean("heat_coolant_to_refrigerant_W", "Heat taken by the chiller."),
            mean("pump_power_W", "Electrical power of the pump.", 50.0),
            mean("compressor_power_W", "Electrical power of the compressor."),
            mean("fan_power_W", "Electrical power of the fan.", 100.0),
            mean("heater_power_W", "Electrical power of the heater."),
            Variable(
                name="reservoir_temperature_K",
                description="Coolant that the pump feeds to the plate.",
                start=start,
                nominal=300.0,
            ),
        ),
        parameters=tuple(
            Variable(
                name=item.name,
                start=getattr(parameters, item.name),
                variability="tunable",
            )
            for item in fields(parameters)
        ),
    )
