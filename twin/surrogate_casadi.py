"""The hybrid cell's equations in CasADi: the back end.

A `Scalar` of the equations is a row here, one element per cell: the equations of
several cells are evaluated at once.
"""

from __future__ import annotations

from functools import reduce
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.casadi_kernels import squashed
from packtwin.twin.surrogate import CORRECTIONS
from packtwin.twin.table import Table
from packtwin.twin.trust import UNKNOWN_BOUND_V, UNKNOWN_DISTANCE

__all__ = ["CasadiOperations", "casadi_network", "network_layers"]

Array: TypeAlias = NDArray[np.float64]


def network_layers(weights: dict[str, Array], label: str) -> list[tuple[Array, Array]]:
    """Return the `(matrix, bias)` pairs of a network, input side first."""
    layers: list[tuple[Array, Array]] = []
    while f"{label}_matrix_{len(layers)}" in weights:
        k = len(layers)
        layers.append((weights[f"{label}_matrix_{k}"], weights[f"{label}_bias_{k}"]))
    return layers


@final
class CasadiOperations:
    """The equations' back end in CasADi MX."""

    def __init__(
        self, weights: dict[str, Array], needed: tuple[str, ...] = CORRECTIONS
    ) -> None:
        """Take the learned arrays.

        Args:
            weights: Of the spec.
            needed: Corrections to evaluate; the others are returned as zero.
        """
        self._weights = weights
        self._needed = [CORRECTIONS.index(label) for label in needed]

    def exp(self, x: Any) -> Any:
        """Return the exponential."""
        return ca.exp(x)

    def sqrt(self, x: Any) -> Any:
        """Return the square root."""
        return ca.sqrt(x)

    def asinh(self, x: Any) -> Any:
        """Return the inverse hyperbolic sine."""
        return ca.asinh(x)

    def expm1(self, x: Any) -> Any:
        """Return `exp(x) - 1`."""
        return ca.expm1(x)

    def table(self, table: Table, x: Any) -> Any:
        """Evaluate a table."""
        return table.casadi(x)

    def table_with_slope(self, table: Table, x: Any) -> tuple[Any, Any]:
        """Evaluate a table and its derivative."""
        return table.casadi_with_slope(x)

    def weight(self, label: str) -> Array:
        """Return an array of learned numbers."""
        return self._weights[label]

    def corrections(self, features: list[Any], excitation: list[Any]) -> list[Any]:
        """Return `W(features) e`, one row per correction."""
        n = len(excitation)
        *inner, (matrix, bias) = network_layers(self._weights, "closure")
        rows = np.concatenate([np.arange(n * j, n * (j + 1)) for j in self._needed])
        flat = casadi_network(
            [*inner, (matrix[rows], bias[rows])], ca.vertcat(*features)
        )
        given = ca.vertcat(*excitation)
        result = [ca.MX.zeros(1, given.shape[1]) for _ in CORRECTIONS]
        for k, j in enumerate(self._needed):
            result[j] = ca.sum1(flat[n * k : n * (k + 1), :] * given)
        return result

    def bounds(self, features: list[Any]) -> tuple[Any, Any]:
        """Return the bounds of voltage and plating potential."""
        z, w = ca.vertcat(*features), self._weights
        layers = network_layers(w, "bound")
        if not layers:
            return (UNKNOWN_BOUND_V * ca.MX.ones(1, z.shape[1]),) * 2
        bound_V = ca.exp(casadi_network(layers, z))
        if "bound_floor" in w:
            bound_V = bound_V + _columns(w["bound_floor"], z)
        bound_V = bound_V * _columns(w["bound_factor"], z)
        return bound_V[0, :], bound_V[1, :]

    def distance(self, features: list[Any], pace_K_per_s: Any) -> Any:
        """Return the distance from the states learned from."""
        w, z = self._weights, ca.vertcat(*features)
        distances = []
        if "guard_matrix" in w:
            distances.append(_scaled(self._strangeness(z), w["guard_range"]))
        if "risk_range" in w:
            risk = casadi_network(network_layers(w, "risk"), z)
            distances.append(_scaled(risk, w["risk_range"]))
        if "pace_range" in w:
            distances.append(_scaled(ca.fabs(pace_K_per_s), w["pace_range"]))
        if not distances:
            return UNKNOWN_DISTANCE * ca.MX.ones(1, z.shape[1])
        return reduce(ca.fmax, distances)

    def _strangeness(self, z: Any) -> Any:
        """Return the negative log-likelihood under the mixture."""
        w, (n, n_cell) = self._weights, z.shape
        spread = ca.mtimes(ca.DM(w["guard_matrix"]), z)
        gap = ca.reshape(spread - _columns(w["guard_offset"], z), n, -1)
        squares = ca.reshape(ca.sum1(gap * gap), -1, n_cell)
        likelihood = ca.vertsplit(_columns(w["guard_constant"], z) - 0.5 * squares)
        # CasADi's own `logsumexp` (3.8.1) overflows for arguments that are far apart.
        most = reduce(ca.fmax, likelihood)
        return -most - ca.log(sum(ca.exp(row - most) for row in likelihood))


def _columns(values: Array, z: Any) -> Any:
    """Return a column once for every column of `z`."""
    return ca.repmat(ca.DM(values), 1, z.shape[1])


def _scaled(value: Any, ends: Array) -> Any:
    low, high = ends
    return (value - low) / (high - low)


def casadi_network(layers: list[tuple[Array, Array]], z: Any) -> Any:
    """Return a network of linear layers with `z / sqrt(1 + z^2)` between them.

    Args:
        layers: Matrices and biases.
        z: One column per cell.
    """
    for k, (matrix, bias) in enumerate(layers):
        if k:
            z = squashed(z)
        z = ca.mtimes(ca.DM(matrix), z) + _columns(bias, z)
    return z
