"""Vectors that are polynomials of time, given by their derivatives at one moment.

Row k of shape `(m, n)` is the k-th time derivative, as FMI gives input derivatives.
"""

from __future__ import annotations

from functools import cache
from math import factorial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["evaluate_taylor", "shift_taylor"]

Vector: TypeAlias = NDArray[np.float64]


def evaluate_taylor(rows: Vector, h: float) -> Vector:
    """Return the values `h` seconds later."""
    value: Vector = rows[-1]
    for k in range(len(rows) - 1, 0, -1):
        value = rows[k - 1] + (h / k) * value
    return value


def shift_taylor(rows: Vector, h: float) -> Vector:
    """Return the derivatives of the same polynomials `h` seconds later."""
    powers, factors = _shift_weights(len(rows))
    shifted: Vector = (h**powers * factors) @ rows
    return shifted


@cache
def _shift_weights(m: int) -> tuple[NDArray[np.int64], Vector]:
    """Return powers of h and their factors: `h^(j-k)/(j-k)!` in row k, column j."""
    ahead = np.arange(m)[None, :] - np.arange(m)[:, None]
    factors = [[1.0 / factorial(j) if j >= 0 else 0.0 for j in row] for row in ahead]
    return np.maximum(ahead, 0), np.array(factors)
