"""Rule-based thermal management: pump, fan, chiller and heater commands.

Each actuator has a switch with hysteresis and, once on, a proportional command. A
vehicle that charges uses its own, usually tighter, thresholds. The law is written once,
as expressions: `CoolingRules` evaluates it here, an FMU in C.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.cosim.controller import AbstractLawController
from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import names_to_symbols
from packtwin.twin.sampled import Sampled
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = [
    "CoolingRules",
    "CoolingRulesConfig",
    "CoolingThresholds",
    "cooling_controller",
    "cooling_rules_step_map",
]

Symbols: TypeAlias = dict[str, Any]


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


@cache
def cooling_rules_step_map(
    config: CoolingRulesConfig | None = None, *, name: str = "cooling_controller"
) -> StepMap:
    """Return the rules as a step map: every step decides, from the inputs at its start.

    It starts with idle outputs, which no input changes.
    """
    chosen = config or CoolingRulesConfig()
    memory = tuple(
        Variable(name=switch, variability="discrete")
        for switch in ("is_heating", "is_cooling", "is_chilling")
    )
    t, h, none = ca.SX.sym("t"), ca.SX.sym("h"), ca.SX.sym("p", 0)
    x, on = names_to_symbols(memory, "x")
    u, inputs = names_to_symbols(_INTERFACE.inputs, "u")
    switches, commands = _decided(chosen, on, inputs)
    idle = ca.SX([chosen.pump_idle_command, 0.0, 0.0, 0.0])
    return StepMap(
        name=name,
        interface=_INTERFACE,
        memory=memory,
        initialize=ca.Function(
            f"{name}_initialize", [u, none], [ca.SX.zeros(len(memory)), idle]
        ),
        step=ca.Function(
            f"{name}_step",
            [x, t, h, u, none],
            [
                ca.vertcat(*(switches[v.name] for v in memory)),
                ca.vertcat(*(commands[k] for k in _INTERFACE.output_names)),
            ],
        ),
    )


def _decided(
    config: CoolingRulesConfig, on: Symbols, inputs: Symbols
) -> tuple[Symbols, Symbols]:
    """Return the switches and the commands, by name."""
    limits = {
        item.name: ca.if_else(
            inputs["is_charging"] > 0.5,
            getattr(config.charging, item.name),
            getattr(config.driving, item.name),
        )
        for item in fields(CoolingThresholds)
    }
    switches = _switches(config, on, inputs, limits)
    hottest_K, coolant_K = inputs["temperature_max_K"], inputs["coolant_temperature_K"]

    def share(excess_K: Any) -> Any:
        """Return the proportional command, 0..1."""
        return ca.fmin(1.0, ca.fmax(0.0, excess_K / config.proportional_band_K))

    cool = share(hottest_K - limits["cool_above_K"])
    heat = share(limits["heat_below_K"] - inputs["temperature_min_K"])
    least = config.actuator_minimum_command
    has_cold_air = (
        coolant_K - inputs["ambient_temperature_K"] >= config.radiator_difference_K
    )
    chill = ca.if_else(has_cold_air, share(hottest_K - limits["chill_above_K"]), cool)
    is_cooling, is_heating = switches["is_cooling"], switches["is_heating"]
    wants_chiller = ca.logic_or(
        switches["is_chilling"], ca.logic_and(is_cooling, ca.logic_not(has_cold_air))
    )
    return switches, {
        "pump_command": ca.if_else(
            ca.logic_or(is_cooling, is_heating),
            ca.fmax(config.pump_minimum_command, ca.fmax(cool, heat)),
            config.pump_idle_command,
        ),
        "fan_command": ca.fmax(least, cool) * ca.logic_and(is_cooling, has_cold_air),
        "chiller_command": ca.fmax(least, chill)
        * ca.logic_and(wants_chiller, coolant_K > config.coolant_minimum_K),
        "heater_power_request_W": config.heater_power_maximum_W
        * ca.fmax(least, heat)
        * ca.logic_and(is_heating, coolant_K < config.coolant_maximum_K),
    }


def _switches(
    config: CoolingRulesConfig, on: Symbols, inputs: Symbols, limits: Symbols
) -> Symbols:
    band_K, hottest_K = config.hysteresis_K, inputs["temperature_max_K"]
    is_cooling = hottest_K > limits["cool_above_K"] - band_K * on["is_cooling"]
    is_cold = (
        inputs["temperature_min_K"] < limits["heat_below_K"] + band_K * on["is_heating"]
    )
    return {
        "is_heating": ca.logic_and(is_cold, ca.logic_not(is_cooling)),
        "is_cooling": is_cooling,
        "is_chilling": hottest_K > limits["chill_above_K"] - band_K * on["is_chilling"],
    }


def cooling_controller(
    config: CoolingRulesConfig | None = None, *, name: str = "cooling_controller"
) -> Sampled:
    """Return the rules as a sampled step map: for FMUs, and other steps than ours."""
    chosen = config or CoolingRulesConfig()
    law = cooling_rules_step_map(chosen, name=f"{name}_law")
    return Sampled(name=name, law=law, period_s=chosen.period_s)


@final
class CoolingRules(AbstractLawController):
    """Hysteresis switches with proportional commands; cooling wins over heating."""

    def __init__(
        self,
        config: CoolingRulesConfig | None = None,
        *,
        name: str = "cooling_controller",
    ) -> None:
        """Make a controller from its configuration."""
        chosen = config or CoolingRulesConfig()
        law = cooling_rules_step_map(chosen, name=name)
        super().__init__(law, period_s=chosen.period_s)
