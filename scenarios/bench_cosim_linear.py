"""Linear components with exact steps on polynomial inputs, and the two-mass problem."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from packtwin.cosim.connection import Connection
from packtwin.cosim.system import System
from packtwin.twin.component import Capabilities, StepReport, seconds
from packtwin.twin.errors import StepError
from packtwin.twin.variable import Interface, Variable

Vector: TypeAlias = NDArray[np.float64]

STIFFNESS, DAMPING, COUPLING, DURATION_S = 2.0, 0.1, 1.0, 20.0
CUBIC = Capabilities(can_rewind=True, input_order=3, has_output_derivatives=True)


class LinearComponent:
    """x' = A x + B u, y = C x + D u, without error for Taylor rows of inputs."""

    def __init__(
        self,
        name: str,
        matrices: tuple[Any, Any, Any, Any],
        start: list[float],
        inputs: tuple[Variable, ...],
        outputs: tuple[Variable, ...],
        capabilities: Capabilities = CUBIC,
        *,
        lies: bool = False,
    ) -> None:
        """Make a component; one that lies does not restore what it saved."""
        self.name, self.capabilities, self._lies = name, capabilities, lies
        self.a, self.b, self.c, self.d = (
            np.atleast_2d(np.array(m, float)) for m in matrices
        )
        self.interface = Interface(inputs=inputs, outputs=outputs)
        self.feedthrough = frozenset(
            (u.name, y.name)
            for i, y in enumerate(outputs)
            for k, u in enumerate(inputs)
            if self.d[i, k]
        )
        self._start = np.array(start, float)
        self._known: dict[tuple[float, int], Vector] = {}
        self.step_count = 0

    def initialize(self, tick: int, u: Vector) -> Vector:
        """Start over."""
        self._x, self._u = self._start.copy(), u[None, :].copy()
        return self._outputs()

    def _outputs(self) -> Vector:
        y: Vector = self.c @ self._x + self.d @ self._u[0]
        return y

    def step(self, tick: int, end_tick: int, u: Vector) -> StepReport:
        """Advance without error."""
        self.step_count += 1
        rows = np.atleast_2d(u)
        if len(rows) > self.capabilities.input_order + 1:
            msg = f"`{self.name}` got {len(rows)} rows; it promised to take fewer."
            raise StepError(msg)
        n_x, n_u, m = len(self._x), rows.shape[1], len(rows)
        h = seconds(end_tick - tick)
        if (h, m) not in self._known:
            big = np.zeros((n_x + m * n_u,) * 2)
            big[:n_x, :n_x], big[:n_x, n_x : n_x + n_u] = self.a, self.b
            for k in range(m - 1):
                at = n_x + k * n_u
                big[at : at + n_u, at + n_u : at + 2 * n_u] = np.eye(n_u)
            self._known[h, m] = expm(big * h)
        now = self._known[h, m] @ np.concatenate([self._x, rows.ravel()])
        self._x, self._u = now[:n_x], now[n_x:].reshape(m, n_u)
        return StepReport(outputs=self._outputs(), end_tick=end_tick)

    def output_derivatives(self) -> Vector:
        """Return dy/dt."""
        slope = self._u[1] if len(self._u) > 1 else 0.0 * self._u[0]
        rate = self.a @ self._x + self.b @ self._u[0]
        dy: Vector = self.c @ rate + self.d @ slope
        return dy

    def directional_derivative(self, du: Vector) -> Vector:
        """Return the direct feedthrough of `du`."""
        dy: Vector = self.d @ du
        return dy

    def save(self) -> tuple[Vector, Vector]:
        """Return the state."""
        return self._x.copy(), self._u.copy()

    def restore(self, state: tuple[Vector, Vector]) -> None:
        """Go back, unless it lies."""
        if not self._lies:
            self._x, self._u = state[0].copy(), state[1].copy()

    def close(self) -> None:
        """Nothing to free."""


def mass(
    name: str, start_m: float, capabilities: Capabilities = CUBIC, *, lies: bool = False
) -> LinearComponent:
    """X'' = -2 x - 0.1 x' + u of a unit mass; u is the other's displacement."""
    matrices = (
        [[0.0, 1.0], [-STIFFNESS, -DAMPING]],
        [[0.0], [COUPLING]],
        [[1.0, 0.0]],
        [[0.0]],
    )
    return LinearComponent(
        name,
        matrices,
        [start_m, 0.0],
        (Variable(name="neighbour_m"),),
        (Variable(name="displacement_m"),),
        capabilities,
        lies=lies,
    )


def two_masses(
    left: Capabilities = CUBIC, right: Capabilities = CUBIC, *, lies: bool = False
) -> System:
    """Two masses, coupled by what each says of its displacement."""
    return System(
        [mass("left", 1.0, left, lies=lies), mass("right", 0.0, right)],
        [
            Connection("left.displacement_m", "right.neighbour_m"),
            Connection("right.displacement_m", "left.neighbour_m"),
        ],
    )


def exact_displacements(time_s: Vector) -> Vector:
    """Matrix exponential of the coupled system by its eigenvectors."""
    k, d, c = STIFFNESS, DAMPING, COUPLING
    a = np.array([[0, 1, 0, 0], [-k, -d, c, 0], [0, 0, 0, 1], [c, 0, -k, -d]])
    rates, modes = np.linalg.eig(a)
    weights = np.linalg.solve(modes, np.array([1.0, 0.0, 0.0, 0.0]))
    states = (modes * weights) @ np.exp(np.outer(rates, time_s))
    exact: Vector = states.real[[0, 2]].T
    return exact
