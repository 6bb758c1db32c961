"""From a `SurrogateSpec` to the cell `Model` (CasADi)."""

from __future__ import annotations

from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.cell_interface import cell_interface, cell_states
from packtwin.twin.errors import InterfaceError
from packtwin.twin.model import Model, model_from_expressions, names_to_symbols
from packtwin.twin.surrogate import (
    CORRECTIONS,
    cell_derivatives,
    cell_outputs,
    feature_count,
    mode_rates,
)
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.table import Table

__all__ = ["CasadiOperations", "cell_model", "network_layers"]

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

    def table(self, table: Table, x: Any) -> Any:
        """Evaluate a table."""
        return table.casadi(x)

    def weight(self, label: str) -> Array:
        """Return an array of learned numbers."""
        return self._weights[label]

    def network(self, label: str, features: list[Any]) -> Any:
        """Evaluate a network on a column of features."""
        return _evaluate(network_layers(self._weights, label), features)

    def corrections(self, features: list[Any], excitation: list[Any]) -> Any:
        """Return `W(features) e` as a column."""
        n = len(excitation)
        *inner, (matrix, bias) = network_layers(self._weights, "closure")
        rows = np.concatenate([np.arange(n * j, n * (j + 1)) for j in self._needed])
        flat = _evaluate([*inner, (matrix[rows], bias[rows])], features)
        table = ca.reshape(flat, n, len(self._needed))
        values = ca.mtimes(table.T, ca.vertcat(*excitation))
        result = ca.MX.zeros(len(CORRECTIONS))
        result[self._needed] = values
        return result


def _evaluate(layers: list[tuple[Array, Array]], features: list[Any]) -> Any:
    z = ca.vertcat(*features)
    for k, (matrix, bias) in enumerate(layers):
        z = ca.mtimes(ca.DM(matrix), z) + ca.DM(bias)
        if k < len(layers) - 1:
            z = z / ca.sqrt(1.0 + z * z)
    return z


def _check_weights(spec: SurrogateSpec) -> None:
    n = spec.n_mode
    sizes = {
        "mode": (2, n),
        "closure": (feature_count(n), len(CORRECTIONS) * (n + 1)),
    }
    for label, wanted in sizes.items():
        layers = network_layers(spec.weights, label)
        got = (layers[0][0].shape[1], layers[-1][0].shape[0]) if layers else (0, 0)
        if got != wanted:
            msg = (
                f"Surrogate `{spec.name}`: network `{label}` maps {got[0]} to {got[1]} "
                f"numbers, expected {wanted[0]} to {wanted[1]}; it was trained by "
                "another version of packtwin, train it again."
            )
            raise InterfaceError(msg)


def cell_model(spec: SurrogateSpec) -> Model:
    """Return the cell's equations with the trained weights inside.

    Raises:
        InterfaceError: The weights do not fit the equations.
    """
    c, n = spec.constants, spec.n_mode
    _check_weights(spec)
    ops = CasadiOperations(spec.weights)
    interface, states = cell_interface(), cell_states(spec)
    x, X = names_to_symbols(states, "x", ca.MX)
    u, U = names_to_symbols(interface.inputs, "u", ca.MX)
    p, P = names_to_symbols(interface.parameters, "p", ca.MX)
    t = ca.MX.sym("t")

    modes = [X[f"mode_{k + 1}"] for k in range(n)]
    temperature_K = spec.tables["temperature_K"].casadi(X["heat_content_J"])
    scaled_A = U["current_A"] / P["capacity_factor"]
    rate = scaled_A / c.nominal_capacity_Ah
    mean_n, mean_p = X["stoichiometry_negative"], X["stoichiometry_positive"]
    out = cell_outputs(
        ops,
        c,
        spec.tables,
        x=mean_n,
        y=mean_p,
        modes=modes,
        temperature_K=temperature_K,
        rate=rate,
        current_A=U["current_A"],
        series_resistance_Ohm=P["series_resistance_Ohm"],
    )
    conductance = U["heat_transfer_coefficient_W_per_m2K"] * c.cooling_area_m2
    to_coolant_W = conductance * (temperature_K - U["coolant_temperature_K"])
    rates = mode_rates(ops, c, n, mean_n, temperature_K)
    dx, dy, ds = cell_derivatives(
        c,
        modes=modes,
        rates=rates,
        rate=rate,
        scaled_current_A=scaled_A,
    )
    dH = out.heat_generation_W - to_coolant_W
    names = [v.name for v in states]
    span_n = c.negative_stoichiometry_full - c.negative_stoichiometry_empty
    span_p = c.positive_stoichiometry_full - c.positive_stoichiometry_empty
    initial = [
        c.negative_stoichiometry_empty + P["start_soc"] * span_n,
        c.positive_stoichiometry_empty + P["start_soc"] * span_p,
        *([0.0] * n),
        spec.tables["heat_content_J"].casadi(P["start_temperature_K"]),
    ]
    relaxation = [
        0.0,
        0.0,
        *[-r for r in rates],
        -conductance / c.heat_capacity_J_per_K,
    ]
    outputs = {
        "voltage_V": out.voltage_V,
        "ocv_V": out.ocv_V,
        "soc": out.soc,
        "temperature_K": temperature_K,
        "plating_potential_V": out.plating_potential_V,
        "heat_generation_W": out.heat_generation_W,
        "heat_reversible_W": out.heat_reversible_W,
        "heat_mixing_W": out.heat_mixing_W,
        "heat_cell_to_coolant_W": to_coolant_W,
        "chemical_power_W": out.ocv_V * U["current_A"]
        + out.heat_mixing_W
        + out.heat_reversible_W,
        "electrical_power_W": out.voltage_V * U["current_A"],
        "stoichiometry_negative_surface": out.stoichiometry_negative_surface,
        "stoichiometry_positive_surface": out.stoichiometry_positive_surface,
        "stoichiometry_negative_mean": mean_n,
        "stoichiometry_positive_mean": mean_p,
        "stored_heat_J": X["heat_content_J"],
    }
    return model_from_expressions(
        spec.name,
        interface,
        states,
        symbols=(t, x, u, p),
        rhs=dict(zip(names, [dx, dy, *ds, dH], strict=True)),
        outputs=outputs,
        initial=dict(zip(names, initial, strict=True)),
        relaxation=dict(zip(names, relaxation, strict=True)),
    )
