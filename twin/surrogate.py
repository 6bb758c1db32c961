"""The hybrid cell: conservative physics with a small smooth network, written once.

The equations below are written over an `Operations` back end and run unchanged in
CasADi (FMU, MPC) and torch (training). Symbols: `I` current (A, discharge > 0), `i`
C-rate, `x`/`y` mean stoichiometry of the negative/positive electrode, `s_k` relaxing
modes (C-rates filtered with time constant `tau_k`), `T` temperature,
`theta = 1000 (1/T - 1/T_ref)`, `e = (i, s_1 .. s_K)` the excitation.

    dx/dt   = -I / (3600 Q_n)               lithium in the negative electrode
    dy/dt   = +I / (3600 Q_p)               lithium in the positive electrode
    ds_k/dt = (i - s_k) / tau_k(T, x)       diffusion and electrolyte memory
    dH/dt   = Q - h A (T - T_coolant)       lumped heat content, T = T(H)

    x_s = x + W_x e,   y_s = y + W_y e      surface stoichiometries
    U   = U_p(y_s) - U_n(x_s) + (T - T_ref) (dU_p/dT - dU_n/dT)
    V   = U - eta_n - eta_p - W_V e         terminal voltage
    phi = U_n(x_sep) + (T - T_ref) dU_n/dT + eta_n + W_phi e      plating potential
    Q   = I (U - V) + I W_Q e - I T (dU_p/dT - dU_n/dT)  irreversible + reversible

The rows `W` are what the network returns for `(x, theta, U_n(x), U_p(y), e)`: at rest
(`e = 0`) every correction vanishes, whatever the weights, and `V` is the open-circuit
voltage exactly. `eta = 2 R T/F asinh(i / 2 i_0)` is Butler-Volmer kinetics with
symmetric transfer; `tau` and `i_0` are Arrhenius-scaled. Structure after the
single-particle model with electrolyte (S. G. Marquis et al., J. Electrochem. Soc. 166
(2019) A3693, doi:10.1149/2.0341915jes); learned corrections on physical states after
H. Tu et al., Appl. Energy 329 (2023) 120289, doi:10.1016/j.apenergy.2022.120289.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.surrogate_spec import CellConstants
from packtwin.twin.table import Table

__all__ = [
    "CORRECTIONS",
    "CellOutputs",
    "Operations",
    "cell_derivatives",
    "cell_outputs",
    "feature_count",
    "mode_rates",
]

Scalar: TypeAlias = Any
Array: TypeAlias = NDArray[np.float64]

GAS_CONSTANT_PER_FARADAY_V_per_K = 8.314462618 / 96485.33212
CORRECTIONS = (
    "surface_negative",
    "surface_positive",
    "surface_separator",
    "voltage",
    "plating",
    "heat",
)


@runtime_checkable
class Operations(Protocol):
    """What the equations need from a numerical back end."""

    def exp(self, x: Scalar) -> Scalar:
        """Return the exponential."""
        ...

    def sqrt(self, x: Scalar) -> Scalar:
        """Return the square root."""
        ...

    def asinh(self, x: Scalar) -> Scalar:
        """Return the inverse hyperbolic sine."""
        ...

    def table(self, table: Table, x: Scalar) -> Scalar:
        """Evaluate a table."""
        ...

    def network(self, label: str, features: list[Scalar]) -> Any:
        """Evaluate the network `label` (activation z / sqrt(1 + z^2)); indexable."""
        ...

    def corrections(self, features: list[Scalar], excitation: list[Scalar]) -> Any:
        """Return `W(features) e`, one entry per name in `CORRECTIONS`."""
        ...

    def weight(self, label: str) -> Any:
        """Return an indexable array of learned numbers."""
        ...


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutputs:
    """Everything the equations give at one instant."""

    voltage_V: Scalar
    ocv_V: Scalar
    soc: Scalar
    plating_potential_V: Scalar
    heat_irreversible_W: Scalar
    heat_reversible_W: Scalar
    heat_mixing_W: Scalar
    stoichiometry_negative_surface: Scalar
    stoichiometry_positive_surface: Scalar

    @property
    def heat_generation_W(self) -> Scalar:
        """Total heat, irreversible plus reversible."""
        return self.heat_irreversible_W + self.heat_reversible_W


def feature_count(n_mode: int) -> int:
    """Return the number of network features: x, theta, U_n, U_p, i and the modes."""
    return 5 + n_mode


def _theta(c: CellConstants, temperature_K: Scalar) -> Scalar:
    return 1000.0 / temperature_K - 1000.0 / c.reference_temperature_K


def mode_rates(
    ops: Operations, c: CellConstants, n_mode: int, x: Scalar, temperature_K: Scalar
) -> list[Scalar]:
    """Return `1/tau_k` in 1/s; positive whatever the weights."""
    theta = _theta(c, temperature_K)
    log_tau = ops.weight("mode_log_time_constant")
    activation = ops.weight("mode_activation_kK")
    bend = ops.network("mode", [(x - 0.5) * 2.0, theta])
    return [
        ops.exp(-(log_tau[k] + activation[k] * theta + bend[k])) for k in range(n_mode)
    ]


def _overpotential(
    ops: Operations, label: str, rate: Scalar, surface: Scalar, temperature_K: Scalar
) -> Any:
    """Butler-Volmer overpotential, V; `i_0 ~ sqrt(x_s (1 - x_s))` kept positive."""
    w = ops.weight(f"kinetics_{label}")
    theta = 1000.0 / temperature_K - 1000.0 / 298.15
    z = surface * (1.0 - surface)
    positive = 0.5 * (z + ops.sqrt(z * z + 4e-4))
    exchange = ops.exp(w[0] - w[1] * theta) * ops.sqrt(positive)
    thermal_V = GAS_CONSTANT_PER_FARADAY_V_per_K * temperature_K
    return 2.0 * thermal_V * ops.asinh(rate / (2.0 * exchange))


def cell_outputs(  # noqa: PLR0913 (the symbols of the equations)
    ops: Operations,
    c: CellConstants,
    tables: dict[str, Table],
    *,
    x: Scalar,
    y: Scalar,
    modes: list[Scalar],
    temperature_K: Scalar,
    rate: Scalar,
    current_A: Scalar,
    series_resistance_Ohm: Scalar = 0.0,
) -> CellOutputs:
    """Evaluate the algebraic part of the equations.

    Args:
        ops: Back end with the weights.
        c: Constants of the cell.
        tables: The four tables of the spec.
        x: Mean stoichiometry of the negative electrode.
        y: Mean stoichiometry of the positive electrode.
        modes: Relaxing modes, C-rates.
        temperature_K: Cell temperature.
        rate: C-rate of the (healthy) cell.
        current_A: Current.
        series_resistance_Ohm: Additional resistance of a weak cell or connection.
    """
    warm_K = temperature_K - c.reference_temperature_K
    bulk_n = ops.table(tables["ocp_negative_V"], x)
    bulk_p = ops.table(tables["ocp_positive_V"], y)
    excitation = [rate, *modes]
    features = [
        (x - 0.5) * 2.0,
        _theta(c, temperature_K),
        (bulk_n - 0.12) * 5.0,
        (bulk_p - 3.9) * 3.0,
        *excitation,
    ]
    values = ops.corrections(features, excitation)
    rows = {label: values[j] for j, label in enumerate(CORRECTIONS)}
    x_s = x + 0.1 * rows["surface_negative"]
    y_s = y + 0.1 * rows["surface_positive"]
    x_sep = x_s + 0.1 * rows["surface_separator"]
    entropy_n, entropy_p = "entropy_negative_V_per_K", "entropy_positive_V_per_K"
    s_n, s_p = ops.table(tables[entropy_n], x_s), ops.table(tables[entropy_p], y_s)
    surface_V = (
        ops.table(tables["ocp_positive_V"], y_s)
        - ops.table(tables["ocp_negative_V"], x_s)
        + warm_K * (s_p - s_n)
    )
    ocv_V = (
        bulk_p
        - bulk_n
        + warm_K * (ops.table(tables[entropy_p], y) - ops.table(tables[entropy_n], x))
    )
    eta_n = _overpotential(ops, "negative", rate, x_s, temperature_K)
    eta_p = _overpotential(ops, "positive", rate, y_s, temperature_K)
    voltage_V = (
        surface_V
        - eta_n
        - eta_p
        - 0.1 * rows["voltage"]
        - series_resistance_Ohm * current_A
    )
    plating_V = (
        ops.table(tables["ocp_negative_V"], x_sep)
        + warm_K * s_n
        + eta_n
        + 0.1 * rows["plating"]
    )
    irreversible_W = current_A * (surface_V - voltage_V + 0.1 * rows["heat"])
    span = c.negative_stoichiometry_full - c.negative_stoichiometry_empty
    return CellOutputs(
        voltage_V=voltage_V,
        ocv_V=ocv_V,
        soc=(x - c.negative_stoichiometry_empty) / span,
        plating_potential_V=plating_V,
        heat_irreversible_W=irreversible_W,
        heat_reversible_W=-current_A * temperature_K * (s_p - s_n),
        heat_mixing_W=irreversible_W - current_A * (ocv_V - voltage_V),
        stoichiometry_negative_surface=x_s,
        stoichiometry_positive_surface=y_s,
    )


def cell_derivatives(
    c: CellConstants,
    *,
    modes: list[Scalar],
    rates: list[Scalar],
    rate: Scalar,
    scaled_current_A: Scalar,
) -> tuple[Scalar, Scalar, list[Scalar]]:
    """Return `dx/dt, dy/dt, ds/dt` per second."""
    return (
        -scaled_current_A / (3600.0 * c.negative_capacity_Ah),
        scaled_current_A / (3600.0 * c.positive_capacity_Ah),
        [(rate - s) * r for s, r in zip(modes, rates, strict=True)],
    )
