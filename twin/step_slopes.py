"""How the outputs of a step map change at once: with time and with the inputs."""

from __future__ import annotations

from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.function_call import FunctionCall
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
        along_time = ca.jtimes(y, h, ca.MX(1.0))
        along_inputs = ca.jtimes(y, u, du)
        at_start = ca.jtimes(start_y, start_u, start_du)
        self._by_time, self._by_inputs, self._of_start = (
            FunctionCall(ca.Function(name, arguments, [result]))
            for name, arguments, result in (
                ("by_time", [m, t, h, u, p], along_time),
                ("by_inputs", [m, t, h, u, p, du], along_inputs),
                ("of_start", [start_u, p, start_du], at_start),
            )
        )

    def by_time(self, memory: Vector, time_s: float, rows: Vector, p: Vector) -> Vector:
        """Return dy/dt with inputs on the Taylor polynomial `rows`."""
        return self._by_time(memory, time_s, 0.0, self._inputs(rows), p)[0]

    def by_inputs(
        self, memory: Vector, time_s: float, rows: Vector, p: Vector, du: Vector
    ) -> Vector:
        """Return the derivative along `du` with the memory held."""
        u, along = self._inputs(rows), self._inputs(du[None, :])
        return self._by_inputs(memory, time_s, 0.0, u, p, along)[0]

    def of_start(self, u: Vector, p: Vector, du: Vector) -> Vector:
        """Return the derivative of the start's outputs along `du`."""
        return self._of_start(u, p, du)[0]

    def _inputs(self, rows: Vector) -> Vector:
        padded = np.zeros((self._n_row, rows.shape[1]))
        padded[: len(rows)] = rows[: self._n_row]
        return padded.reshape(-1)
