"""`CoolingParameters`: a battery coolant loop sized for a passenger car.

Where no source is named, the figure is an assumption of this library for a 60 to
80 kWh pack; replace it by your component's data sheet.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import final

from packtwin.twin.errors import InterfaceError

__all__ = ["CoolingParameters"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingParameters:
    """Pump, cold plate, radiator, chiller and heater of one coolant loop.

    Attributes:
        coolant_heat_capacity_J_per_kgK: Water with 50 % ethylene glycol near 25 degC.
        coolant_density_kg_per_m3: The same mixture.
        plate_heat_capacity_J_per_K: Cold plate with its coolant (4 kg aluminium, 2 kg).
        reservoir_heat_capacity_J_per_K: Rest of the loop (3 kg of coolant).
        initial_coolant_temperature_K: Both nodes at the start.
        flow_max_kg_per_s: Flow at full pump command, about 20 l/min.
        pump_pressure_max_Pa: Pressure rise at full flow; it grows with flow squared.
        pump_efficiency: Hydraulic over electrical power. The pump is wet: all its
            power ends as heat in the coolant.
        plate_film_coefficient_W_per_m2K: Coolant side at full flow, referred to a
            cell's cooling area; grows with flow^0.8 (Dittus and Boelter, 1930).
        plate_contact_coefficient_W_per_m2K: Conduction from cell to channel, in series
            with the film and referred to the same area.
        plate_floor_coefficient_W_per_m2K: What is left at zero flow.
        radiator_coolant_conductance_W_per_K: Coolant side at full flow; flow^0.8.
        radiator_air_conductance_W_per_K: Air side at 1 m/s face velocity; grows with
            its power 0.51 (louvred fins: Y.-J. Chang, C.-C. Wang, Int. J. Heat Mass
            Transfer 40 (1997) 533-544, doi:10.1016/0017-9310(96)00116-0).
        radiator_face_area_m2: Frontal area.
        ram_air_fraction: Face velocity over driving speed, without the fan.
        fan_face_speed_m_per_s: Face velocity at full fan command, standing.
        fan_power_max_W: Fan power at full command; grows with its cube.
        thermostat_temperature_K: Coolant temperature at which half of the flow passes
            the radiator; below it the loop bypasses the radiator.
        thermostat_width_K: Width of that transition.
        chiller_capacity_W: Cooling power at full command, at the two temperatures:
        chiller_coolant_temperature_K: coolant inlet of the rating point and
        chiller_ambient_temperature_K: ambient of the rating point.
        chiller_gain_coolant_W_per_K: Gain of capacity with coolant temperature.
        chiller_loss_ambient_W_per_K: Loss of capacity with ambient temperature.
        chiller_conductance_W_per_K: Coolant to refrigerant (Cr = 0 exchanger).
        evaporation_temperature_min_K: The refrigerant is kept above freezing.
        evaporator_difference_K: Coolant inlet above evaporation.
        condenser_difference_K: Condensation above ambient.
        carnot_fraction: COP over that of a Carnot process between the two.
        cop_min: Lower limit of the COP.
        cop_max: Upper limit of the COP.
        heater_power_max_W: Electric coolant heater.
        heater_temperature_max_K: It switches off (over about 1 K) at this temperature.
        loop_loss_conductance_W_per_K: Hoses and reservoir to ambient.
    """

    coolant_heat_capacity_J_per_kgK: float = 3350.0
    coolant_density_kg_per_m3: float = 1065.0
    plate_heat_capacity_J_per_K: float = 10300.0
    reservoir_heat_capacity_J_per_K: float = 10050.0
    initial_coolant_temperature_K: float = 298.15
    flow_max_kg_per_s: float = 0.35
    pump_pressure_max_Pa: float = 60e3
    pump_efficiency: float = 0.4
    plate_film_coefficient_W_per_m2K: float = 250.0
    plate_contact_coefficient_W_per_m2K: float = 120.0
    plate_floor_coefficient_W_per_m2K: float = 5.0
    radiator_coolant_conductance_W_per_K: float = 3000.0
    radiator_air_conductance_W_per_K: float = 600.0
    radiator_face_area_m2: float = 0.2
    ram_air_fraction: float = 0.2
    fan_face_speed_m_per_s: float = 3.0
    fan_power_max_W: float = 200.0
    thermostat_temperature_K: float = 293.15
    thermostat_width_K: float = 1.0
    chiller_capacity_W: float = 5000.0
    chiller_coolant_temperature_K: float = 293.15
    chiller_ambient_temperature_K: float = 308.15
    chiller_gain_coolant_W_per_K: float = 150.0
    chiller_loss_ambient_W_per_K: float = 50.0
    chiller_conductance_W_per_K: float = 600.0
    evaporation_temperature_min_K: float = 275.15
    evaporator_difference_K: float = 8.0
    condenser_difference_K: float = 12.0
    carnot_fraction: float = 0.4
    cop_min: float = 1.0
    cop_max: float = 6.0
    heater_power_max_W: float = 5000.0
    heater_temperature_max_K: float = 333.15
    loop_loss_conductance_W_per_K: float = 3.0

    def __post_init__(self) -> None:
        """Check that every figure is usable."""
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value >= 0.0):
                self._refuse(item.name, value, "a finite value >= 0")
        for name in _POSITIVE:
            if getattr(self, name) <= 0.0:
                self._refuse(name, getattr(self, name), "a value > 0")
        for name in ("pump_efficiency", "carnot_fraction"):
            if getattr(self, name) > 1.0:
                self._refuse(name, getattr(self, name), "a fraction in (0, 1]")
        if self.cop_max < self.cop_min:
            self._refuse(
                "cop_max", self.cop_max, f"at least {self.cop_min} (`cop_min`)"
            )
        floor = self.plate_floor_coefficient_W_per_m2K
        largest = floor + self.plate_contact_coefficient_W_per_m2K
        if floor < 2.0 or largest > 300.0:
            name = "plate_contact_coefficient_W_per_m2K"
            expected = (
                "a floor >= 2 and, with the floor added, <= 300 W/m2K, where the pack "
                "is certified"
            )
            self._refuse(name, getattr(self, name), expected)

    def _refuse(self, name: str, got: float, expected: str) -> None:
        msg = f"Cooling parameter `{name}` is {got}, expected {expected}."
        raise InterfaceError(msg)


_POSITIVE = (
    "coolant_heat_capacity_J_per_kgK",
    "coolant_density_kg_per_m3",
    "plate_heat_capacity_J_per_K",
    "reservoir_heat_capacity_J_per_K",
    "flow_max_kg_per_s",
    "pump_efficiency",
    "plate_contact_coefficient_W_per_m2K",
    "plate_film_coefficient_W_per_m2K",
    "radiator_coolant_conductance_W_per_K",
    "radiator_air_conductance_W_per_K",
    "thermostat_width_K",
    "carnot_fraction",
    "cop_min",
    "condenser_difference_K",
    "evaporator_difference_K",
)
