"""The hybrid cell's equations in CasADi: the back end."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

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

    def corrections(self, features: list[Any], excitation: list[Any]) -> Any:
        """Return `W(features) e` as a column."""
        n = len(excitation)
        *inner, (matrix, bias) = network_layers(self._weights, "closure")
        rows = np.concatenate([np.arange(n * j, n * (j + 1)) for j in self._needed])
        flat = casadi_network(
            [*inner, (matrix[rows], bias[rows])], ca.vertcat(*features)
        )
        table = ca.reshape(flat, n, len(self._needed))
        values = ca.mtimes(table.T, ca.vertcat(*excitation))
        result = ca.MX.zeros(len(CORRECTIONS))
        result[self._needed] = values
        return result

    def bounds(self, features: list[Any]) -> tuple[Any, Any]:
        """Return the bounds of voltage and plating potential."""
        layers = network_layers(self._weights, "bound")
        if not layers:
            return ca.MX(UNKNOWN_BOUND_V), ca.MX(UNKNOWN_BOUND_V)
        bound_V = ca.exp(casadi_network(layers, ca.vertcat(*features))) * ca.DM(
            self._weights["bound_factor"]
        )
        return bound_V[0], bound_V[1]

    def distance(self, features: list[Any]) -> Any:
        """Return the distance from the states learned from."""
        w = self._weights
        if "guard_matrix" not in w:
            return ca.MX(UNKNOWN_DISTANCE)
        spread = ca.mtimes(ca.DM(w["guard_matrix"]), ca.vertcat(*features))
        gap = ca.reshape(spread - ca.DM(w["guard_offset"]), len(features), -1)
        likelihood = ca.DM(w["guard_constant"]) - 0.5 * ca.sum1(gap * gap).T
        # CasADi's own `logsumexp` (3.8.1) overflows for arguments that are far apart.
        most = ca.mmax(likelihood)
        energy = -most - ca.log(ca.sum1(ca.exp(likelihood - most)))
        low, high = w["guard_range"]
        return (energy - low) / (high - low)


def casadi_network(layers: list[tuple[Array, Array]], z: Any) -> Any:
    """Return a network of linear layers with `z / sqrt(1 + z^2)` between them."""
    for k, (matrix, bias) in enumerate(layers):
        if k:
            z = z / ca.sqrt(1.0 + z * z)
        z = ca.mtimes(ca.DM(matrix), z) + ca.DM(bias)
    return z
