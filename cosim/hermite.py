"""Polynomials that carry signals over a step.

A polynomial is given as Taylor rows: row k is its k-th time derivative at the start of
the step, one column per signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["difference_weights", "hermite_rows", "quadratic_rows"]

Vector: TypeAlias = NDArray[np.float64]


def hermite_rows(
    y0: Vector, d0: Vector, y1: Vector, d1: Vector, h: float
) -> tuple[Vector, Vector, Vector, Vector]:
    """Return the cubic with values `y` and derivatives `d` at both ends of `h`."""
    rise = (y1 - y0) / h
    curvature = (6.0 * rise - 4.0 * d0 - 2.0 * d1) / h
    return y0, d0, curvature, (6.0 * (d0 + d1) - 12.0 * rise) / (h * h)


def quadratic_rows(y0: Vector, y1: Vector, d1: Vector, h: float) -> Vector:
    """Return the parabola with both values and the derivative at the end of `h`."""
    rise = (y1 - y0) / h
    curvature = 2.0 * (d1 - rise) / h
    return np.array([y0, d1 - curvature * h, curvature, np.zeros_like(y0)])


def difference_weights(times: Sequence[float], at: float) -> Vector:
    """Return weights of values at distinct times for the derivative at `at`.

    B. Fornberg, Math. Comput. 51 (1988) 699-706, doi:10.1090/S0025-5718-1988-0935077-0.
    """
    n = len(times)
    weights = np.zeros((n, 2))
    weights[0, 0] = 1.0
    c1, c4 = 1.0, times[0] - at
    for i in range(1, n):
        c2, c5, c4 = 1.0, c4, times[i] - at
        for j in range(i):
            c3 = times[i] - times[j]
            c2 *= c3
            if j == i - 1:
                weights[i, 1] = c1 * (weights[i - 1, 0] - c5 * weights[i - 1, 1]) / c2
                weights[i, 0] = -c1 * c5 * weights[i - 1, 0] / c2
            weights[j, 1] = (c4 * weights[j, 1] - weights[j, 0]) / c3
            weights[j, 0] = c4 * weights[j, 0] / c3
        c1 = c2
    first: Vector = weights[:, 1]
    return first
