"""How the outputs of a step map change at once: with time and with the inputs."""

from __future__ import annotations

from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.step_map import StepMap

__all__ = ["StepSlopes"]

Vector: TypeAlias = NDArray[np.float64]


@final
class StepSlopes:
    """Derivatives of a step map's outputs where a step of no length leaves it."""

    def __init__(self, step_map: StepMap) -> None:
        """Differentiate the step and the start."""
        n_u, n_p = step_map.initialize.numel_in(0), step_map.initialize.numel_in(1)
        self._n_row = step_map.input_order + 1
        m, t, h = ca.MX.sym("m", step_map.n_memory), ca.MX.sym("t"), ca.MX.sym("h")
        u, p = ca.MX.sym("u", step_map.step.numel_in(3)), ca.MX.sym("p", n_p)
        du, start_du = ca.MX.sym("du", u.numel()), ca.MX.sym("du", n_u)
        start_u = ca.MX.sym("u", n_u)
        y, start_y = step_map.step(m, t, h, u, p)[1], step_map.initialize(start_u, p)[1]
        self._by_time = ca.Function(
            "by_time", [m, t, h, u, p], [ca.jtimes(y, h, ca.MX(1.0))]
        )
        self._by_inputs = ca.Function(
            "by_inputs", [m, t, h, u, p, du], [ca.jtimes(y, u, du)]
        )
        self._of_start = ca.Function(
            "of_start", [start_u, p, start_du], [ca.jtimes(start_y, start_u, start_du)]
        )

    def by_time(self, memory: Vector, time_s: float, rows: Vector, p: Vector) -> Vector:
        """Return dy/dt with inputs on the Taylor polynomial `rows`."""
        return _flat(self._by_time(memory, time_s, 0.0, self._inputs(rows), p))

    def by_inputs(
        self, memory: Vector, time_s: float, rows: Vector, p: Vector, du: Vector
    ) -> Vector:
        """Return the derivative along `du` with the memory held."""
        u, along = self._inputs(rows), self._inputs(du[None, :])
        return _flat(self._by_inputs(memory, time_s, 0.0, u, p, along))

    def of_start(self, u: Vector, p: Vector, du: Vector) -> Vector:
        """Return the derivative of the start's outputs along `du`."""
        return _flat(self._of_start(u, p, du))

    def _inputs(self, rows: Vector) -> Vector:
        padded = np.zeros((self._n_row, rows.shape[1]))
        padded[: len(rows)] = rows[: self._n_row]
        return padded.reshape(-1)


def _flat(value: ca.DM) -> Vector:
    return np.asarray(value.full(), dtype=np.float64).reshape(-1)
