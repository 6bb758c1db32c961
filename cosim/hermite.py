"""Polynomials that carry signals over a step, and how poorer inputs get them.

A polynomial is given as Taylor rows: row k is its k-th time derivative at the start of
the step, one column per signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import factorial
from typing import TypeAlias

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray

__all__ = ["difference_weights", "hermite_rows", "project_rows", "quadratic_rows"]

Vector: TypeAlias = NDArray[np.float64]


def hermite_rows(y0: Vector, d0: Vector, y1: Vector, d1: Vector, h: float) -> Vector:
    """Return the cubic with values `y` and derivatives `d` at both ends of `h`."""
    rise = (y1 - y0) / h
    curvature = (6.0 * rise - 4.0 * d0 - 2.0 * d1) / h
    return np.array([y0, d0, curvature, (6.0 * (d0 + d1) - 12.0 * rise) / (h * h)])


def quadratic_rows(y0: Vector, y1: Vector, d1: Vector, h: float) -> Vector:
    """Return the parabola with both values and the derivative at the end of `h`."""
    rise = (y1 - y0) / h
    curvature = 2.0 * (d1 - rise) / h
    return np.array([y0, d1 - curvature * h, curvature, np.zeros_like(y0)])


def project_rows(rows: Vector, h: float, order: int) -> Vector:
    """Return the nearest polynomial of a lower order over `h`, in the mean square.

    It has the same mean over `h`: what a flow carries is kept. Order 0 is the mean.
    """
    m = len(rows)
    if m <= order + 1:
        return rows
    inverse = np.array([1.0 / factorial(k) for k in range(m)])
    scaled = rows * (h ** np.arange(m) * inverse)[:, None]
    low: Vector = _projection(m, order) @ scaled
    low /= (h ** np.arange(order + 1) * inverse[: order + 1])[:, None]
    return low


@cache
def _projection(m: int, order: int) -> Vector:
    """Matrix on coefficients of powers on [0, 1]: cut off Legendre's series."""
    # Column k of `to_power` holds Legendre's k-th polynomial shifted to [0, 1].
    to_power = np.zeros((m, m))
    shift = np.polynomial.Polynomial([-1.0, 2.0])
    for k in range(m):
        power = np.polynomial.Polynomial(legendre.leg2poly(np.eye(m)[k]))(shift)
        to_power[: len(power.coef), k] = power.coef
    to_legendre = np.linalg.inv(to_power)
    low: Vector = to_power[: order + 1, : order + 1] @ to_legendre[: order + 1]
    return low


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
