"""`FunctionCall`: a CasADi function called with arrays, without conversions.

CasADi's own call turns arrays into its matrices and back, which costs tens of
microseconds. The results have the same bits.
"""

from __future__ import annotations

import threading
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

__all__ = ["FunctionCall"]

Vector: TypeAlias = NDArray[np.float64]


@final
class FunctionCall:
    """A function of vectors; may be called by several threads at once."""

    def __init__(self, function: ca.Function) -> None:
        """Take the function.

        Args:
            function: Its arguments are dense; results are made so.
        """
        self._function = _dense(function)
        self._own = threading.local()

    def __call__(self, *arguments: Vector | float) -> tuple[Vector, ...]:
        """Return the results as new vectors.

        Raises:
            RuntimeError: It cannot be evaluated there.
        """
        buffer, run, given, found = self._buffers()
        for place, value in zip(given, arguments, strict=True):
            place[...] = value
        run()
        if buffer.ret():
            msg = f"`{self._function.name()}` cannot be evaluated there."
            raise RuntimeError(msg)
        return tuple(vector.copy() for vector in found)

    def _buffers(self) -> tuple[Any, Any, list[Vector], list[Vector]]:
        try:
            known: tuple[Any, Any, list[Vector], list[Vector]] = self._own.buffers
        except AttributeError:
            known = self._own.buffers = self._make_buffers()
        return known

    def _make_buffers(self) -> tuple[Any, Any, list[Vector], list[Vector]]:
        function = self._function
        bound: Any = function.buffer()
        buffer, run = bound
        given = [np.zeros(function.numel_in(i)) for i in range(function.n_in())]
        found = [np.zeros(function.numel_out(i)) for i in range(function.n_out())]
        for i, vector in enumerate(given):
            if vector.size:
                buffer.set_arg(i, vector.data)
        for i, vector in enumerate(found):
            if vector.size:
                buffer.set_res(i, vector.data)
        return buffer, run, given, found


def _dense(function: ca.Function) -> ca.Function:
    if all(function.sparsity_out(i).is_dense() for i in range(function.n_out())):
        return function
    arguments = function.mx_in()
    results = [ca.densify(r) for r in function.call(arguments)]
    return ca.Function(function.name(), arguments, results)
