"""`BoundStep`: a step map's functions bound to fixed vectors, so that calls are cheap.

CasADi converts arguments and results of a call from Python, which takes 30 to 100 us; a
call with buffers, made once, takes a tenth of a microsecond and a few copies.
"""

from __future__ import annotations

from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.step_map import StepMap

__all__ = ["BoundStep"]

Vector: TypeAlias = NDArray[np.float64]


@final
class BoundStep:
    """A step map to be called often, from one thread at a time.

    It takes single steps with constant inputs: no substeps, no checks.
    """

    def __init__(self, step_map: StepMap) -> None:
        """Bind both functions of a step map."""
        self._start = _Bound(step_map.initialize)
        self._step = _Bound(step_map.step)

    def start(self, u: Vector, p: Vector) -> tuple[Vector, Vector]:
        """Return the memory and the outputs at the start time."""
        memory, y = self._start(u, p)
        return memory, y

    def step(
        self, memory: Vector, t: float, h: float, u: Vector, p: Vector
    ) -> tuple[Vector, Vector]:
        """Return the memory and the outputs after `h` seconds from time `t`."""
        after, y = self._step(memory, t, h, u, p)
        return after, y


@final
class _Bound:
    def __init__(self, function: ca.Function) -> None:
        n_in, n_out = function.n_in(), function.n_out()
        self._given = [np.zeros(function.nnz_in(i)) for i in range(n_in)]
        self._found = [np.zeros(function.nnz_out(i)) for i in range(n_out)]
        made: Any = function.buffer()  # its stubs know no buffers
        self._buffer, self._call = made
        for i, vector in enumerate(self._given):
            self._buffer.set_arg(i, memoryview(vector))  # type: ignore[arg-type]
        for i, vector in enumerate(self._found):
            self._buffer.set_res(i, memoryview(vector))  # type: ignore[arg-type]

    def __call__(self, *arguments: Any) -> list[Vector]:
        for vector, value in zip(self._given, arguments, strict=True):
            vector[...] = value
        self._call()
        return [vector.copy() for vector in self._found]
