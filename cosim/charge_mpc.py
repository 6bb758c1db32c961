"""`ChargeMpc`: fast charging by receding-horizon control on a cell's step map."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from packtwin.cosim.charge_limits import ChargeConditions, ChargeLimits, ChargePlan
from packtwin.cosim.charge_observer import (
    ChargeMeasurement,
    ChargeObserver,
    ObserverGains,
    ObserverState,
)
from packtwin.cosim.charge_planner import ChargePlanner
from packtwin.cosim.charge_ports import (
    CHARGER_INPUTS,
    CHARGER_OUTPUTS,
    PLAN_OUTPUTS,
    ControlMode,
    charge_command,
    plan_outputs,
)
from packtwin.cosim.charge_prediction import CellPrediction
from packtwin.cosim.charge_subproblem import ProgramOptions
from packtwin.cosim.controller import AbstractController
from packtwin.twin.errors import InterfaceError
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface

__all__ = ["ChargeMpc", "ChargeMpcConfig", "ChargeMpcMemory"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeMpcConfig:
    """What the controller aims at and how.

    The plan beyond `target_soc` is not cut off, so a limit of temperature that would
    only matter after the target makes the plan slightly careful.

    Attributes:
        limits: Limits and margins of one cell.
        n_series: Cells in series.
        n_parallel: Cells in parallel; the current is shared evenly.
        target_soc: The charge ends here.
        restart_soc_drop: A finished charge starts again this far below the target.
        interval_s: Lengths of the horizon's intervals; longer ones block moves.
        period_s: Time between two plans; at most the first interval, whose current
            is all that is applied.
        cell_parameters: Parameters of the worst cell, such as `capacity_factor`.
        gains: Of the observer.
        options: Of the optimisation.
        throw: Raise `InfeasibleError` when even no current violates a limit.
    """

    limits: ChargeLimits
    n_series: int = 1
    n_parallel: int = 1
    target_soc: float = 0.8
    restart_soc_drop: float = 0.02
    interval_s: tuple[float, ...] = (10.0,) * 3 + (30.0,) * 17
    period_s: float = 10.0
    cell_parameters: Mapping[str, float] = field(default_factory=dict)
    gains: ObserverGains = field(default_factory=ObserverGains)
    options: ProgramOptions = field(default_factory=ProgramOptions)
    throw: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty horizon and an empty pack."""
        if not self.interval_s or min(self.interval_s) <= 0.0:
            msg = f"`interval_s` is {self.interval_s}, expected lengths above 0 s."
            raise InterfaceError(msg)
        if not 0.0 < self.period_s <= self.interval_s[0]:
            msg = (
                f"`period_s` is {self.period_s} s, expected more than 0 s and at most "
                f"the first interval of {self.interval_s[0]} s, which it applies."
            )
            raise InterfaceError(msg)
        if min(self.n_series, self.n_parallel) < 1:
            msg = f"A pack of {self.n_series}s{self.n_parallel}p has no cells."
            raise InterfaceError(msg)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeMpcMemory:
    """Estimate, last plan with its age, and whether the target was reached."""

    estimate: ObserverState | None = None
    plan: ChargePlan | None = None
    plan_age_s: float = 0.0
    is_done: bool = False


@final
class ChargeMpc(AbstractController[ChargeMpcMemory]):
    """Plans the fastest admissible charge each period and applies its first current.

    The plan is made for one cell, the worst: by its parameters, by the margins of the
    limits, and by biases that the observer learns from the measured extremes. The
    current takes effect when the pack next reads it; that delay is not modelled.
    """

    def __init__(
        self,
        config: ChargeMpcConfig,
        cell: StepMap,
        *,
        name: str = "charger",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make a controller.

        Args:
            config: Aims and limits.
            cell: Step map of a cell with the inputs `current_A`,
                `coolant_temperature_K` and `heat_transfer_coefficient_W_per_m2K`, the
                outputs `voltage_V`, `soc`, `temperature_K` and `plating_potential_V`,
                and the parameters `start_soc` and `start_temperature_K`.
            name: Name in the system.
            clock: Source of `solve_time_s`; a constant makes runs bitwise equal.
        """
        self._config = config
        prediction = CellPrediction(
            cell, config.interval_s, parameters=config.cell_parameters
        )
        self._observer = ChargeObserver(prediction, config.gains)
        self._planner = ChargePlanner(
            prediction, config.limits, config.options, clock=clock
        )
        super().__init__(
            name=name,
            interface=Interface(
                inputs=CHARGER_INPUTS, outputs=CHARGER_OUTPUTS + PLAN_OUTPUTS
            ),
            period_s=config.period_s,
        )

    def rest_state(
        self, soc: float, temperature_K: float, conditions: ChargeConditions
    ) -> Vector:
        """Return the cell's memory at rest, to plan from."""
        return self._observer.start(soc, temperature_K, conditions).memory

    def plan(
        self,
        state: Vector,
        conditions: ChargeConditions,
        *,
        guess_A: Vector | None = None,
        last_current_A: float = 0.0,
    ) -> ChargePlan:
        """Plan once, open loop, from a cell's memory; see `ChargePlanner.plan`.

        Raises:
            InfeasibleError: If `throw` is set and even no current violates a limit.
        """
        plan = self._planner.plan(
            state, conditions, guess_A=guess_A, last_current_A=last_current_A
        )
        if self._config.throw:
            self._planner.require_feasible(plan, state, conditions)
        return plan

    @override
    def _start(self) -> tuple[ChargeMpcMemory, dict[str, float]]:
        return ChargeMpcMemory(), charge_command(ControlMode.POWER) | plan_outputs(None)

    @override
    def _observe(
        self,
        memory: ChargeMpcMemory,
        elapsed_s: float,
        inputs: Mapping[str, float],
    ) -> tuple[ChargeMpcMemory, bool]:
        conditions = _conditions(inputs)
        if memory.estimate is None:
            estimate = self._observer.start(
                inputs["soc"], inputs["temperature_max_K"], conditions
            )
        elif elapsed_s > 0.0:
            estimate = self._observer.follow(
                memory.estimate,
                elapsed_s,
                ChargeMeasurement(
                    current_A=inputs["current_A"] / self._config.n_parallel,
                    soc=inputs["soc"],
                    temperature_K=inputs["temperature_max_K"],
                    voltage_V=inputs["cell_voltage_max_V"],
                    plating_potential_V=inputs["plating_potential_min_V"],
                ),
                conditions,
                is_charging=memory.plan is not None,
            )
        else:
            estimate = memory.estimate
        is_driving = inputs["is_driving"] > 0.5
        is_full = inputs["soc"] >= self._config.target_soc
        is_over = is_driving or (is_full and memory.plan is not None)
        after = replace(
            memory, estimate=estimate, plan_age_s=memory.plan_age_s + elapsed_s
        )
        return after, is_over

    @override
    def _decide(
        self, memory: ChargeMpcMemory, inputs: Mapping[str, float]
    ) -> tuple[ChargeMpcMemory, dict[str, float]]:
        config, estimate = self._config, memory.estimate
        if estimate is None or inputs["is_driving"] > 0.5:
            return ChargeMpcMemory(estimate=estimate), self._start()[1]
        drop = config.restart_soc_drop if memory.is_done else 0.0
        if inputs["soc"] >= config.target_soc - drop:
            done = ChargeMpcMemory(estimate=estimate, is_done=True)
            return done, charge_command(ControlMode.CURRENT) | plan_outputs(None)
        old = memory.plan
        plan = self.plan(
            estimate.memory,
            replace(
                _conditions(inputs),
                voltage_bias_V=estimate.voltage_bias_V,
                plating_bias_V=estimate.plating_bias_V,
            ),
            guess_A=None if old is None else old.current_from(memory.plan_age_s),
            last_current_A=0.0 if old is None else float(old.current_A[0]),
        )
        command = charge_command(
            ControlMode.CURRENT,
            current_A=float(plan.current_A[0]) * config.n_parallel,
            voltage_V=config.limits.maximum_voltage_V * config.n_series,
            is_charging=True,
        )
        after = ChargeMpcMemory(estimate=estimate, plan=plan)
        return after, command | plan_outputs(plan)


def _conditions(inputs: Mapping[str, float]) -> ChargeConditions:
    return ChargeConditions(
        coolant_temperature_K=inputs["coolant_temperature_K"],
        heat_transfer_coefficient_W_per_m2K=inputs[
            "heat_transfer_coefficient_W_per_m2K"
        ],
    )
