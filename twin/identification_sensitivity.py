"""Trajectories of a `Model` with exact sensitivities, for least squares.

The step is the stiffly accurate, L-stable SDIRK method of order 2 of R. Alexander, SIAM
Journal on Numerical Analysis 14 (1977) 1006-1021, doi:10.1137/0714068. Every stage is
solved to rounding error and differentiated by the implicit function theorem, so the
sensitivities are those of the computed trajectory itself, not an approximation to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError, StepError
from packtwin.twin.model import Model
from packtwin.twin.variable import nearest_names

__all__ = ["SensitiveModel", "Steps"]

Vector: TypeAlias = NDArray[np.float64]

_GAMMA = 1.0 - 1.0 / math.sqrt(2.0)
_TOLERANCE = 1e-9  # of a state's nominal value, in the last Newton correction
_MAX_NEWTON = 12
_MAX_HALVINGS = 5
_LONG_ROW = 20  # entries


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """A fixed grid of steps and what drives the model on it.

    Attributes:
        time_s: Ends of the steps and the start, shape `(n + 1,)`.
        inputs: Mean inputs of every step, shape `(n, n_inputs)`.
        samples: Indices into `time_s` at which outputs are wanted.
        sample_inputs: Inputs at those times, shape `(n_sample, n_inputs)`.
    """

    time_s: Vector
    inputs: Vector
    samples: NDArray[np.int64]
    sample_inputs: Vector


@final
class SensitiveModel:
    """A model compiled for trajectories with sensitivities.

    Args:
        model: The equations; index 1 if it has algebraic states.
        unknowns: Names of the parameters to differentiate by.
        outputs: Names of the outputs to return.
    """

    def __init__(
        self, model: Model, unknowns: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.model = model
        names = model.interface.parameter_names
        self._unknowns = [_index(name, names, "parameter", model) for name in unknowns]
        known = model.interface.output_names
        rows = [_index(name, known, "output", model) for name in outputs]
        self.n_x, self.n_z = len(model.states), len(model.algebraic_states)
        states = (*model.states, *model.algebraic_states)
        self._nominal = np.array([v.nominal for v in states], dtype=np.float64)
        self._compile(rows)

    def _compile(self, rows: list[int]) -> None:
        model, n_x, n_z = self.model, self.n_x, self.n_z
        y = ca.MX.sym("y", n_x + n_z)
        x, z = y[:n_x], y[n_x:]
        t, gh = ca.MX.sym("t"), ca.MX.sym("gh")
        base = ca.MX.sym("base", n_x)
        u = ca.MX.sym("u", len(model.interface.inputs))
        fixed = ca.MX.sym("p", len(model.interface.parameters))
        theta = ca.MX.sym("theta", len(self._unknowns))
        p = ca.MX(fixed)
        for k, i in enumerate(self._unknowns):
            p[i] = theta[k]
        slope = model.rhs(t, x, z, u, p)
        balance = model.algebraic(t, x, z, u, p) if model.algebraic else ca.MX(0, 1)
        residual = ca.vertcat(x - base - gh * slope, balance)
        matrix = _jacobian(residual, y)
        arguments = [y, base, gh, t, u, theta, fixed]
        solver: tuple[Any, ...] = ("csparse", {})
        self._newton = ca.Function(
            "newton", arguments, [-ca.solve(matrix, residual, *solver)]
        )
        before = ca.MX.sym("before", n_x, len(self._unknowns))
        direct = -ca.densify(ca.jacobian(residual, theta))
        moved = direct + ca.vertcat(before, ca.MX(n_z, len(self._unknowns)))
        self._tangent = ca.Function(
            "tangent", [*arguments, before], [ca.solve(matrix, moved, *solver)]
        )
        seen = model.outputs(t, x, z, u, p)[rows]
        tangent = ca.MX.sym("tangent", n_x + n_z, len(self._unknowns))
        total = ca.jacobian(seen, theta) + ca.mtimes(ca.jacobian(seen, y), tangent)
        self._outputs = ca.Function("seen", [y, t, u, theta, fixed], [seen])
        self._slopes = ca.Function(
            "slopes", [y, t, u, theta, fixed, tangent], [ca.densify(total)]
        )
        start = ca.vertcat(*model.initial(u, p))
        self._initial = ca.Function(
            "start", [u, theta, fixed], [start, ca.densify(ca.jacobian(start, theta))]
        )
        self._consistent = None
        if n_z:
            both = ca.jacobian(balance, y)
            inner, by_state = both[:, n_x:], ca.densify(both[:, :n_x])
            sx = ca.MX.sym("sx", n_x, len(self._unknowns))
            through = ca.mtimes(by_state, sx) + ca.densify(ca.jacobian(balance, theta))
            self._consistent = (
                ca.Function(
                    "z_newton",
                    [y, t, u, theta, fixed],
                    [-ca.solve(inner, balance, *solver)],
                ),
                ca.Function(
                    "z_tangent",
                    [y, t, u, theta, fixed, sx],
                    [-ca.solve(inner, through, *solver)],
                ),
            )

    def run(
        self, steps: Steps, theta: Vector, fixed: Vector, *, has_slopes: bool = True
    ) -> tuple[Vector, Vector]:
        """Return outputs `(n_sample, n_output)` and slopes `(..., n_unknown)`.

        Args:
            steps: The grid.
            theta: Values of the unknowns.
            fixed: All parameters of the model; those of the unknowns are not read.
            has_slopes: Leave the slopes empty otherwise, which is faster.

        Raises:
            StepError: a step has no solution; its time is given.
        """
        # Converted once: CasADi converts arrays at every call.
        by = (ca.DM(theta), ca.DM(fixed))
        time_s = steps.time_s
        wanted = dict(zip(steps.samples.tolist(), steps.sample_inputs, strict=True))
        y, tangent = self._start(steps, *by)
        found, slopes = [], []
        for k in range(len(time_s)):
            if k:
                y, tangent = self._advance(
                    (y, tangent),
                    (time_s[k - 1], time_s[k] - time_s[k - 1]),
                    (steps.inputs[k - 1], *by),
                    has_slopes=has_slopes,
                )
            if k in wanted:
                driven = (time_s[k], wanted[k], *by)
                z_y, z_tangent = self._settle(y, tangent, driven, has_slopes=has_slopes)
                found.append(_flat(self._outputs(z_y, *driven)))
                if has_slopes:
                    slopes.append(self._slopes(z_y, *driven, z_tangent).full())
        outputs = np.array(found, dtype=np.float64)
        if not np.isfinite(outputs).all():
            first = int(np.argmin(np.isfinite(outputs).all(axis=1)))
            self._fail(float(time_s[steps.samples[first]]), "an output is not finite")
        n_unknown = len(self._unknowns)
        if not has_slopes:
            return outputs, np.empty((0, 0, n_unknown))
        return outputs, np.array(slopes, dtype=np.float64)

    def _start(self, steps: Steps, theta: ca.DM, fixed: ca.DM) -> tuple[Vector, Vector]:
        driven = (steps.time_s[0], steps.inputs[0], theta, fixed)
        start, slope = self._initial(*driven[1:])
        return self._settle(_flat(start), slope.full(), driven, has_slopes=True)

    def _settle(
        self, y: Vector, tangent: Vector, driven: tuple[Any, ...], *, has_slopes: bool
    ) -> tuple[Vector, Vector]:
        """Make the algebraic states fit inputs that have just changed."""
        if self._consistent is None:
            return y, tangent
        newton, by_theta = self._consistent
        n_x = self.n_x
        y = y.copy()
        for _ in range(4 * _MAX_NEWTON):
            move = _flat(newton(y, *driven))
            y[n_x:] += move
            if not np.isfinite(move).all():
                break
            if np.max(np.abs(move) / self._nominal[n_x:]) < _TOLERANCE:
                if has_slopes:
                    inner = by_theta(y, *driven, tangent[:n_x]).full()
                    tangent = np.vstack([tangent[:n_x], inner])
                return y, tangent
        self._fail(float(driven[0]), "the algebraic equations have no solution")
        return y, tangent

    def _advance(
        self,
        at: tuple[Vector, Vector],
        when: tuple[float, float],
        driven: tuple[Vector, ca.DM, ca.DM],
        *,
        has_slopes: bool,
        depth: int = 0,
    ) -> tuple[Vector, Vector]:
        """Take a step, or two halves of it where Newton's method fails."""
        try:
            return self._step(at, when, driven, has_slopes=has_slopes)
        except StepError:
            if depth == _MAX_HALVINGS:
                raise
        (t, h), n = when, depth + 1
        for begin in (t, t + h / 2):
            at = self._advance(
                at, (begin, h / 2), driven, has_slopes=has_slopes, depth=n
            )
        return at

    def _step(
        self,
        at: tuple[Vector, Vector],
        when: tuple[float, float],
        driven: tuple[Vector, ca.DM, ca.DM],
        *,
        has_slopes: bool,
    ) -> tuple[Vector, Vector]:
        (y, tangent), (t, h), n_x = at, when, self.n_x
        base, carried, now = y[:n_x], tangent[:n_x], y
        for stage in range(2):
            given = (_GAMMA * h, t + (_GAMMA if stage == 0 else 1.0) * h, *driven)
            now = self._solve(now, base, given)
            if has_slopes:
                tangent = self._tangent(now, base, *given, carried).full()
            ratio = (1.0 - _GAMMA) / _GAMMA
            base = y[:n_x] + ratio * (now[:n_x] - y[:n_x])
            carried = at[1][:n_x] + ratio * (tangent[:n_x] - at[1][:n_x])
        return now, tangent

    def _solve(self, guess: Vector, base: Vector, given: tuple[Any, ...]) -> Vector:
        now = guess
        for _ in range(_MAX_NEWTON):
            move = _flat(self._newton(now, base, *given))
            now = now + move
            if not np.isfinite(move).all():
                break
            if np.max(np.abs(move) / self._nominal) < _TOLERANCE:
                return now
        self._fail(float(given[1]), "Newton's method does not converge")
        return now

    def _fail(self, time_s: float, reason: str) -> None:
        message = (
            f"Model `{self.model.name}` cannot follow the record beyond {time_s:.4g} "
            f"s: {reason}. Check current, start values and bounds of the parameters."
        )
        raise StepError(message, time_s=time_s, reason=reason)


def _jacobian(residual: Any, y: Any) -> Any:
    """Return the Jacobian, its long rows (an energy balance) by reverse mode.

    One row with all entries spoils the colouring by columns of the others.
    """
    pattern = ca.jacobian_sparsity(residual, y)
    length = np.diff(pattern.T.colind())
    is_long = length > max(_LONG_ROW, 4 * float(np.median(length)))
    if not is_long.any():
        return ca.jacobian(residual, y)
    long, short = (np.flatnonzero(flag).tolist() for flag in (is_long, ~is_long))
    parts = [ca.jacobian(residual[rows], y) for rows in (short, long)]
    order = np.argsort([*short, *long]).tolist()
    return ca.vertcat(*parts)[order, :]


def _index(name: str, known: tuple[str, ...], kind: str, model: Model) -> int:
    if name not in known:
        message = (
            f"Model `{model.name}` has no {kind} `{name}`; nearest: "
            f"{nearest_names(name, known)}."
        )
        raise InterfaceError(message)
    return known.index(name)


def _flat(value: ca.DM) -> Vector:
    return np.asarray(value.full(), dtype=np.float64).reshape(-1)
