"""CC-CV charging with temperature derating: the baseline that MPC must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from packtwin.cosim.charge_ports import (
    CHARGER_INPUTS,
    CHARGER_OUTPUTS,
    ControlMode,
    charge_command,
)
from packtwin.cosim.controller import AbstractLawController
from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import names_to_symbols
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

__all__ = ["CcCvCharger", "CcCvConfig", "ChargePhase", "cccv_step_map"]

Vector: TypeAlias = NDArray[np.float64]
Symbols: TypeAlias = dict[str, Any]

# Constant voltage starts at the derated limit itself: rounding must not end it.
_DERATE_TOLERANCE = 1.01


class ChargePhase(IntEnum):
    """Where a CC-CV charge is."""

    CONSTANT_CURRENT = 0
    CONSTANT_VOLTAGE = 1
    DONE = 2


_CURRENT, _VOLTAGE, _DONE = (float(phase) for phase in ChargePhase)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CcCvConfig:
    """What a CC-CV charger aims at.

    Attributes:
        n_series: Cells in series.
        n_parallel: Cells in parallel.
        cell_capacity_Ah: Capacity that C-rates refer to.
        c_rate: Constant-current rate; > 0, 1 fills the cell in one hour.
        cell_voltage_limit_V: Where constant voltage begins, for the highest cell.
        taper_c_rate: Constant voltage ends when the current has fallen to this rate.
        target_soc: The charge ends here at the latest.
        restart_soc_drop: A finished charge starts again this far below its end.
        derate_temperature_K: Increasing break points of the temperature derating.
        derate_factor: Factor of the current at the break points, 0..1, linear between
            and constant outside. The worse of the coldest and hottest cell counts.
        period_s: Time between two decisions.
    """

    n_series: int
    n_parallel: int
    cell_capacity_Ah: float
    c_rate: float
    cell_voltage_limit_V: float
    taper_c_rate: float = 0.05
    target_soc: float = 0.8
    restart_soc_drop: float = 0.02
    derate_temperature_K: tuple[float, ...] = (273.15, 288.15, 313.15, 323.15)
    derate_factor: tuple[float, ...] = (0.0, 1.0, 1.0, 0.0)
    period_s: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that cannot charge a pack."""
        for name in ("n_series", "n_parallel", "cell_capacity_Ah", "c_rate"):
            if not getattr(self, name) > 0:
                msg = f"`{name}` is {getattr(self, name)}, expected more than 0."
                raise InterfaceError(msg)
        table, factors = self.derate_temperature_K, self.derate_factor
        if len(table) != len(factors) or len(table) == 0 or np.any(np.diff(table) <= 0):
            msg = (
                f"`derate_temperature_K` has {len(table)} and `derate_factor` "
                f"{len(factors)} entries, expected equally many with increasing K."
            )
            raise InterfaceError(msg)
        if min(factors) < 0.0 or max(factors) > 1.0:
            msg = f"`derate_factor` is {factors}, expected values in 0..1."
            raise InterfaceError(msg)

    def pack_current_A(self, c_rate: float) -> float:
        """Return the pack current (>= 0) of a C-rate."""
        return c_rate * self.cell_capacity_Ah * self.n_parallel


@cache
def cccv_step_map(config: CcCvConfig, *, name: str = "charger") -> StepMap:
    """Return the charger as a step map: every step decides, from inputs at its start.

    In constant voltage the pack voltage is requested such that the *highest* cell sits
    at its limit: the measured pack voltage plus `n_series` times the room that cell
    has left. A current above the derated limit leads back to constant current. While
    driving the pack is left to the power request and the next charge starts anew.
    """
    interface = Interface(inputs=CHARGER_INPUTS, outputs=CHARGER_OUTPUTS)
    memory = (Variable(name="phase", maximum=2.0, variability="discrete"),)
    t, h, none = ca.SX.sym("t"), ca.SX.sym("h"), ca.SX.sym("p", 0)
    x, before = names_to_symbols(memory, "x")
    u, inputs = names_to_symbols(CHARGER_INPUTS, "u")
    idle = charge_command(ControlMode.POWER)
    is_driving = inputs["is_driving"] > 0.5
    limit_A = _current_limit_A(config, inputs)
    room_V = config.cell_voltage_limit_V - inputs["cell_voltage_max_V"]
    phase = _next_phase(config, before["phase"], inputs, limit_A, room_V)
    is_current, is_done = phase == _CURRENT, phase == _DONE
    charging = {
        "control_mode": ca.if_else(
            ca.logic_or(is_current, is_done),
            float(ControlMode.CURRENT),
            float(ControlMode.VOLTAGE),
        ),
        "current_request_A": ca.if_else(is_done, 0.0, -limit_A),
        "voltage_request_V": ca.if_else(
            is_done, 0.0, inputs["voltage_V"] + config.n_series * room_V
        ),
        "is_charging": ca.logic_not(is_done),
    }
    names = interface.output_names
    outputs = [ca.if_else(is_driving, idle[k], charging[k]) for k in names]
    return StepMap(
        name=name,
        interface=interface,
        memory=memory,
        initialize=ca.Function(
            f"{name}_initialize",
            [u, none],
            [ca.SX([_CURRENT]), ca.SX([idle[k] for k in names])],
        ),
        step=ca.Function(
            f"{name}_step",
            [x, t, h, u, none],
            [ca.if_else(is_driving, _CURRENT, phase), ca.vertcat(*outputs)],
        ),
    )


def _current_limit_A(config: CcCvConfig, inputs: Symbols) -> Any:
    """Return the derated pack current (>= 0) for the coldest and hottest cell."""
    points = list(zip(config.derate_temperature_K, config.derate_factor, strict=True))

    def factor(temperature_K: Any) -> Any:
        value = ca.SX(points[0][1])
        for (low_K, low), (high_K, high) in pairwise(points):
            slope = (high - low) / (high_K - low_K)
            on_piece = low + (temperature_K - low_K) * slope
            value = ca.if_else(temperature_K >= low_K, on_piece, value)
        last_K, last = points[-1]
        return ca.if_else(temperature_K >= last_K, last, value)

    worst = ca.fmin(
        factor(inputs["temperature_min_K"]), factor(inputs["temperature_max_K"])
    )
    return config.pack_current_A(config.c_rate) * worst


def _next_phase(
    config: CcCvConfig, phase: Any, inputs: Symbols, limit_A: Any, room_V: Any
) -> Any:
    charge_A, soc = -inputs["current_A"], inputs["soc"]
    is_low = soc < config.target_soc - config.restart_soc_drop
    held = ca.if_else(
        charge_A <= config.pack_current_A(config.taper_c_rate), _DONE, _VOLTAGE
    )
    held = ca.if_else(charge_A > _DERATE_TOLERANCE * limit_A, _CURRENT, held)
    fed = ca.if_else(room_V <= 0.0, _VOLTAGE, _CURRENT)
    working = ca.if_else(phase == _VOLTAGE, held, fed)
    working = ca.if_else(soc >= config.target_soc, _DONE, working)
    rested = ca.if_else(is_low, _CURRENT, _DONE)
    return ca.if_else(phase == _DONE, rested, working)


@final
class CcCvCharger(AbstractLawController):
    """Constant current, then constant voltage of the highest cell, then rest.

    It decides between two periods too when the car drives or the target is reached.
    """

    def __init__(self, config: CcCvConfig, *, name: str = "charger") -> None:
        """Make a charger from its configuration."""
        self._config = config
        law = cccv_step_map(config, name=name)
        super().__init__(law, period_s=config.period_s)

    @override
    def _observe(
        self, memory: Vector, elapsed_s: float, inputs: Mapping[str, float]
    ) -> tuple[Vector, bool]:
        is_full = inputs["soc"] >= self._config.target_soc
        is_driving = inputs["is_driving"] > 0.5
        is_done = bool(memory[0] == _DONE)
        return memory, is_driving or (is_full and not is_done)
