"""Rule-based thermal management: pump, fan, chiller and heater commands.

Each actuator has a switch with hysteresis and, once on, a proportional command. A
vehicle that charges uses its own, usually tighter, thresholds. The law is written once,
as expressions: `CoolingRules` evaluates it here, an FMU in C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from packtwin.cosim.controller import AbstractController
from packtwin.twin.bound_step import BoundStep
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
    "cooling_law",
]

Memory: TypeAlias = tuple[float, ...]
Symbol: TypeAlias = Any  # casadi.SX
Vector: TypeAlias = NDArray[np.float64]

_NONE: Final = np.zeros(0)


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


_MEMORY = tuple(
    Variable(name=name, description="1 while the switch is on, else 0.")
    for name in ("is_heating", "is_cooling", "is_chilling")
)


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


def cooling_law(config: CoolingRulesConfig, *, name: str = "cooling_law") -> StepMap:
    """Return one decision as a step map: switches in memory, commands as outputs."""
    memory, was = names_to_symbols(_MEMORY, "m")
    u, given = names_to_symbols(_INTERFACE.inputs, "u")
    t, h, p = ca.SX.sym("t"), ca.SX.sym("h"), ca.SX.sym("p", 0)
    switches, commands = _decision(config, was, given)
    idle = {"pump_command": config.pump_idle_command}
    outputs = _INTERFACE.output_names
    return StepMap(
        name=name,
        interface=_INTERFACE,
        memory=_MEMORY,
        initialize=ca.Function(
            f"{name}_initialize",
            [u, p],
            [ca.DM.zeros(len(_MEMORY)), ca.DM([idle.get(k, 0.0) for k in outputs])],
        ),
        step=ca.Function(
            f"{name}_step",
            [memory, t, h, u, p],
            [
                ca.vertcat(*[switches[v.name] for v in _MEMORY]),
                ca.vertcat(*[commands[k] for k in outputs]),
            ],
        ),
    )


def cooling_controller(
    config: CoolingRulesConfig | None = None, *, name: str = "cooling_controller"
) -> Sampled:
    """Return the rules as a sampled step map: for FMUs, and other steps than ours."""
    chosen = config or CoolingRulesConfig()
    law = cooling_law(chosen, name=f"{name}_law")
    return Sampled(name=name, law=law, period_s=chosen.period_s)


@final
class CoolingRules(AbstractController[Memory]):
    """Hysteresis switches with proportional commands; cooling wins over heating."""

    def __init__(
        self,
        config: CoolingRulesConfig | None = None,
        *,
        name: str = "cooling_controller",
    ) -> None:
        """Make a controller from its configuration."""
        chosen = config or CoolingRulesConfig()
        self._law = BoundStep(cooling_law(chosen))
        super().__init__(name=name, interface=_INTERFACE, period_s=chosen.period_s)

    @override
    def _start(self) -> tuple[Memory, dict[str, float]]:
        starts = np.array([v.start for v in _INTERFACE.inputs])
        return self._kept(*self._law.start(starts, _NONE))

    @override
    def _decide(
        self, memory: Memory, inputs: Mapping[str, float]
    ) -> tuple[Memory, dict[str, float]]:
        u = np.array([inputs[name] for name in _INTERFACE.input_names])
        after = self._law.step(np.array(memory), 0.0, 0.0, u, _NONE)
        return self._kept(*after)

    def _kept(self, memory: Vector, y: Vector) -> tuple[Memory, dict[str, float]]:
        outputs = dict(zip(_INTERFACE.output_names, y.tolist(), strict=True))
        return tuple(memory.tolist()), outputs


def _decision(
    config: CoolingRulesConfig, was: Mapping[str, Symbol], given: Mapping[str, Symbol]
) -> tuple[dict[str, Symbol], dict[str, Symbol]]:
    """Return the switches and the commands."""
    is_charging = given["is_charging"] > 0.5
    heat_below_K, cool_above_K, chill_above_K = (
        ca.if_else(is_charging, getattr(config.charging, k), getattr(config.driving, k))
        for k in ("heat_below_K", "cool_above_K", "chill_above_K")
    )
    hottest_K, coldest_K = given["temperature_max_K"], given["temperature_min_K"]
    coolant_K = given["coolant_temperature_K"]
    band_K, least = config.hysteresis_K, config.actuator_minimum_command
    is_cooling = hottest_K > cool_above_K - band_K * was["is_cooling"]
    is_chilling = hottest_K > chill_above_K - band_K * was["is_chilling"]
    is_cold = coldest_K < heat_below_K + band_K * was["is_heating"]
    is_heating = ca.logic_and(is_cold, ca.logic_not(is_cooling))

    def share(excess_K: Symbol) -> Symbol:
        return ca.fmin(1.0, ca.fmax(0.0, excess_K / config.proportional_band_K))

    cool, heat = share(hottest_K - cool_above_K), share(heat_below_K - coldest_K)
    has_cold_air = (
        coolant_K - given["ambient_temperature_K"] >= config.radiator_difference_K
    )
    chill = ca.if_else(has_cold_air, share(hottest_K - chill_above_K), cool)
    wants_chiller = ca.logic_or(
        is_chilling, ca.logic_and(is_cooling, ca.logic_not(has_cold_air))
    )
    wants_heater = ca.logic_and(is_heating, coolant_K < config.coolant_maximum_K)
    pump = ca.if_else(
        ca.logic_or(is_cooling, is_heating),
        ca.fmax(config.pump_minimum_command, ca.fmax(cool, heat)),
        config.pump_idle_command,
    )
    switches = {
        "is_heating": is_heating,
        "is_cooling": is_cooling,
        "is_chilling": is_chilling,
    }
    commands = {
        "pump_command": pump,
        "fan_command": ca.fmax(least, cool) * ca.logic_and(is_cooling, has_cold_air),
        "chiller_command": ca.fmax(least, chill)
        * ca.logic_and(wants_chiller, coolant_K > config.coolant_minimum_K),
        "heater_power_request_W": config.heater_power_maximum_W
        * ca.fmax(least, heat)
        * wants_heater,
    }
    return switches, commands
