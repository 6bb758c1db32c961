"""Natural cubic splines whose values at the nodes are symbols to be found."""

from __future__ import annotations

from typing import Any

import casadi as ca
import numpy as np
import numpy.typing as npt

__all__ = ["natural_spline", "spline_expression"]


def natural_spline(
    at: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the natural cubic spline through values `v` at the nodes `at`.

    It is `line[0] v + line[1] v (s - at[0]) + sum_j cubes[j] v max(s - at[j], 0)^3`,
    so straight before the first node and, by the conditions, after the last.

    Returns:
        `cubes` of shape `(n, n)` and `line` of shape `(2, n)`.
    """
    n = len(at)
    system = np.zeros((n + 2, n + 2))
    for i in range(n):
        system[i, 0], system[i, 1] = 1.0, at[i] - at[0]
        system[i, 2:] = np.maximum(at[i] - at, 0.0) ** 3
    system[n, 2:] = 1.0
    system[n + 1, 2:] = at
    solved = np.linalg.solve(system, np.vstack([np.eye(n), np.zeros((2, n))]))
    return np.asarray(solved[2:], float), np.asarray(solved[:2], float)


def spline_expression(at: npt.NDArray[np.float64], values: Any, s: Any) -> Any:
    """Return that spline as a CasADi expression.

    Args:
        at: The nodes, increasing.
        values: Symbols or numbers, one per node.
        s: Where to evaluate it.
    """
    cubes, line = natural_spline(at)
    bases = [1.0, s - float(at[0])]
    bases += [ca.fmax(s - float(node), 0.0) ** 3 for node in at]
    weights = ca.mtimes(ca.DM(np.vstack([line, cubes])), ca.vertcat(*values))
    return ca.dot(ca.vertcat(*bases), weights)
