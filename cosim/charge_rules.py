"""CC-CV charging with temperature derating: the baseline that MPC must beat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np
from typing_extensions import override

from packtwin.cosim.charge_ports import (
    CHARGER_INPUTS,
    CHARGER_OUTPUTS,
    ControlMode,
    charge_command,
)
from packtwin.cosim.controller import AbstractController
from packtwin.twin.errors import InterfaceError
from packtwin.twin.variable import Interface

__all__ = ["CcCvCharger", "CcCvConfig", "CcCvMemory", "ChargePhase"]

# Constant voltage starts at the derated limit itself: rounding must not end it.
_DERATE_TOLERANCE = 1.01


class ChargePhase(IntEnum):
    """Where a CC-CV charge is."""

    CONSTANT_CURRENT = 0
    CONSTANT_VOLTAGE = 1
    DONE = 2


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

    def current_limit_A(self, minimum_K: float, maximum_K: float) -> float:
        """Return the derated pack current (>= 0) for the coldest and hottest cell."""
        factors = np.interp(
            (minimum_K, maximum_K), self.derate_temperature_K, self.derate_factor
        )
        return self.pack_current_A(self.c_rate) * float(factors.min())

    def pack_current_A(self, c_rate: float) -> float:
        """Return the pack current (>= 0) of a C-rate."""
        return c_rate * self.cell_capacity_Ah * self.n_parallel


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CcCvMemory:
    """Phase of the charge when it last decided."""

    phase: ChargePhase = ChargePhase.CONSTANT_CURRENT


@final
class CcCvCharger(AbstractController[CcCvMemory]):
    """Constant current, then constant voltage of the highest cell, then rest.

    In constant voltage the pack voltage is requested such that the *highest* cell sits
    at its limit: the measured pack voltage plus `n_series` times the room that cell
    has left. A current above the derated limit leads back to constant current.
    """

    def __init__(self, config: CcCvConfig, *, name: str = "charger") -> None:
        """Make a charger from its configuration."""
        self._config = config
        super().__init__(
            name=name,
            interface=Interface(inputs=CHARGER_INPUTS, outputs=CHARGER_OUTPUTS),
            period_s=config.period_s,
        )

    @override
    def _start(self) -> tuple[CcCvMemory, dict[str, float]]:
        return CcCvMemory(), charge_command(ControlMode.POWER)

    @override
    def _observe(
        self, memory: CcCvMemory, elapsed_s: float, inputs: Mapping[str, float]
    ) -> tuple[CcCvMemory, bool]:
        is_full = inputs["soc"] >= self._config.target_soc
        is_driving = inputs["is_driving"] > 0.5
        return memory, is_driving or (is_full and memory.phase is not ChargePhase.DONE)

    @override
    def _decide(
        self, memory: CcCvMemory, inputs: Mapping[str, float]
    ) -> tuple[CcCvMemory, dict[str, float]]:
        if inputs["is_driving"] > 0.5:
            return self._start()
        config = self._config
        limit_A = config.current_limit_A(
            inputs["temperature_min_K"], inputs["temperature_max_K"]
        )
        room_V = config.cell_voltage_limit_V - inputs["cell_voltage_max_V"]
        phase = self._next_phase(memory, inputs, limit_A=limit_A, room_V=room_V)
        voltage_V = inputs["voltage_V"] + config.n_series * room_V
        after = CcCvMemory(phase=phase)
        if phase is ChargePhase.DONE:
            return after, charge_command(ControlMode.CURRENT)
        mode = (
            ControlMode.CURRENT
            if phase is ChargePhase.CONSTANT_CURRENT
            else ControlMode.VOLTAGE
        )
        return after, charge_command(
            mode, current_A=-limit_A, voltage_V=voltage_V, is_charging=True
        )

    def _next_phase(
        self,
        memory: CcCvMemory,
        inputs: Mapping[str, float],
        *,
        limit_A: float,
        room_V: float,
    ) -> ChargePhase:
        config = self._config
        charge_A = -inputs["current_A"]
        if memory.phase is ChargePhase.DONE:
            is_low = inputs["soc"] < config.target_soc - config.restart_soc_drop
            return ChargePhase.CONSTANT_CURRENT if is_low else ChargePhase.DONE
        if inputs["soc"] >= config.target_soc:
            return ChargePhase.DONE
        if memory.phase is ChargePhase.CONSTANT_VOLTAGE:
            if charge_A > _DERATE_TOLERANCE * limit_A:
                return ChargePhase.CONSTANT_CURRENT
            is_tapered = charge_A <= config.pack_current_A(config.taper_c_rate)
            return ChargePhase.DONE if is_tapered else ChargePhase.CONSTANT_VOLTAGE
        if room_V <= 0.0:
            return ChargePhase.CONSTANT_VOLTAGE
        return ChargePhase.CONSTANT_CURRENT
