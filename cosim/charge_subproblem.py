"""The quadratic program inside the fast-charge problem, and the merit it improves.

All currents `w` are shares of the largest charging current, 0..1. Violations count in
units of 10 mV and 1 K; there is one slack per interval and kind of limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.charge_limits import ChargeLimits
from packtwin.cosim.charge_prediction import Rollout

__all__ = ["ChargePoint", "ChargeStep", "ChargeSubproblem", "ProgramOptions"]

Vector: TypeAlias = NDArray[np.float64]

# Sizes that make one unit of violation comparable between the limits.
_VOLTAGE_SCALE_V = 0.01
_TEMPERATURE_SCALE_K = 1.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOptions:
    """How the problem is weighted and solved.

    Attributes:
        move_weight: Cost of a full-scale current move between two intervals.
        penalty: Cost of 10 mV or 1 K of violation in one interval; well above what
            such a relaxation could gain, about 0.01.
        iteration_limit: Most linearisations and quadratic programs per plan.
        tolerance: Predicted gain (in mean state of charge) that ends the iteration.
        quadratic_solver: CasADi plug-in for the quadratic programs.
    """

    move_weight: float = 1e-4
    penalty: float = 0.2
    iteration_limit: int = 20
    tolerance: float = 1e-5
    quadratic_solver: str = "daqp"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePoint:
    """Currents with their rollout.

    Attributes:
        w: Current of each interval as a share of the largest.
        rollout: What they lead to.
        misses: The limits of temperature, end voltage, end plating, start voltage and
            start plating, each over the intervals; > 0 where violated.
        merit: What is minimised, violations included.
    """

    w: Vector
    rollout: Rollout
    misses: Vector
    merit: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeStep:
    """A step in `w` with the merit it promises to save; NaN if the solver failed.

    Attributes:
        step: Change of `w`.
        promise: Predicted decrease of the merit.
        misses: The misses that the linear model predicts after the step.
        temperature_price: Multiplier of the temperature limit per interval, 1/K.
    """

    step: Vector
    promise: float
    misses: Vector
    temperature_price: Vector


@final
class ChargeSubproblem:
    """Linearised limits, quadratic moves; strictly convex."""

    def __init__(
        self,
        interval_s: Vector,
        limits: ChargeLimits,
        options: ProgramOptions,
    ) -> None:
        """Build the fixed parts."""
        self._limits, self._options = limits, options
        n = self._n = len(interval_s)
        self.slew = (
            limits.maximum_slew_A_per_s * interval_s / limits.maximum_charge_current_A
        )
        self._weights = interval_s / interval_s.sum()
        self._difference = np.eye(n) - np.eye(n, k=-1)
        moves = 2 * options.move_weight * self._difference.T @ self._difference
        # The slack's share keeps dual solvers accurate; the penalty stays exact.
        self._hessian = np.diag([1e-9] * n + [1e-3] * (3 * n))
        self._hessian[:n, :n] += moves
        self._rows = np.zeros((6 * n, 4 * n))
        for block, slack in enumerate((1, 0, 2, 0, 2)):
            at = np.arange(n)
            self._rows[at + block * n, at + (slack + 1) * n] = -1.0
        self._rows[5 * n :, :n] = self._difference
        self._conic = _conic(options.quadratic_solver, 4 * n, 6 * n)

    def point(self, w: Vector, last: float, rollout: Rollout) -> ChargePoint:
        """Judge currents; the merit is infinite if a prediction is not finite."""
        limits = self._limits
        misses = np.concatenate(
            [
                (rollout.row("temperature_K") - limits.temperature_bound_K)
                / _TEMPERATURE_SCALE_K,
                *(
                    sign * (rollout.row(name) - bound_V) / _VOLTAGE_SCALE_V
                    for name, sign, bound_V in (
                        ("end_voltage_V", 1.0, limits.voltage_bound_V),
                        ("end_plating_V", -1.0, limits.plating_bound_V),
                        ("start_voltage_V", 1.0, limits.voltage_bound_V),
                        ("start_plating_V", -1.0, limits.plating_bound_V),
                    )
                ),
            ]
        )
        moves = self._moves(w, last)
        merit = float(
            -self._weights @ rollout.row("soc")
            + self._options.move_weight * moves @ moves
            + self._cost_of(misses)
        )
        if not np.isfinite(merit):
            merit = float("inf")
        return ChargePoint(w=w, rollout=rollout, misses=misses, merit=merit)

    def solve(
        self,
        point: ChargePoint,
        slopes: Vector,
        last: float,
        *,
        radius: float,
        bend: Vector,
        correction: Vector | None = None,
    ) -> ChargeStep:
        """Return the best step within a radius.

        Args:
            point: Where the problem is linearised.
            slopes: `d rows / d w` of the prediction there.
            last: Current before the horizon, as a share.
            radius: Largest change of a current.
            bend: Diagonal curvature of the limits that their prices weigh.
            correction: Second-order misses to add to the linear ones.
        """
        n, w = self._n, point.w
        moves = self._moves(w, last)
        slope_w = 2 * self._options.move_weight * self._difference.T @ moves
        slope_w = slope_w - self._weights @ slopes[0]
        rows = self._rows.copy()
        rows[:n, :n] = slopes[1] / _TEMPERATURE_SCALE_K
        for block, sign in ((1, 1.0), (2, -1.0), (3, 1.0), (4, -1.0)):
            at = slice(block * n, (block + 1) * n)
            rows[at, :n] = sign * slopes[block + 1] / _VOLTAGE_SCALE_V
        misses = point.misses if correction is None else point.misses + correction
        if not (np.isfinite(misses).all() and np.isfinite(rows).all()):
            return self._failure()
        hessian = self._hessian + np.diag(np.concatenate([bend, np.zeros(3 * n)]))
        answer = self._conic(
            h=hessian,
            g=np.concatenate([slope_w, np.full(3 * n, self._options.penalty)]),
            a=rows,
            lba=np.concatenate([np.full(5 * n, -np.inf), -self.slew - moves]),
            uba=np.concatenate([-misses, self.slew - moves]),
            lbx=np.concatenate([np.maximum(-radius, -w), np.zeros(3 * n)]),
            ubx=np.concatenate([np.minimum(radius, 1.0 - w), np.full(3 * n, np.inf)]),
        )
        step = answer["x"].full().reshape(-1)[:n]
        if not (self._conic.stats()["success"] and np.isfinite(step).all()):
            return self._failure()
        linear = misses + rows[: 5 * n, :n] @ step
        gain = self._cost_of(point.misses) - self._cost_of(linear) - slope_w @ step
        return ChargeStep(
            step=step,
            promise=float(gain - 0.5 * step @ hessian[:n, :n] @ step),
            misses=linear,
            temperature_price=answer["lam_a"].full().reshape(-1)[:n]
            / _TEMPERATURE_SCALE_K,
        )

    def _moves(self, w: Vector, last: float) -> Vector:
        moves: Vector = self._difference @ w
        moves[0] -= last
        return moves

    def _cost_of(self, misses: Vector) -> float:
        rows = np.maximum(0.0, misses).reshape(5, self._n)
        worst = (np.maximum(rows[1], rows[3]), rows[0], np.maximum(rows[2], rows[4]))
        return self._options.penalty * float(np.sum(worst))

    def _failure(self) -> ChargeStep:
        return ChargeStep(
            step=np.zeros(self._n),
            promise=float("nan"),
            misses=np.full(5 * self._n, np.nan),
            temperature_price=np.zeros(self._n),
        )


def _conic(plugin: str, n_variable: int, n_row: int) -> Any:
    options: dict[str, Any] = {"error_on_fail": False}
    if plugin == "qpoases":
        options |= {"printLevel": "none"}
    shape = {
        "h": ca.Sparsity.dense(n_variable, n_variable),
        "a": ca.Sparsity.dense(n_row, n_variable),
    }
    return ca.conic("charge_program", plugin, shape, options)
