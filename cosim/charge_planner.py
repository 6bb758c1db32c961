"""`ChargePlanner`: one open-loop plan with its verdict, and what to do without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeConditions, ChargeLimits, ChargePlan
from packtwin.cosim.charge_prediction import CellPrediction
from packtwin.cosim.charge_program import ChargeProgram, ProgramSolution
from packtwin.cosim.charge_subproblem import ProgramOptions
from packtwin.twin.errors import InfeasibleError

__all__ = ["ChargePlanner"]

Vector: TypeAlias = NDArray[np.float64]

# Share of the largest current that a plan from nothing starts from; at no current at
# all, the heat has no slope.
_CAREFUL = 0.25
# Tried in this order on a plan whose solver failed.
_SHORTENED = (1.0, 0.9, 0.75, 0.5, 0.25, 0.1, 0.0)


@final
class ChargePlanner:
    """Plans the fastest admissible charge over one horizon."""

    def __init__(
        self,
        prediction: CellPrediction,
        limits: ChargeLimits,
        options: ProgramOptions | None = None,
        *,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make a planner; `clock` measures the solve times."""
        self._prediction, self._limits, self._clock = prediction, limits, clock
        self._program = ChargeProgram(prediction, limits, options or ProgramOptions())

    def plan(
        self,
        memory: Vector,
        conditions: ChargeConditions,
        *,
        guess_A: Vector | None = None,
        last_current_A: float = 0.0,
    ) -> ChargePlan:
        """Plan from a cell's memory.

        If the solver does not finish, the plan is the best iterate (at first the
        guess), reduced by the largest factor that keeps the limits; it says so in
        `is_fallback`.

        Args:
            memory: Memory of the cell's step map.
            conditions: Surroundings, constant over the horizon.
            guess_A: Currents to start from, one per interval; a quarter
                of the largest by default.
            last_current_A: Current before the plan, for the slew and the first move.
        """
        begin = self._clock()
        careful_A = -_CAREFUL * self._limits.maximum_charge_current_A
        guess = np.full(len(self._prediction.interval_s), careful_A)
        solution = self._program.solve(
            memory,
            guess if guess_A is None else guess_A,
            conditions,
            last_current_A=last_current_A,
        )
        plan = self._judge(solution)
        if not solution.is_solved:
            for factor in _SHORTENED:
                plan = self._follow(memory, factor * solution.current_A, conditions)
                plan = replace(plan, iteration_count=solution.iteration_count)
                if plan.is_feasible:
                    break
        return replace(plan, solve_time_s=self._clock() - begin)

    def require_feasible(
        self, plan: ChargePlan, memory: Vector, conditions: ChargeConditions
    ) -> None:
        """Refuse a plan whose limits would be violated without any current, too.

        Raises:
            InfeasibleError: Naming the limit that is missed most and by how much.
        """
        if plan.is_feasible:
            return
        rest = self._follow(memory, 0.0 * plan.current_A, conditions)
        if rest.is_feasible:
            return
        limits, miss = self._limits, rest.violation
        if miss.temperature_K > limits.temperature_tolerance_K:
            what = (
                f"`temperature_K` exceeds {limits.temperature_bound_K} K by "
                f"{miss.temperature_K:.4g} K"
            )
        elif miss.voltage_V >= miss.plating_V:
            what = (
                f"`voltage_V` exceeds {limits.voltage_bound_V} V by "
                f"{miss.voltage_V:.4g} V"
            )
        else:
            what = (
                f"`plating_potential_V` is below {limits.plating_bound_V} V by "
                f"{miss.plating_V:.4g} V"
            )
        msg = (
            f"No charging current is admissible: {what} even at 0 A; cool or warm the "
            "cell first, or reduce the margin."
        )
        raise InfeasibleError(msg)

    def _follow(
        self, memory: Vector, current_A: Vector, conditions: ChargeConditions
    ) -> ChargePlan:
        rollout = self._prediction.roll(memory, current_A, conditions)
        return self._judge(
            ProgramSolution(
                current_A=current_A,
                rollout=rollout,
                iteration_count=0,
                is_solved=False,
            )
        )

    def _judge(self, solution: ProgramSolution) -> ChargePlan:
        rollout, limits = solution.rollout, self._limits
        voltage_V = np.maximum(
            rollout.row("start_voltage_V"), rollout.row("end_voltage_V")
        )
        plating_V = np.minimum(
            rollout.row("start_plating_V"), rollout.row("end_plating_V")
        )
        temperature_K = rollout.row("temperature_K")
        violation = limits.violation(voltage_V, temperature_K, plating_V)
        return ChargePlan(
            time_s=np.cumsum(self._prediction.interval_s),
            current_A=solution.current_A,
            soc=rollout.row("soc"),
            voltage_V=voltage_V,
            temperature_K=temperature_K,
            plating_potential_V=plating_V,
            violation=violation,
            is_feasible=limits.is_kept(violation),
            is_fallback=not solution.is_solved,
            iteration_count=solution.iteration_count,
            solve_time_s=0.0,
        )
