"""Rule-based thermal management: pump, fan, chiller and heater commands.

Each actuator has a switch with hysteresis and, once on, a proportional command. A
vehicle that charges uses its own, usually tighter, thresholds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from typing_extensions import override

from packtwin.cosim.controller import AbstractController
from packtwin.twin.errors import InterfaceError
from packtwin.twin.variable import Interface, Variable

__all__ = [
    "CoolingMemory",
    "CoolingRules",
    "CoolingRulesConfig",
    "CoolingThresholds",
]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingThresholds:
    """Cell temperatures that switch the actuators on.

    Attributes:
        heat_below_K: The heater starts when the coldest cell is below.
        cool_above_K: The pump and, if the air is cold enough, the fan start when the
            hottest cell is above.
        chill_above_K: The chiller starts when the hottest cell is above.
    """

    heat_below_K: float
    cool_above_K: float
    chill_above_K: float

    def __post_init__(self) -> None:
        """Refuse thresholds that would heat and cool at once."""
        if not self.heat_below_K < self.cool_above_K <= self.chill_above_K:
            msg = (
                f"`heat_below_K` {self.heat_below_K} K, `cool_above_K` "
                f"{self.cool_above_K} K and `chill_above_K` {self.chill_above_K} K "
                "must increase; reorder them."
            )
            raise InterfaceError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingRulesConfig:
    """Thresholds and strengths of the rules.

    Attributes:
        driving: Thresholds while not charging.
        charging: Thresholds while charging.
        hysteresis_K: An actuator stops this far inside the threshold that started it.
        proportional_band_K: From the threshold to the full command.
        pump_idle_command: Pump command while nothing else needs flow, 0..1.
        pump_minimum_command: Least pump command while heating or cooling, 0..1.
        actuator_minimum_command: Least fan and chiller command while on, 0..1.
        radiator_difference_K: The fan runs only when the coolant is this much warmer
            than the ambient air; otherwise the chiller does the cooling.
        coolant_minimum_K: The chiller stops when the coolant is colder.
        coolant_maximum_K: The heater stops when the coolant is warmer.
        heater_power_maximum_W: Largest heater request.
        period_s: Time between two decisions.
    """

    driving: CoolingThresholds = field(
        default_factory=lambda: CoolingThresholds(
            heat_below_K=278.15, cool_above_K=303.15, chill_above_K=311.15
        )
    )
    charging: CoolingThresholds = field(
        default_factory=lambda: CoolingThresholds(
            heat_below_K=293.15, cool_above_K=301.15, chill_above_K=305.15
        )
    )
    hysteresis_K: float = 2.0
    proportional_band_K: float = 5.0
    pump_idle_command: float = 0.1
    pump_minimum_command: float = 0.4
    actuator_minimum_command: float = 0.2
    radiator_difference_K: float = 3.0
    coolant_minimum_K: float = 283.15
    coolant_maximum_K: float = 318.15
    heater_power_maximum_W: float = 5000.0
    period_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse strengths outside their range."""
        for name in ("hysteresis_K", "proportional_band_K"):
            if not getattr(self, name) > 0.0:
                msg = f"`{name}` is {getattr(self, name)} K, expected more than 0 K."
                raise InterfaceError(msg)
        for name in (
            "pump_idle_command",
            "pump_minimum_command",
            "actuator_minimum_command",
        ):
            if not 0.0 <= getattr(self, name) <= 1.0:
                msg = f"`{name}` is {getattr(self, name)}, expected 0..1."
                raise InterfaceError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoolingMemory:
    """Which switches are on."""

    is_heating: bool = False
    is_cooling: bool = False
    is_chilling: bool = False


def _temperature(name: str, description: str) -> Variable:
    return Variable(name=name, description=description, start=298.15, nominal=300.0)


_INTERFACE = Interface(
    inputs=(
        _temperature("temperature_max_K", "Hottest cell."),
        _temperature("temperature_min_K", "Coldest cell."),
        _temperature("coolant_temperature_K", "At the plate."),
        _temperature("ambient_temperature_K", "Outside air."),
        Variable(
            name="is_charging",
            description="1 while the charger works, else 0.",
            variability="discrete",
        ),
    ),
    outputs=(
        Variable(name="pump_command", description="0..1.", minimum=0.0, maximum=1.0),
        Variable(name="fan_command", description="0..1.", minimum=0.0, maximum=1.0),
        Variable(name="chiller_command", description="0..1.", minimum=0.0, maximum=1.0),
        Variable(
            name="heater_power_request_W",
            description="Electrical power.",
            minimum=0.0,
            nominal=1000.0,
        ),
    ),
)


@final
class CoolingRules(AbstractController[CoolingMemory]):
    """Hysteresis switches with proportional commands; cooling wins over heating."""

    def __init__(
        self,
        config: CoolingRulesConfig | None = None,
        *,
        name: str = "cooling_controller",
    ) -> None:
        """Make a controller from its configuration."""
        self._config = config or CoolingRulesConfig()
        super().__init__(
            name=name, interface=_INTERFACE, period_s=self._config.period_s
        )

    @override
    def _start(self) -> tuple[CoolingMemory, dict[str, float]]:
        return CoolingMemory(), {
            "pump_command": self._config.pump_idle_command,
            "fan_command": 0.0,
            "chiller_command": 0.0,
            "heater_power_request_W": 0.0,
        }

    @override
    def _decide(
        self, memory: CoolingMemory, inputs: Mapping[str, float]
    ) -> tuple[CoolingMemory, dict[str, float]]:
        config = self._config
        is_charging = inputs["is_charging"] > 0.5
        limits = config.charging if is_charging else config.driving
        after = self._switch(memory, inputs, limits)
        hottest_K = inputs["temperature_max_K"]
        coolant_K = inputs["coolant_temperature_K"]
        cool = self._share(hottest_K - limits.cool_above_K)
        heat = self._share(limits.heat_below_K - inputs["temperature_min_K"])
        least = config.actuator_minimum_command
        has_cold_air = (
            coolant_K - inputs["ambient_temperature_K"] >= config.radiator_difference_K
        )
        chill = (
            cool if not has_cold_air else self._share(hottest_K - limits.chill_above_K)
        )
        wants_chiller = after.is_chilling or (after.is_cooling and not has_cold_air)
        wants_heater = after.is_heating and coolant_K < config.coolant_maximum_K
        pump = config.pump_idle_command
        if after.is_cooling or after.is_heating:
            pump = max(config.pump_minimum_command, cool, heat)
        return after, {
            "pump_command": pump,
            "fan_command": max(least, cool) * (after.is_cooling and has_cold_air),
            "chiller_command": max(least, chill)
            * (wants_chiller and coolant_K > config.coolant_minimum_K),
            "heater_power_request_W": config.heater_power_maximum_W
            * max(least, heat)
            * wants_heater,
        }

    def _switch(
        self,
        memory: CoolingMemory,
        inputs: Mapping[str, float],
        limits: CoolingThresholds,
    ) -> CoolingMemory:
        band_K = self._config.hysteresis_K
        hottest_K = inputs["temperature_max_K"]
        is_cooling = hottest_K > limits.cool_above_K - band_K * memory.is_cooling
        is_chilling = hottest_K > limits.chill_above_K - band_K * memory.is_chilling
        is_cold = (
            inputs["temperature_min_K"]
            < limits.heat_below_K + band_K * memory.is_heating
        )
        return CoolingMemory(
            is_heating=is_cold and not is_cooling,
            is_cooling=is_cooling,
            is_chilling=is_chilling,
        )

    def _share(self, excess_K: float) -> float:
        """Return the proportional command, 0..1."""
        return min(1.0, max(0.0, excess_K / self._config.proportional_band_K))
