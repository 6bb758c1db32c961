"""Smooth one-dimensional tables as piecewise cubics on a uniform grid.

The same coefficients are evaluated by CasADi, torch and NumPy with the same operations
in the same order, so that the runtimes agree to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.casadi_kernels import table_piece
from packtwin.twin.errors import InterfaceError

__all__ = ["Table", "fit_table"]

Array: TypeAlias = NDArray[np.float64]

_BITS = 32


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A twice continuously differentiable cubic spline; its end pieces extrapolate.

    Attributes:
        lower: First grid point.
        upper: Last grid point.
        coefficients: Shape `(n_piece, 4)`; piece `i` is
            `c0 + w (c1 + w (c2 + w c3))` with `w` the position within it, 0..1.
    """

    lower: float
    upper: float
    coefficients: Array

    @property
    def scale(self) -> float:
        """Pieces per unit of the argument."""
        return len(self.coefficients) / (self.upper - self.lower)

    def rounded(self) -> Table:
        """Return the table in fixed point: multiples of 2^-32 of its largest value.

        That takes half of the room where it is compressed. Pieces still meet exactly:
        sums of such multiples have no rounding error. Of a rounded table it is the
        same one.
        """
        largest = float(np.abs(self.coefficients[:, 0]).max())
        if not 0.0 < largest < np.inf:
            return self
        unit = 2.0 ** (math.ceil(math.log2(largest)) - _BITS)
        c = np.round(self.coefficients / unit) * unit
        c[:-1, 1] = c[1:, 0] - c[:-1, 0] - c[:-1, 2] - c[:-1, 3]
        return Table(lower=self.lower, upper=self.upper, coefficients=c)

    def casadi(self, x: Any) -> Any:
        """Evaluate at every element of a row of MX expressions."""
        return self.casadi_with_slope(x)[0]

    def casadi_with_slope(self, x: Any) -> tuple[Any, Any]:
        """Evaluate the table and its derivative at every element of a row."""
        flat = ca.DM(self.coefficients.reshape(-1))
        value, slope = table_piece(x, self.lower, self.scale, flat)
        return value, slope

    def numpy(self, x: Array) -> Array:
        """Evaluate at an array."""
        s = (np.asarray(x) - self.lower) * self.scale
        i = np.clip(np.floor(s), 0, len(self.coefficients) - 1)
        w = s - i
        c = self.coefficients[i.astype(int)]
        return np.asarray(c[..., 0] + w * (c[..., 1] + w * (c[..., 2] + w * c[..., 3])))


def fit_table(x: Array, y: Array, n_piece: int = 200) -> Table:
    """Fit the natural cubic spline through `n_piece + 1` samples of `(x, y)`.

    The end pieces are made to continue linearly outside the grid.

    Args:
        x: Increasing arguments, shape `(n,)`.
        y: Values, shape `(n,)`; interpolated linearly between the samples, so give
            at least as many samples as pieces.
        n_piece: Number of pieces.
    """
    if len(x) != len(y) or len(x) < 2 or np.any(np.diff(x) <= 0):
        msg = "A table needs at least two samples with strictly increasing arguments."
        raise InterfaceError(msg)
    lower, upper = float(x[0]), float(x[-1])
    values = np.interp(np.linspace(lower, upper, n_piece + 1), x, y)
    n = n_piece + 1
    # Second derivatives (per piece squared) of the natural spline: tridiagonal solve.
    matrix = np.zeros((n, n))
    right = np.zeros(n)
    matrix[0, 0] = matrix[-1, -1] = 1.0
    for i in range(1, n - 1):
        matrix[i, i - 1 : i + 2] = 1.0, 4.0, 1.0
        right[i] = 6.0 * (values[i + 1] - 2.0 * values[i] + values[i - 1])
    second = np.linalg.solve(matrix, right)
    c0 = values[:-1]
    c2 = second[:-1] / 2.0
    c3 = (second[1:] - second[:-1]) / 6.0
    c1 = values[1:] - values[:-1] - c2 - c3
    inner = np.stack([c0, c1, c2, c3], axis=1)
    slope_end = c1[-1] + 2 * c2[-1] + 3 * c3[-1]
    width = (upper - lower) / n_piece
    first = np.array([[values[0] - c1[0], c1[0], 0.0, 0.0]])
    last = np.array([[values[-1], slope_end, 0.0, 0.0]])
    return Table(
        lower=lower - width,
        upper=upper + width,
        coefficients=np.concatenate([first, inner, last]),
    )
