"""Inputs that are polynomials on a step, as rows of time derivatives at its start.

Row `i` holds the i-th derivative, so that `u(t + s) = sum u_i s^i / i!` (Taylor).
Moving the origin is exact; a step map of lower order gets the polynomials of its order
that are nearest, in the mean square over each substep, and so have the same mean there.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError

__all__ = [
    "MAXIMUM_ROWS",
    "PROJECTED_SUBSTEPS",
    "input_rows",
    "is_beyond",
    "projection",
    "shifted",
    "substep_rows",
    "value_at",
]

Rows: TypeAlias = NDArray[np.float64]

MAXIMUM_ROWS = 4
"""Rows that any step map takes: value to third derivative."""

PROJECTED_SUBSTEPS = 4
"""Substeps, at least, of a step whose inputs are of higher order than the step map's.

The remaining error falls with their square.
"""


def value_at(rows: list[Any], s: Any) -> Any:
    """Return the polynomial's value `s` after the origin; numbers or symbols."""
    value = rows[-1]
    for i in range(len(rows) - 1, 0, -1):
        value = rows[i - 1] + s / i * value
    return value


def shifted(rows: Rows, s: float) -> Rows:
    """Return the same polynomial about an origin moved by `s`."""
    return np.stack([value_at(list(rows[i:]), s) for i in range(len(rows))])


@cache
def projection(n_rows: int, order: int) -> Rows:
    """Return the matrix from `n_rows` rows to the nearest polynomial of `order`.

    It holds for a substep of unit length. With the shifted Legendre
    polynomials P_k, orthogonal on [0, 1], the terms above `order` are dropped.
    """
    legendre = [
        [
            Fraction((-1) ** (k + i) * math.comb(k, i) * math.comb(k + i, i))
            for i in range(k + 1)
        ]
        for k in range(order + 1)
    ]
    matrix = np.zeros((order + 1, n_rows))
    for j in range(n_rows):
        if j <= order:
            matrix[j, j] = 1.0
            continue
        sums = [Fraction(0)] * (order + 1)
        for k, coefficients in enumerate(legendre):
            inner = sum(
                (c / (i + j + 1) for i, c in enumerate(coefficients)), Fraction(0)
            )
            for i, c in enumerate(coefficients):
                sums[i] += (2 * k + 1) * inner * c
        for i, total in enumerate(sums):
            matrix[i, j] = float(total * math.factorial(i) / math.factorial(j))
    return matrix


def is_beyond(rows: Rows, order: int) -> bool:
    """Whether the polynomial has more rows than a step map of `order` takes."""
    return len(rows) > order + 1


def substep_rows(rows: Rows, order: int, offset_s: float, length_s: float) -> Rows:
    """Return the `order + 1` rows for a substep that starts `offset_s` later."""
    if len(rows) == 1 and order == 0:
        return rows
    moved = shifted(rows, offset_s)
    if not is_beyond(rows, order):
        return np.pad(moved, ((0, order + 1 - len(rows)), (0, 0)))
    matrix = projection(len(rows), order)
    i, j = np.indices(matrix.shape)
    # A factor length^(j - i) of each entry; those below the diagonal are zero.
    scale = float(length_s) ** np.maximum(j - i, 0)
    fitted: Rows = (matrix * scale) @ moved
    return fitted


def input_rows(u: Rows, n_inputs: int, name: str) -> Rows:
    """Return inputs as rows, checked; one vector is a constant polynomial."""
    rows = np.atleast_2d(u)
    if rows.shape[1:] != (n_inputs,) or not 1 <= len(rows) <= MAXIMUM_ROWS:
        msg = (
            f"The inputs of `{name}` have shape {np.shape(u)}, expected ({n_inputs},) "
            f"or (m, {n_inputs}) with m up to {MAXIMUM_ROWS}: the values at the start "
            "of the step and their time derivatives."
        )
        raise InterfaceError(msg)
    return rows
