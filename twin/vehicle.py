"""The vehicle: from the speed of a drive cycle to the power the pack must give.

Road load F = A + B v + C v^2 plus inertia, a drive train with a motor efficiency map,
regenerative braking that fades out towards standstill, friction brakes for the rest,
and auxiliaries. The structure follows FASTSim (A. Brooker et al., SAE Technical Paper
2015-01-0973, doi:10.4271/2015-01-0973). Within every step, to rounding:

    power_request = wheel + friction_brake + motor_loss + auxiliary + cooling - unmet
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, final

import casadi as ca
import numpy as np

from packtwin.twin.model import names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable
from packtwin.twin.vehicle_parameters import (
    VehicleParameters,
    load_vehicle,
    road_load_from_drag,
)

__all__ = [
    "VehicleParameters",
    "load_vehicle",
    "road_load_from_drag",
    "vehicle_step_map",
]


# Fields that stay adjustable parameters of the step map; the motor map is built in.
_TUNABLE = tuple(
    field.name
    for field in fields(VehicleParameters)
    if field.name not in ("name", "motor_power_fractions", "motor_efficiencies")
)


def vehicle_step_map(
    parameters: VehicleParameters, *, name: str = "vehicle"
) -> StepMap:
    """Return the step map of a vehicle with the `vehicle` ports of docs/ports.md.

    The speed is linear in a step, given by its mean and its slope, so that kinetic
    energy and road load are exact means. `traction_power_W` and `regenerated_power_W`
    are electrical (DC) power to and from the drive. When the pack's limit is too
    small, the vehicle still follows the trace and reports what was lacking: missing
    power at the wheels plus auxiliaries that got no power (`unmet_power_W`).
    """
    interface = _interface(parameters)
    u, inputs = names_to_symbols(interface.inputs, "u")
    p, values = names_to_symbols(interface.parameters, "p")
    memory, t, h = ca.SX.sym("memory", 1), ca.SX.sym("t"), ca.SX.sym("h")

    def outputs(h: Any, distance: Any) -> Any:
        table = _power_flows(parameters, inputs, values, h)
        table["distance_m"] = distance
        return ca.densify(ca.vertcat(*[table[v.name] for v in interface.outputs]))

    distance = memory + h * inputs["speed_m_per_s"] * inputs["is_driving"]
    return StepMap(
        name=name,
        interface=interface,
        memory=(Variable(name="travelled_distance_m", description="Distance."),),
        initialize=ca.Function(
            f"{name}_initialize", [u, p], [ca.SX(0.0), outputs(0.0, 0.0)]
        ),
        step=ca.Function(
            f"{name}_step", [memory, t, h, u, p], [distance, outputs(h, distance)]
        ),
    )


def _power_flows(
    parameters: VehicleParameters, u: dict[str, Any], p: dict[str, Any], h: Any
) -> dict[str, Any]:
    drive = _DriveMap(parameters, p["motor_power_max_W"])
    gear = p["transmission_efficiency"]
    speed, wheel = _wheel_power(u, p, h)
    propelling, braking = ca.fmax(wheel, 0.0), ca.fmax(-wheel, 0.0)
    house = p["auxiliary_demand_W"] + u["cooling_power_W"]
    discharge_limit = ca.fmax(u["discharge_power_limit_W"], 0.0)
    charge_limit = ca.fmax(u["charge_power_limit_W"], 0.0)

    motor_limit = drive.output_for_drawn(ca.fmax(discharge_limit - house, 0.0))
    motor = ca.fmin(propelling / gear, motor_limit)
    traction = drive.drawn(motor)

    fade = (speed - p["regeneration_half_speed_m_per_s"]) / (
        p["regeneration_speed_width_m_per_s"]
    )
    wanted = p["regeneration_max_fraction"] / (1.0 + ca.exp(-fade)) * braking * gear
    generator = ca.fmin(wanted, drive.input_for_returned(charge_limit + house))
    regenerated = drive.returned(generator)

    shed = ca.fmax(house + traction - regenerated - discharge_limit, 0.0)
    return {
        "power_request_W": traction - regenerated + house - shed,
        "wheel_power_W": wheel,
        "traction_power_W": traction,
        "regenerated_power_W": regenerated,
        "auxiliary_power_W": p["auxiliary_demand_W"],
        "friction_brake_power_W": braking - generator / gear,
        "motor_loss_W": (traction - motor * gear) + (generator / gear - regenerated),
        "unmet_power_W": gear * ca.fmax(propelling / gear - motor_limit, 0.0) + shed,
    }


def _wheel_power(u: dict[str, Any], p: dict[str, Any], h: Any) -> tuple[Any, Any]:
    """Return mean speed and mean wheel power for a speed that is linear in the step.

    With mean speed v and change d = a h, the means of v^2 and v^3 are v^2 + d^2/12
    and v^3 + v d^2/4, and the change of v^2 is 2 v d.
    """
    v = u["speed_m_per_s"] * u["is_driving"]
    a = u["acceleration_m_per_s2"] * u["is_driving"]
    d = a * h
    inertia = p["mass_kg"] * (1.0 + p["rotating_mass_fraction"]) * a * v
    road = (
        p["road_load_a_N"] * v
        + p["road_load_b_Ns_per_m"] * (v**2 + d**2 / 12.0)
        + p["road_load_c_Ns2_per_m2"] * (v**3 + v * d**2 / 4.0)
    )
    return v, inertia + road


@final
class _DriveMap:
    """Motor and inverter: mechanical against electrical power, both piecewise linear.

    The inverse of a rising piecewise-linear curve is one too, so that a power limit on
    the electrical side is met exactly. All curves end at the motor's peak power.
    """

    def __init__(self, parameters: VehicleParameters, peak_W: Any) -> None:
        self._peak_W = peak_W
        self._x = np.array(parameters.motor_power_fractions)
        eta = np.array(parameters.motor_efficiencies)
        self._drawn, self._returned = self._x / eta, self._x * eta

    def drawn(self, mechanical_W: Any) -> Any:
        """Electrical power that gives this mechanical power."""
        return self._scaled(mechanical_W, self._x, self._drawn)

    def output_for_drawn(self, electrical_W: Any) -> Any:
        """Mechanical power from this electrical power; the inverse of `drawn`."""
        return self._scaled(electrical_W, self._drawn, self._x)

    def returned(self, mechanical_W: Any) -> Any:
        """Electrical power returned when braking with this mechanical power."""
        return self._scaled(mechanical_W, self._x, self._returned)

    def input_for_returned(self, electrical_W: Any) -> Any:
        """Mechanical power that returns this electrical power."""
        return self._scaled(electrical_W, self._returned, self._x)

    def _scaled(self, power_W: Any, x: Any, y: Any) -> Any:
        fraction = power_W / self._peak_W
        total = 0.0 * fraction
        slopes = np.diff(y) / np.diff(x)
        for start, width, slope in zip(x[:-1], np.diff(x), slopes, strict=True):
            total += slope * ca.fmin(ca.fmax(fraction - start, 0.0), width)
        return total * self._peak_W


def _interface(parameters: VehicleParameters) -> Interface:
    def limit(name: str, text: str) -> Variable:
        return Variable(
            name=name, description=text, start=1e6, minimum=0.0, nominal=1e5
        )

    def mean(name: str, text: str, nominal: float = 1e4) -> Variable:
        return Variable(name=name, description=text, nominal=nominal, sampling="mean")

    return Interface(
        inputs=(
            Variable(
                name="speed_m_per_s",
                description="Mean speed over the step.",
                minimum=0.0,
                nominal=10.0,
            ),
            Variable(name="acceleration_m_per_s2", description="Slope of the speed."),
            Variable(
                name="is_driving",
                description="1: follows the speed; 0: stands, auxiliaries only.",
                start=1.0,
                minimum=0.0,
                maximum=1.0,
            ),
            Variable(
                name="cooling_power_W",
                description="Electrical power of the thermal system.",
                minimum=0.0,
                nominal=1e3,
            ),
            limit("discharge_power_limit_W", "Most power the pack can give."),
            limit("charge_power_limit_W", "Most power the pack can take."),
        ),
        outputs=(
            mean("power_request_W", "Power asked from the pack, within its limits."),
            mean("wheel_power_W", "Power the speed trace needs at the wheels."),
            mean("traction_power_W", "Electrical power to the drive."),
            mean("regenerated_power_W", "Electrical power returned by the drive."),
            mean("auxiliary_power_W", "Electrical load of the vehicle.", 250.0),
            mean("friction_brake_power_W", "Heat of the friction brakes."),
            mean("motor_loss_W", "Loss of motor, inverter and transmission.", 1e3),
            mean("unmet_power_W", "Power that the limits kept back."),
            Variable(name="distance_m", description="Distance driven.", nominal=1e4),
        ),
        parameters=tuple(
            Variable(
                name="auxiliary_demand_W" if key == "auxiliary_power_W" else key,
                start=getattr(parameters, key),
                variability="tunable",
            )
            for key in _TUNABLE
        ),
    )
