"""A small switched step map with a closed form, and its plain Python reference."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import casadi as ca
import numpy as np

from packtwin.twin.compiled import CompiledStepMap, compile_step_map
from packtwin.twin.implicit import implicit_source
from packtwin.twin.integrate import integrate
from packtwin.twin.step_map import StepStatus
from packtwin.twin.switched import Guard, Lift, Switched
from tests.twin.implicit_models import make_model

RATE = 0.01  # per second, between the two stores
BIAS = 0.3  # of the fast part


def two_stores(
    *,
    dwell_s: float = 10.0,
    back: float = 0.8,
    n_knot: int = 8,
    name: str = "stores",
    shift: float = 0.0,
) -> Switched:
    """Two stores behind an inflow `u[0]`; `u[1]` is the guard's distance.

    The exact part holds both, `a + b` and `a - b = d` with `d' = u - 2 k d`, and has no
    solution from an inflow of 5 on. The fast part holds the sum and `d` as a mode, both
    exactly; its output for `a` is off by `BIAS`. A lift adds `shift` to both stores,
    and with a shift the exact part's algebraic state `z = log(5 - u + a + b)`.
    """
    fast = make_model(
        f"{name}_fast",
        x=[0.0, 0.0],
        u=[0.0, 0.0],
        p=[1.0],
        rhs=lambda t, x, z, u, p: [u[0], u[0] - 2.0 * RATE * x[1]],
        outputs=lambda t, x, z, u, p: [0.5 * (x[0] + x[1]) + BIAS, u[1], u[0]],
        initial=lambda u, p: [p[0], ca.SX(0.0)],
        mean=[2],
    )
    exact = make_model(
        f"{name}_exact",
        x=[0.0, 0.0],
        z=[1.0],
        u=[0.0, 0.0],
        p=[1.0],
        rhs=lambda t, x, z, u, p: [
            u[0] - RATE * (x[0] - x[1]),
            RATE * (x[0] - x[1]),
        ],
        algebraic=lambda t, x, z, u, p: [
            ca.exp(z[0]) - (5.0 - u[0] + (x[0] + x[1] if shift else 0.0))
        ],
        outputs=lambda t, x, z, u, p: [x[0], z[0], u[0]],
        initial=lambda u, p: [0.5 * p[0], 0.5 * p[0]],
        mean=[2],
    )
    y, u, p = ca.SX.sym("y", 3), ca.SX.sym("u", 2), ca.SX.sym("p", 1)
    before, after, x = ca.SX.sym("b", 2), ca.SX.sym("f", 2), ca.SX.sym("x", 2)
    y_exact, h = ca.SX.sym("e", 3), ca.SX.sym("h")
    return Switched(
        name=name,
        fast=integrate(fast, symbol=ca.SX),
        exact=implicit_source(exact),
        guard=Guard(
            distance=ca.Function("distance", [y, u, p], [y[1]]),
            back=back,
            dwell_s=dwell_s,
        ),
        lift=Lift(
            correct=ca.Function(
                "correct", [after, x, p], [x + 0.5 * (after[0] - ca.sum1(x)) + shift]
            ),
            scales=(1.0, 1.0),
            n_knot=n_knot,
            relative_tolerance=1e-4,
        ),
        project=ca.Function(
            "project", [x, after, p], [ca.vertcat(ca.sum1(x), x[0] - x[1])]
        ),
        answer=ca.Function(
            "answer",
            [before, after, y, y_exact, h, u, p],
            [ca.vertcat(y_exact[0], y[1], y_exact[2])],
        ),
    )


@dataclass(kw_only=True)
class Reference:
    """The same steps in plain Python; only the two parts are packtwin's own."""

    switched: Switched
    exact: CompiledStepMap = field(init=False)
    fast_memory: np.ndarray = field(init=False)
    exact_memory: np.ndarray | None = None
    since_s: float = 0.0
    times_s: list[float] = field(default_factory=lambda: [0.0])
    integrals: list[np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        self.exact = compile_step_map(self.switched.exact)

    def start(self, u: np.ndarray, p: np.ndarray) -> np.ndarray:
        self.fast_memory, y = self.switched.fast.start(u, p)
        self.integrals = [np.zeros(len(u))]
        distance = self._call(self.switched.guard.distance, y, u, p)[0]
        if distance > 1.0:
            self.exact_memory, y_exact = self.exact.start(u, p)
            y = self._take_over(y, y_exact, 0.0, u, p)
        return np.array([*y, distance <= 1.0, distance > 1.0])

    def step(
        self, t: float, h: float, u: np.ndarray, p: np.ndarray
    ) -> np.ndarray | None:
        """Advance and return the outputs, or None if the step is refused."""
        trial, y, status = self.switched.fast.advance(self.fast_memory, t, h, u, p)
        assert status is StepStatus.OK
        distance = self._call(self.switched.guard.distance, y, u, p)[0]
        is_exact = self.exact_memory is not None or not distance <= 1.0
        if is_exact:
            was_exact = self.exact_memory is not None
            began = self.exact_memory if was_exact else self.lift(t, u, p)
            new, y_exact, status = self.exact.advance(began, t, h, u, p)
            if status is StepStatus.REFUSED:
                return None
            self.exact_memory = new
            old, self.fast_memory = self.fast_memory, trial
            y = self._take_over(y, y_exact, h, u, p, old)
            self.since_s = self.since_s + h if was_exact else h
            guard = self.switched.guard
            if distance <= guard.back and self.since_s >= guard.dwell_s:
                self.exact_memory, self.since_s = None, 0.0
        else:
            self.fast_memory = trial
            self.since_s += h
        self._record(h, u)
        return np.array([*y, distance <= 1.0, is_exact])

    def lift(self, t: float, u: np.ndarray, p: np.ndarray) -> np.ndarray:
        times, sums = self.times_s, self.integrals
        means = [
            (sums[k + 1] - sums[k]) / (times[k + 1] - times[k])
            for k in range(len(times) - 1)
        ]
        rtol = self.switched.lift.relative_tolerance
        memory, _ = self.exact.start([*means, u][0], p, tolerance=(rtol, 0.1 * rtol))
        for k, mean in enumerate(means):
            h = times[k + 1] - times[k]
            now = t - times[-1] + times[k]
            memory, _, status = self.exact.advance(memory, now, h, mean, p)
            assert status is StepStatus.OK
        memory[self.exact.source.layout.tolerance] = 1e-4, 1e-5
        n_x = len(self.switched.exact.model.states)
        memory[:n_x] = self._call(
            self.switched.lift.correct, self.fast_memory, memory[:n_x], p
        )
        return memory

    def _take_over(
        self,
        y: np.ndarray,
        y_exact: np.ndarray,
        h: float,
        u: np.ndarray,
        p: np.ndarray,
        before: np.ndarray | None = None,
    ) -> np.ndarray:
        assert self.exact_memory is not None
        old = self.fast_memory if before is None else before
        x = self.exact_memory[: len(self.switched.exact.model.states)]
        self.fast_memory = self._call(self.switched.project, x, self.fast_memory, p)
        return self._call(
            self.switched.answer, old, self.fast_memory, y, y_exact, h, u, p
        )

    def _record(self, h: float, u: np.ndarray) -> None:
        lift = self.switched.lift
        self.times_s.append(self.times_s[-1] + h)
        self.integrals.append(self.integrals[-1] + h * u)
        if len(self.times_s) > 2 and self._bend(len(self.times_s) - 2) <= 1e-9:
            self._drop(len(self.times_s) - 2)
        if len(self.times_s) > lift.n_knot:
            now = self.times_s[-1] + lift.fade_s
            inner = range(1, len(self.times_s) - 1)
            self._drop(
                min(inner, key=lambda k: self._bend(k) / (now - self.times_s[k]))
            )

    def _bend(self, k: int) -> float:
        t, q = self.times_s, self.integrals
        share = (t[k] - t[k - 1]) / (t[k + 1] - t[k - 1])
        gap = q[k] - q[k - 1] - share * (q[k + 1] - q[k - 1])
        return float(np.abs(gap / np.array(self.switched.lift.scales)).sum())

    def _drop(self, k: int) -> None:
        del self.times_s[k], self.integrals[k]

    @staticmethod
    def _call(function: ca.Function, *arguments: Any) -> np.ndarray:
        return np.asarray(function(*arguments).full()).reshape(-1)
