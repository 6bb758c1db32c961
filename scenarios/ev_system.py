"""The EV system of docs/ports.md: its components and how they are connected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeLimits
from packtwin.cosim.charge_mpc import ChargeMpc, ChargeMpcConfig
from packtwin.cosim.charge_rules import CcCvCharger, CcCvConfig, cccv_step_map
from packtwin.cosim.connection import Connection
from packtwin.cosim.cooling_rules import (
    CoolingRules,
    CoolingRulesConfig,
    cooling_rules_step_map,
)
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.component import Component, StepMapComponent
from packtwin.twin.cycle import DriveCycle
from packtwin.twin.errors import ScenarioError
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = [
    "FMU_NAMES",
    "DrivePlan",
    "build_ev_system",
    "cccv_charger",
    "charge_limits",
    "cooling_rules",
    "drive_plan",
    "mpc_charger",
    "open_fmus",
]

# Longer steps of a plan misjudge the cell by tens of millivolts, shorter take time.
_PLAN_STEP_S = 10.0

Array: TypeAlias = NDArray[np.float64]

FMU_NAMES = ("vehicle", "pack", "cooling")
_RAMP_M_PER_S2 = 1.5  # to and from a standstill where a cycle lacks it

# Measured values reach a controller, and limits and coolant the next step.
_DELAYED = (
    ("pack.discharge_power_limit_W", "vehicle"),
    ("pack.charge_power_limit_W", "vehicle"),
    ("cooling.cooling_power_W", "vehicle"),
    ("cooling.coolant_temperature_K", "pack"),
    ("cooling.heat_transfer_coefficient_W_per_m2K", "pack"),
    ("pack.current_A", "charger"),
    ("pack.voltage_V", "charger"),
    ("pack.soc", "charger"),
    ("pack.cell_voltage_max_V", "charger"),
    ("pack.temperature_min_K", "charger"),
    ("pack.temperature_max_K", "charger"),
    ("pack.plating_potential_min_V", "charger"),
    ("cooling.coolant_temperature_K", "charger"),
    ("cooling.heat_transfer_coefficient_W_per_m2K", "charger"),
    ("pack.temperature_max_K", "cooling_controller"),
    ("pack.temperature_min_K", "cooling_controller"),
    ("cooling.coolant_temperature_K", "cooling_controller"),
)
_DIRECT = (
    ("cycle.speed_m_per_s", "vehicle"),
    ("cycle.acceleration_m_per_s2", "vehicle"),
    ("cycle.is_driving", "vehicle"),
    ("cycle.is_driving", "charger"),
    ("cycle.ambient_temperature_K", "cooling_controller"),
    ("cycle.ambient_temperature_K", "cooling"),
    ("cycle.air_speed_m_per_s", "cooling"),
    ("charger.is_charging", "cooling_controller"),
    ("charger.control_mode", "pack"),
    ("charger.current_request_A", "pack"),
    ("charger.voltage_request_V", "pack"),
    ("cooling_controller.pump_command", "cooling"),
    ("cooling_controller.fan_command", "cooling"),
    ("cooling_controller.chiller_command", "cooling"),
    ("cooling_controller.heater_power_request_W", "cooling"),
    ("vehicle.power_request_W", "pack"),
    ("pack.heat_cell_to_coolant_W", "cooling"),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrivePlan:
    """The speed of a whole day's drive, linear between its knots.

    Attributes:
        time_s: Knots from 0 s.
        speed_m_per_s: Speed at the knots; 0 at both ends.
    """

    time_s: Array
    speed_m_per_s: Array

    @property
    def duration_s(self) -> float:
        """When the drive ends and charging may begin."""
        return float(self.time_s[-1])

    def source(self, ambient_temperature_K: float) -> SignalSource:
        """Return the `cycle` component; after the drive the car is plugged in."""
        slope = np.diff(self.speed_m_per_s) / np.diff(self.time_s)
        n, end_s = len(self.time_s), self.duration_s
        speed = np.append(self.speed_m_per_s, 0.0)
        return SignalSource(
            "cycle",
            np.append(self.time_s, end_s + 1.0),
            {
                "speed_m_per_s": speed,
                "acceleration_m_per_s2": np.concatenate([slope, [0.0, 0.0]]),
                "is_driving": np.concatenate([np.ones(n - 1), [0.0, 0.0]]),
                "ambient_temperature_K": np.full(n + 1, ambient_temperature_K),
                "air_speed_m_per_s": speed,
            },
            mean=(
                "speed_m_per_s",
                "acceleration_m_per_s2",
                "is_driving",
                "air_speed_m_per_s",
            ),
            stepwise=("acceleration_m_per_s2", "is_driving"),
            beyond="hold",
        )


def drive_plan(
    cycles: Sequence[DriveCycle], *, rest_s: float, step_s: float
) -> DrivePlan:
    """Put cycles one after the other with a rest after each.

    Starts and stops that a cycle lacks are added at 1.5 m/s2; the end is moved to a
    whole step.
    """
    time_s, speed = [0.0], [0.0]

    def go(duration_s: float, speed_m_per_s: float) -> None:
        if duration_s > 0.0:
            time_s.append(time_s[-1] + duration_s)
            speed.append(speed_m_per_s)

    for cycle in cycles:
        first, last = float(cycle.speed_m_per_s[0]), float(cycle.speed_m_per_s[-1])
        go(first / _RAMP_M_PER_S2, first)
        for gap, value in zip(
            np.diff(cycle.time_s), cycle.speed_m_per_s[1:], strict=True
        ):
            go(float(gap), float(value))
        go(last / _RAMP_M_PER_S2, 0.0)
        go(rest_s, 0.0)
    steps = np.ceil(time_s[-1] / step_s - 1e-9)
    go(float(steps * step_s - time_s[-1]), 0.0)
    return DrivePlan(time_s=np.array(time_s), speed_m_per_s=np.array(speed))


def build_ev_system(
    *,
    cycle: Component,
    vehicle: Component,
    pack: Component,
    cooling: Component,
    charger: Component,
    cooling_controller: Component | None = None,
) -> System:
    """Connect the components of docs/ports.md; each must have its name there.

    What is measured reaches a controller one step later; heat and power arrive in the
    step they belong to.
    """
    connections = [
        Connection(source, f"{target}.{source.partition('.')[2]}", is_delayed)
        for pairs, is_delayed in ((_DIRECT, False), (_DELAYED, True))
        for source, target in pairs
    ]
    return System(
        [cycle, charger, cooling_controller or CoolingRules(), vehicle, pack, cooling],
        connections,
    )


def open_fmus(folder: Path) -> dict[str, FmuComponent]:
    """Load the vehicle, pack and cooling FMUs of a folder, by name."""
    return {name: FmuComponent(folder / f"{name}.fmu", name=name) for name in FMU_NAMES}


def charge_limits(scenario: Scenario, spec: SurrogateSpec) -> ChargeLimits:
    """Return the limits of the worst cell with the certificate's plating margin.

    Raises:
        ScenarioError: The margin is missing or smaller than the certificate's bound.
    """
    charge, c = scenario.charge, spec.constants
    bound = spec.certificate.get("bounds", {}).get("plating_potential_V")
    margin = bound if charge.plating_margin_V is None else charge.plating_margin_V
    if margin is None:
        msg = (
            f"Surrogate `{spec.name}` has no certificate, so scenario "
            f"`{scenario.name}` must say how far to stay above plating; give "
            "`charge.plating_margin_V` in V, or certify the surrogate."
        )
        raise ScenarioError(msg)
    if bound is not None and margin < bound:
        msg = (
            f"Scenario `{scenario.name}`: `charge.plating_margin_V` is {margin:g} V, "
            f"expected at least the certificate's bound {bound:.4g} V; raise or "
            "remove it."
        )
        raise ScenarioError(msg)
    return ChargeLimits(
        maximum_charge_current_A=charge.c_rate_maximum * c.nominal_capacity_Ah,
        maximum_voltage_V=charge.cell_voltage_maximum_V,
        maximum_temperature_K=charge.temperature_maximum_K,
        voltage_margin_V=charge.voltage_margin_V,
        temperature_margin_K=charge.temperature_margin_K,
        plating_margin_V=margin,
    )


def mpc_charger(scenario: Scenario, spec: SurrogateSpec) -> ChargeMpc:
    """Return the charging MPC, planning for the pack's weakest cell."""
    pack, charge = scenario.pack, scenario.charge
    config = ChargeMpcConfig(
        limits=charge_limits(scenario, spec),
        n_series=pack.n_series,
        n_parallel=pack.n_parallel,
        target_soc=charge.target_soc,
        interval_s=(charge.interval_s,) * charge.n_interval,
        period_s=charge.period_s,
        cell_parameters={
            "capacity_factor": pack.weak_capacity_factor,
            "series_resistance_Ohm": pack.weak_resistance_Ohm,
        },
    )
    return ChargeMpc(config, cell_step_map(spec, substep_s=_PLAN_STEP_S))


def cccv_charger(
    scenario: Scenario, spec: SurrogateSpec, *, c_rate: float
) -> Component:
    """Return the CC-CV charger with the scenario's derating."""
    pack, charge = scenario.pack, scenario.charge
    config = CcCvConfig(
        n_series=pack.n_series,
        n_parallel=pack.n_parallel,
        cell_capacity_Ah=spec.constants.nominal_capacity_Ah,
        c_rate=c_rate,
        cell_voltage_limit_V=charge.cell_voltage_maximum_V - charge.voltage_margin_V,
        taper_c_rate=charge.baseline.taper_c_rate,
        target_soc=charge.target_soc,
        derate_temperature_K=charge.baseline.derate_temperature_K,
        derate_factor=charge.baseline.derate_factor,
    )
    if _decides_every_step(scenario, config.period_s):
        return StepMapComponent(cccv_step_map(config))
    return CcCvCharger(config)


def cooling_rules(scenario: Scenario) -> Component:
    """Return the rules of the thermal management."""
    config = CoolingRulesConfig()
    if _decides_every_step(scenario, config.period_s):
        return StepMapComponent(cooling_rules_step_map(config))
    return CoolingRules(config)


def _decides_every_step(scenario: Scenario, period_s: float) -> bool:
    """Whether a sampled law decides in every step and can run without Python."""
    return scenario.simulation.step_s >= period_s
