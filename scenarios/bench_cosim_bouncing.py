"""A ball that bounces on the floor and hangs on a spring with an oscillator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm
from scipy.optimize import brentq
from typing_extensions import override

from packtwin.cosim.connection import Connection
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_linear import CUBIC, LinearComponent
from packtwin.twin.component import StepReport, seconds, ticks
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Variable

Vector: TypeAlias = NDArray[np.float64]

GRAVITY, SPRING, STIFFNESS, DAMPING, RESTITUTION = 9.81, 3.0, 20.0, 0.3, 0.8
START_M, DURATION_S = 1.0, 3.0


class Ball(LinearComponent):
    """x'' = -g + k (u - x) above the floor; it returns 0.8 of its speed."""

    def __init__(self, name: str = "ball") -> None:
        """Make a ball at rest in the air."""
        matrices = (
            [[0.0, 1.0, 0.0], [-SPRING, 0.0, -GRAVITY], [0.0, 0.0, 0.0]],
            [[0.0], [SPRING], [0.0]],
            [[1.0, 0.0, 0.0]],
            [[0.0]],
        )
        super().__init__(
            name,
            matrices,
            [START_M, 0.0, 1.0],
            (Variable(name="neighbour_m"),),
            (Variable(name="height_m"),),
            replace(CUBIC, has_events=True),
        )
        self.impacts: tuple[float, ...] = ()

    @override
    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        before, h = self.save(), seconds(end_tick - tick)

        def height(t: float) -> float:
            self.restore(before)
            LinearComponent.step(self, 0, ticks(t), u)
            return float(self._x[0])

        n = 32
        times = [k * h / n for k in range(1, n + 1)]
        for t in times:
            if height(t) < 0.0 and self._x[1] < 0.0:
                early = max(t - h / n, 2e-9)
                root = brentq(height, early, t, xtol=1e-12) if height(early) > 0 else t
                self.restore(before)
                end = tick + max(1, ticks(root))
                report = super().step(tick, end, u)
                return replace(report, status=StepStatus.EVENT)
        self.restore(before)
        return super().step(tick, end_tick, u)

    def handle_event(self, tick: int, u: Vector) -> Vector:
        """Bounce."""
        if self._x[0] < 1e-8 and self._x[1] < 0.0:
            self._x[1] *= -RESTITUTION
            self.impacts = (*self.impacts, seconds(tick))
        self._u = u[None, :].copy()
        return self._outputs()

    @override
    def initialize(self, tick: int, u: Vector) -> Vector:
        self.impacts = ()
        return super().initialize(tick, u)

    @override
    def save(self) -> Any:
        return super().save(), self.impacts

    @override
    def restore(self, state: Any) -> None:
        saved, self.impacts = state
        super().restore(saved)


def bouncing() -> System:
    """The ball and the oscillator."""
    hanging = LinearComponent(
        "hanging",
        (
            [[0.0, 1.0], [-STIFFNESS - SPRING, -DAMPING]],
            [[0.0], [SPRING]],
            [[1.0, 0.0]],
            [[0.0]],
        ),
        [0.5, 0.0],
        (Variable(name="neighbour_m"),),
        (Variable(name="height_m"),),
    )
    return System(
        [Ball(), hanging],
        [
            Connection("ball.height_m", "hanging.neighbour_m"),
            Connection("hanging.height_m", "ball.neighbour_m"),
        ],
    )


def exact_bouncing(times_s: Vector) -> tuple[Vector, list[float]]:
    """Heights and impact times of the coupled system, by matrix exponentials."""
    a = np.array(
        [
            [0, 1, 0, 0, 0],
            [-SPRING, 0, SPRING, 0, -GRAVITY],
            [0, 0, 0, 1, 0],
            [SPRING, 0, -STIFFNESS - SPRING, -DAMPING, 0],
            [0, 0, 0, 0, 0],
        ]
    )
    x, now = np.array([START_M, 0, 0.5, 0, 1.0]), 0.0
    impacts: list[float] = []
    rows: list[Vector] = []
    fine = expm(a * 1e-3)
    for t in times_s:
        while now < t:
            step = min(1e-3, t - now)
            new = fine @ x if step == 1e-3 else expm(a * step) @ x
            if new[0] < 0.0 and new[1] < 0.0:

                def height(s: float, x: Vector = x) -> float:
                    return float((expm(a * s) @ x)[0])

                step = brentq(height, 0.0, step, xtol=1e-14) if x[0] > 1e-12 else step
                new = expm(a * step) @ x
                new[1] *= -RESTITUTION
                impacts.append(now + step)
            x, now = new, now + step
        rows.append(x[[0, 2]])
    return np.array(rows), impacts
