"""The hybrid cell's equations in CasADi: the back end."""

from __future__ import annotations

from functools import reduce
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
        bound_V = ca.exp(casadi_network(layers, ca.vertcat(*features)))
        if "bound_floor" in self._weights:
            bound_V = bound_V + ca.DM(self._weights["bound_floor"])
        bound_V = bound_V * ca.DM(self._weights["bound_factor"])
        return bound_V[0], bound_V[1]

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
            return ca.MX(UNKNOWN_DISTANCE)
        return reduce(ca.fmax, distances)

    def _strangeness(self, z: Any) -> Any:
        """Return the negative log-likelihood under the mixture."""
        w = self._weights
        spread = ca.mtimes(ca.DM(w["guard_matrix"]), z)
        gap = ca.reshape(spread - ca.DM(w["guard_offset"]), z.numel(), -1)
        likelihood = ca.DM(w["guard_constant"]) - 0.5 * ca.sum1(gap * gap).T
        # CasADi's own `logsumexp` (3.8.1) overflows for arguments that are far apart.
        most = ca.mmax(likelihood)
        return -most - ca.log(ca.sum1(ca.exp(likelihood - most)))


def _scaled(value: Any, ends: Array) -> Any:
    low, high = ends
    return (value - low) / (high - low)


def casadi_network(layers: list[tuple[Array, Array]], z: Any) -> Any:
    """Return a network of linear layers with `z / sqrt(1 + z^2)` between them."""
    for k, (matrix, bias) in enumerate(layers):
        if k:
            z = z / ca.sqrt(1.0 + z * z)
        z = ca.mtimes(ca.DM(matrix), z) + ca.DM(bias)
    return z
