"""An equivalent circuit: open-circuit voltage, a resistance and two RC pairs.

    V = U(s) - f_0 R_0(s) I - f_1 R_1(s) i_1 - f_2 R_2(s) i_2
    di_k/dt = (I - i_k) e^(-a theta) / tau_k        f_k = e^(E_k theta)

`R_k` are natural cubic splines over the state of charge `s`, `theta = 1000 (1/T -
1/T_ref)`. Given time constants and activations the voltage is linear in the knots of
all `R_k`, which are found by least squares inside a search over the former (G. Golub,
V. Pereyra, SIAM J. Numer. Anal. 10 (1973) 413-432, doi:10.1137/0710036). The circuit
has no electrodes, hence no plating potential. Form after G. L. Plett, J. Power Sources
134 (2004) 262-276, doi:10.1016/j.jpowsour.2004.02.032.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.alternative import FitPlan
from packtwin.twin.alternative_batch import AlternativeBatch, batch_runs
from packtwin.twin.alternative_step import Instant, SteppedPredictor
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.table import Table, fit_table
from packtwin.twin.trajectory import Trajectory

__all__ = ["Circuit", "CircuitCore"]

Array: TypeAlias = NDArray[np.float64]

_N_PAIR = 2
_KNOTS = np.linspace(0.0, 1.0, 17)
_RIDGE = 1e-4  # of the spline's differences, so that knots without data are smooth
_SEARCHED_RUNS, _SEARCHED_SAMPLES, _FITTED_SAMPLES = 60, 20_000, 150_000
_LEAST_STEP = 0.01
_ROWS = 64
# log10 of tau_1 and tau_2 in s, activation of the taus, of the three resistances, kK.
_START = (1.0, 2.5, 2.5, 3.0, 3.0, 3.0)
_STEPS = (0.4, 0.4, 1.0, 1.0, 1.0, 1.0)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitCore:
    """The parameters of the circuit.

    Attributes:
        time_constants_s: Of the RC pairs at the reference temperature.
        time_activation_kK: Their Arrhenius temperature, in 1000 K.
        resistance_activation_kK: Of `R_0`, `R_1`, `R_2`.
        resistances_Ohm: At equidistant states of charge from 0 to 1, shape
            `(3, knot)`.
    """

    time_constants_s: tuple[float, ...]
    time_activation_kK: float
    resistance_activation_kK: tuple[float, ...]
    resistances_Ohm: Array

    @property
    def state_names(self) -> tuple[str, ...]:
        """Currents through the resistors of the pairs."""
        return tuple(f"pair_{k + 1}_A" for k in range(len(self.time_constants_s)))

    @property
    def has_plating(self) -> bool:
        """A circuit has no electrodes."""
        return False

    def advance(self, core: Any, now: Instant, h: Any) -> Any:
        """Return the pairs' currents after a step at constant current; exact."""
        speed = ca.exp(-self.time_activation_kK * now.theta)
        gain = -ca.expm1(-h * speed / ca.DM(self.time_constants_s))
        return core + gain * (now.current_A - core)

    def outputs(self, core: Any, now: Instant) -> list[Any]:
        """Return the voltage."""
        knots = np.linspace(0.0, 1.0, self.resistances_Ohm.shape[1])
        voltage_V = now.ocv_V
        currents = [now.current_A, *ca.vertsplit(core)]
        for values, activation, current_A in zip(
            self.resistances_Ohm, self.resistance_activation_kK, currents, strict=True
        ):
            table = fit_table(knots, values, len(knots) - 1)
            factor = ca.exp(activation * now.theta)
            voltage_V = voltage_V - factor * table.casadi(now.soc) * current_A
        return [voltage_V]


@final
@dataclass(frozen=True, slots=True)
class Circuit:
    """Fits the circuit."""

    name: str = "circuit"

    def fit(
        self, spec: SurrogateSpec, runs: Sequence[Trajectory], plan: FitPlan
    ) -> SteppedPredictor:
        """Search time constants and activations, solving for the resistances.

        Args:
            spec: The cell; its open-circuit voltage and heat capacity are used.
            runs: To learn from.
            plan: `iterations` counts the least-squares problems of the search.

        Raises:
            TrainingError: The runs cannot be used.
        """
        batch = batch_runs(spec, runs)
        core = _fitted(batch, plan)
        return SteppedPredictor(self.name, spec, core, heat_share=batch.heat_share)


def _fitted(whole: AlternativeBatch, plan: FitPlan) -> CircuitCore:
    rng = np.random.default_rng(plan.seed)
    few = rng.permutation(len(whole.soc))[:_SEARCHED_RUNS]
    searched = _drawn(_rows(whole, few), _SEARCHED_SAMPLES, rng)
    began = time.perf_counter()
    q, steps = np.array(_START), np.array(_STEPS)
    best, count = searched.solved(q)[1], 1
    while steps.max() > _LEAST_STEP:
        if plan.share(count, time.perf_counter() - began) >= 1.0:
            break
        for k in range(len(q)):
            for sign in (1.0, -1.0):
                trial = q.copy()
                trial[k] += sign * steps[k]
                error = searched.solved(trial)[1]
                count += 1
                if error < best:
                    q, best = trial, error
                    steps[k] *= 1.5 * sign
                    break
            else:
                steps[k] *= 0.5
        steps = np.abs(steps)
    weights, _ = _drawn(whole, _FITTED_SAMPLES, rng).solved(q)
    return CircuitCore(
        time_constants_s=tuple(float(10.0**v) for v in q[:_N_PAIR]),
        time_activation_kK=float(q[_N_PAIR]),
        resistance_activation_kK=tuple(float(v) for v in q[_N_PAIR + 1 :]),
        resistances_Ohm=weights,
    )


def _rows(batch: AlternativeBatch, rows: NDArray[np.intp]) -> AlternativeBatch:
    names = [f for f in batch.__dataclass_fields__ if f not in ("step_s", "heat_share")]
    return replace(batch, **{name: getattr(batch, name)[rows] for name in names})


def _drawn(
    batch: AlternativeBatch, count: int, rng: np.random.Generator
) -> _LeastSquares:
    run, column = np.nonzero(batch.is_learnable)
    pick = rng.permutation(len(run))[:count]
    run, column = run[pick], column[pick]
    bases = np.stack([t.numpy(batch.soc[run, column]) for t in _cardinals()], axis=-1)
    return _LeastSquares(batch=batch, run=run, column=column, bases=bases)


def _cardinals() -> list[Table]:
    """Return the splines that are 1 at one knot and 0 at the others."""
    return [fit_table(_KNOTS, row, len(_KNOTS) - 1) for row in np.eye(len(_KNOTS))]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _LeastSquares:
    """Chosen samples of all runs; `bases` are the cardinal splines there."""

    batch: AlternativeBatch
    run: NDArray[np.intp]
    column: NDArray[np.intp]
    bases: Array

    def solved(self, q: Array) -> tuple[Array, float]:
        """Return the resistances, shape `(3, knot)`, and the rms error."""
        b, at = self.batch, (self.run, self.column)
        currents = [b.current_A[at], *(i[at] for i in _filtered(b, q))]
        theta, n = b.theta[at], len(_KNOTS)
        parts = [
            (current_A * np.exp(activation * theta))[:, None] * self.bases
            for current_A, activation in zip(currents, q[_N_PAIR + 1 :], strict=True)
        ]
        matrix, right = np.concatenate(parts, axis=1), b.ocv_V[at] - b.voltage_V[at]
        normal, projected = _normal_equations(matrix, right)
        bend = np.kron(np.eye(len(parts)), np.diff(np.eye(n), axis=0))
        normal = normal + _RIDGE * np.trace(normal) / len(normal) * bend.T @ bend
        normal += 1e-9 * np.trace(normal) / len(normal) * np.eye(len(normal))
        weights = np.linalg.solve(normal, projected)
        gap = matrix @ weights - right
        return weights.reshape(len(parts), n), float(np.sqrt(np.mean(gap**2)))


def _normal_equations(matrix: Array, right: Array) -> tuple[Array, Array]:
    """Return `A^T A` and `A^T b` over the number of rows.

    Few rows at a time, which BLAS multiplies on one thread: where the other cores are
    busy, waiting for them takes a hundred times as long as the product.
    """
    n = len(right)
    both = np.concatenate([matrix, right[:, None]], axis=1)
    both = np.pad(both, ((0, -n % _ROWS), (0, 0))).reshape(-1, _ROWS, both.shape[1])
    gram = np.matmul(both.transpose(0, 2, 1), both).sum(axis=0) / n
    return gram[:-1, :-1], gram[:-1, -1]


def _filtered(b: AlternativeBatch, q: Array) -> list[Array]:
    """Return the current of each pair at all samples, shape `(run, n)` each."""
    speed = np.exp(-q[_N_PAIR] * b.theta)
    found = []
    for log_s in q[:_N_PAIR]:
        gain = -np.expm1(-b.step_s * speed / 10.0**log_s)
        current_A = np.zeros_like(b.mean_A)
        for k in range(1, b.mean_A.shape[1]):
            before = current_A[:, k - 1]
            current_A[:, k] = before + gain[:, k - 1] * (b.mean_A[:, k] - before)
        found.append(current_A)
    return found
