"""The fast-charge optimal-control problem and its sequential quadratic programming.

    minimise    - mean(soc) + moves + penalty * violations
    subject to  0 <= charge current <= largest, slew

over the currents of a horizon. The limits of voltage, temperature and plating are
soft with an exact (linear) penalty, so that a solution always exists and keeps them
whenever that is possible. Every accepted iterate is a rollout of the model, so an
early end still gives a plan with true predictions: feasibility-perturbed sequential
quadratic programming, M. J. Tenny, S. J. Wright, J. B. Rawlings, Computational
Optimization and Applications 28 (2004) 87-121,
doi:10.1023/B:COAP.0000018760.63497.eb.

The optimum mostly sits in a corner of the limits, where first derivatives are enough.
Where it does not, the curvature that counts is that of the heat, quadratic in the
current. A second-order correction keeps the exact penalty from cutting good steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeConditions, ChargeLimits
from packtwin.cosim.charge_prediction import CellPrediction, Rollout
from packtwin.cosim.charge_subproblem import (
    ChargePoint,
    ChargeSubproblem,
    ProgramOptions,
)

__all__ = ["ChargeProgram", "ProgramSolution"]

Vector: TypeAlias = NDArray[np.float64]

# Trust region, in shares of the largest current: actual gain over promised gain.
_LEAST_GAIN, _POOR_GAIN, _GOOD_GAIN = 0.05, 0.5, 0.8
_SHRINK, _LEAST_RADIUS, _LEAST_SHARE = 0.35, 1e-5, 0.05


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSolution:
    """Currents, their rollout, and how the iteration ended."""

    current_A: Vector
    rollout: Rollout
    iteration_count: int
    is_solved: bool


@final
class ChargeProgram:
    """Solves the problem of one horizon from any state."""

    def __init__(
        self,
        prediction: CellPrediction,
        limits: ChargeLimits,
        options: ProgramOptions,
    ) -> None:
        """Build the subproblem."""
        self._prediction, self._options = prediction, options
        self._scale_A = limits.maximum_charge_current_A
        self._subproblem = ChargeSubproblem(prediction.interval_s, limits, options)

    def solve(
        self,
        memory: Vector,
        guess_A: Vector,
        conditions: ChargeConditions,
        *,
        last_current_A: float,
    ) -> ProgramSolution:
        """Improve `guess_A` until no quadratic program promises more."""
        last = min(1.0, max(0.0, -last_current_A / self._scale_A))

        def evaluate(wanted: Vector) -> ChargePoint:
            w = self._admissible(wanted, last)
            rollout = self._prediction.roll(memory, -self._scale_A * w, conditions)
            return self._subproblem.point(w, last, rollout)

        point, slopes, radius = evaluate(-guess_A / self._scale_A), None, 1.0
        bend, count, is_solved = np.zeros_like(guess_A), 0, False
        while count < self._options.iteration_limit and not is_solved:
            count += 1
            if slopes is None:
                slopes = self._slopes(point, conditions)
            improve = partial(
                self._subproblem.solve, point, slopes, last, radius=radius, bend=bend
            )
            answer = improve()
            if not answer.promise > self._options.tolerance:
                is_solved = bool(np.isfinite(answer.promise))
                break
            # Heat is quadratic in the current: d2T/dw2 = (dT/dw) / w.
            price = answer.temperature_price @ slopes[1]
            bend = np.maximum(0.0, price) / np.maximum(point.w, _LEAST_SHARE)
            trial = evaluate(point.w + answer.step)
            if not self._gain(point, trial, answer.promise) > _POOR_GAIN:
                correction = trial.misses - answer.misses
                other = evaluate(point.w + improve(correction=correction).step)
                trial = other if other.merit < trial.merit else trial
            gain = self._gain(point, trial, answer.promise)
            if not gain > _POOR_GAIN:
                radius = _SHRINK * float(np.abs(answer.step).max())
            elif gain > _GOOD_GAIN:
                radius = min(1.0, 2.0 * radius)
            if gain > _LEAST_GAIN:
                point, slopes = trial, None
            is_solved = radius < _LEAST_RADIUS
        return ProgramSolution(
            current_A=-self._scale_A * point.w,
            rollout=point.rollout,
            iteration_count=count,
            is_solved=is_solved,
        )

    def _slopes(self, point: ChargePoint, conditions: ChargeConditions) -> Vector:
        """Return `d rows / d w`."""
        current_A = -self._scale_A * point.w
        slopes = self._prediction.condense(point.rollout, current_A, conditions)
        return -self._scale_A * slopes

    def _admissible(self, w: Vector, last: float) -> Vector:
        """Return `w` moved into the bounds and the slew, from the front."""
        result, before = np.empty_like(w), last
        for k, slew in enumerate(self._subproblem.slew):
            wanted = min(before + slew, max(before - slew, float(w[k])))
            before = result[k] = min(1.0, max(0.0, wanted))
        return result

    def _gain(self, point: ChargePoint, trial: ChargePoint, promise: float) -> float:
        return (point.merit - trial.merit) / promise
