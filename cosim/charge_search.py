"""What an optimised charge is measured against: the best CC-CV and a greedy bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeConditions, ChargeLimits, Violation
from packtwin.cosim.charge_prediction import CellPrediction
from packtwin.twin.errors import InfeasibleError
from packtwin.twin.step_map import StepMap

__all__ = [
    "BestCcCv",
    "ChargeRun",
    "charge_cccv",
    "greedy_plating_limited_charge",
    "search_best_cccv",
]

Vector: TypeAlias = NDArray[np.float64]

# A charge that takes longer does not reach its target.
_LONGEST_S = 6 * 3600.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRun:
    """One charge of a cell: values at the ends of the steps.

    `charge_time_s` is interpolated to the target; infinite if it was not reached.
    """

    time_s: Vector
    current_A: Vector
    soc: Vector
    voltage_V: Vector
    temperature_K: Vector
    plating_potential_V: Vector
    charge_time_s: float

    def violation(self, limits: ChargeLimits) -> Violation:
        """Return by how much the run misses the tightened limits."""
        return limits.violation(
            self.voltage_V, self.temperature_K, self.plating_potential_V
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BestCcCv:
    """The fastest admissible CC-CV charge."""

    c_rate: float
    run: ChargeRun
    simulation_count: int


def search_best_cccv(
    simulate_cell: Callable[[float], ChargeRun],
    limits: ChargeLimits,
    *,
    lowest_c_rate: float = 0.1,
    highest_c_rate: float = 6.0,
    tolerance: float = 0.01,
) -> BestCcCv:
    """Return the largest C-rate whose CC-CV charge keeps the limits, by bisection.

    A larger rate charges faster and comes nearer to every limit, so that the largest
    admissible one is the best.

    Args:
        simulate_cell: Runs a CC-CV charge of the plant at a C-rate.
        limits: What the run must keep, within the tolerances.
        lowest_c_rate: Must be admissible.
        highest_c_rate: Taken if admissible.
        tolerance: Of the rate.

    Raises:
        InfeasibleError: If the lowest rate already violates a limit.
    """
    best = simulate_cell(lowest_c_rate)
    miss = best.violation(limits)
    if not limits.is_kept(miss):
        msg = (
            f"CC-CV at the lowest rate {lowest_c_rate} C violates the limits by "
            f"{miss.potential_V:.4g} V and {miss.temperature_K:.4g} K; reduce "
            "`lowest_c_rate` or the margins."
        )
        raise InfeasibleError(msg)
    low, high, count = lowest_c_rate, highest_c_rate, 1
    trial = high
    while high - low > tolerance:
        run, count = simulate_cell(trial), count + 1
        if limits.is_kept(run.violation(limits)):
            low, best = trial, run
            if trial == highest_c_rate:
                break
        else:
            high = trial
        trial = 0.5 * (low + high)
    return BestCcCv(c_rate=low, run=best, simulation_count=count)


def charge_cccv(
    cell: StepMap,
    current_A: float,
    voltage_limit_V: float,
    conditions: ChargeConditions,
    *,
    target_soc: float,
    step_s: float = 5.0,
    parameters: dict[str, float] | None = None,
) -> ChargeRun:
    """Charge a cell's step map by CC-CV, the voltage held by bisection per step.

    Args:
        cell: The plant, started from its parameters.
        current_A: Constant current, < 0.
        voltage_limit_V: Cell voltage that the current is reduced for.
        conditions: Surroundings.
        target_soc: End of the charge.
        step_s: Length of a step with constant current.
        parameters: Parameters of the cell other than their start values.
    """
    voltage_only = ChargeLimits(
        maximum_charge_current_A=-current_A,
        maximum_voltage_V=voltage_limit_V,
        maximum_temperature_K=math.inf,
        minimum_plating_potential_V=-math.inf,
    )
    prediction = CellPrediction(cell, (step_s,), parameters=parameters)
    return _charge(prediction, voltage_only, conditions, target_soc)


def greedy_plating_limited_charge(
    cell: StepMap,
    limits: ChargeLimits,
    conditions: ChargeConditions,
    *,
    target_soc: float,
    step_s: float = 5.0,
    parameters: dict[str, float] | None = None,
) -> ChargeRun:
    """Charge with the largest current that keeps all limits, step by step.

    Found by bisection on the step map alone, hence independent of any optimiser. As
    long as the temperature limit is slack, current now never costs current later
    (heat eases plating), and the result is the fastest charge but for `step_s`.
    """
    prediction = CellPrediction(cell, (step_s,), parameters=parameters)
    return _charge(prediction, limits, conditions, target_soc)


def _charge(
    prediction: CellPrediction,
    limits: ChargeLimits,
    conditions: ChargeConditions,
    target_soc: float,
) -> ChargeRun:
    memory, y = prediction.cell.start(
        prediction.inputs(0.0, conditions), prediction.parameters
    )
    names = prediction.cell.interface.output_names
    step_s = float(prediction.interval_s[0])
    soc = [float(y[names.index("soc")])]
    currents: list[float] = []
    rows: list[Vector] = []
    while soc[-1] < target_soc and len(rows) * step_s < _LONGEST_S:
        current_A = _largest_current(prediction, memory, conditions, limits)
        rows.append(
            prediction.roll(memory, np.array([current_A]), conditions).rows[:, 0]
        )
        memory, _, _ = prediction.cell.advance(
            memory,
            0.0,
            step_s,
            prediction.inputs(current_A, conditions),
            prediction.parameters,
        )
        soc.append(float(rows[-1][0]))
        currents.append(current_A)
    table = np.array(rows).reshape(-1, 6)
    time_s: Vector = step_s * np.arange(1, len(rows) + 1, dtype=np.float64)
    end_s = math.inf
    if soc[-1] >= target_soc:
        end_s = float(np.interp(target_soc, soc, np.concatenate([[0.0], time_s])))
    return ChargeRun(
        time_s=time_s,
        current_A=np.array(currents),
        soc=table[:, 0],
        voltage_V=np.maximum(table[:, 2], table[:, 4]),
        temperature_K=table[:, 1],
        plating_potential_V=np.minimum(table[:, 3], table[:, 5]),
        charge_time_s=end_s,
    )


def _largest_current(
    prediction: CellPrediction,
    memory: Vector,
    conditions: ChargeConditions,
    limits: ChargeLimits,
) -> float:
    def is_admissible(charge_A: float) -> bool:
        rollout = prediction.roll(memory, np.array([-charge_A]), conditions)
        miss = limits.violation(
            np.maximum(rollout.row("start_voltage_V"), rollout.row("end_voltage_V")),
            rollout.row("temperature_K"),
            np.minimum(rollout.row("start_plating_V"), rollout.row("end_plating_V")),
        )
        return max(miss.potential_V, miss.temperature_K) <= 0.0

    low, high = 0.0, limits.maximum_charge_current_A
    if is_admissible(high):
        return -high
    while high - low > 1e-6 * limits.maximum_charge_current_A:
        middle = 0.5 * (low + high)
        if is_admissible(middle):
            low = middle
        else:
            high = middle
    return -low
