"""Solve `w = sweep(w)`: Anderson's acceleration, and Newton where signals loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Newton", "Solution", "solve_by_anderson"]

Vector: TypeAlias = NDArray[np.float64]
Sweep: TypeAlias = Callable[[Vector], Vector]

_DEPTH = 8
_SINGULAR = 1e-7  # of the largest singular value or one; differences know no better


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """How a solve ended.

    Attributes:
        values: `w`, the last argument of `sweep`.
        result: `sweep(w)`.
        residual: Largest difference of the two.
        worst: Where it is.
        iteration_count: Corrections that were made.
        is_converged: Whether the residual is small enough.
        is_singular: The equations have no unique solution.
    """

    values: Vector
    result: Vector
    residual: float
    worst: int
    iteration_count: int
    is_converged: bool
    is_singular: bool = False


def solve_by_anderson(
    sweep: Sweep, w: Vector, tolerance: float, iteration_limit: int
) -> Solution:
    """Iterate with Anderson's acceleration; all entries are of order one.

    D. G. Anderson, J. ACM 12 (1965) 547-560, doi:10.1145/321296.321305. H. F. Walker,
    P. Ni, SIAM J. Numer. Anal. 49 (2011) 1715-1735, doi:10.1137/10078356X.
    """
    result = sweep(w)
    residual = result - w
    d_result: list[Vector] = []
    d_residual: list[Vector] = []
    for k in range(iteration_limit):
        if _is_small(residual, w, tolerance):
            return _solution(w, result, k, is_converged=True)
        w = result
        if d_residual:
            columns = np.array(d_residual).T
            weights = np.linalg.lstsq(columns, residual, rcond=1e-10)[0]
            w = result - np.array(d_result).T @ weights
        last_result, last_residual = result, residual
        result = sweep(w)
        residual = result - w
        d_result = [*d_result, result - last_result][-_DEPTH:]
        d_residual = [*d_residual, residual - last_residual][-_DEPTH:]
    is_converged = _is_small(residual, w, tolerance)
    return _solution(w, result, iteration_limit, is_converged=is_converged)


@final
class Newton:
    """Newton's method whose Jacobian is kept and corrected from step to step.

    C. G. Broyden, Math. Comput. 19 (1965) 577-593,
    doi:10.1090/S0025-5718-1965-0198670-6. It is made anew when it no longer helps.

    Attributes:
        jacobian: Of the residual `sweep(w) - w`; None until it is needed.
    """

    def __init__(self) -> None:
        self.jacobian: Vector | None = None

    def forget(self) -> None:
        """Drop the Jacobian: the next solve is another problem."""
        self.jacobian = None

    def solve(
        self,
        sweep: Sweep,
        w: Vector,
        tolerance: float,
        iteration_limit: int,
        differentiate: Callable[[Vector, Vector], Vector],
    ) -> Solution:
        """Solve.

        Args:
            sweep: What maps `w` to its next value; all entries are of order one.
            w: First guess.
            tolerance: Largest residual, relative where an entry exceeds one.
            iteration_limit: Corrections at most.
            differentiate: `(w, sweep(w))` to the Jacobian of `sweep`.
        """
        result = sweep(w)
        residual = result - w
        for k in range(iteration_limit):
            size = np.abs(residual).max(initial=0.0)
            if _is_small(residual, w, tolerance):
                return _solution(w, result, k, is_converged=True)
            is_new = self.jacobian is None
            if self.jacobian is None:
                self.jacobian = differentiate(w, result) - np.eye(len(w))
            if is_new and _is_singular(self.jacobian):
                self.jacobian = None
                return _solution(w, result, k, is_converged=False, is_singular=True)
            change = -np.linalg.lstsq(self.jacobian, residual, rcond=None)[0]
            w = w + change
            result = sweep(w)
            after = result - w
            if not is_new and np.abs(after).max(initial=0.0) > 0.5 * size:
                self.jacobian = None
            else:
                gap = after - residual - self.jacobian @ change
                self.jacobian += np.outer(gap, change) / max(change @ change, 1e-300)
            residual = after
        is_converged = _is_small(residual, w, tolerance)
        return _solution(w, result, iteration_limit, is_converged=is_converged)


def _is_small(residual: Vector, w: Vector, tolerance: float) -> bool:
    return bool((np.abs(residual) <= tolerance * np.maximum(1.0, np.abs(w))).all())


def _is_singular(jacobian: Vector) -> bool:
    sizes = np.linalg.svd(jacobian, compute_uv=False)
    return bool(sizes[-1] <= _SINGULAR * max(1.0, sizes[0]))


def _solution(
    w: Vector,
    result: Vector,
    iteration_count: int,
    *,
    is_converged: bool,
    is_singular: bool = False,
) -> Solution:
    residual = np.abs(result - w)
    return Solution(
        values=w,
        result=result,
        residual=float(residual.max(initial=0.0)),
        worst=int(residual.argmax()) if residual.size else 0,
        iteration_count=iteration_count,
        is_converged=is_converged,
        is_singular=is_singular,
    )
