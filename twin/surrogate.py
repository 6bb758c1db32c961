"""The hybrid cell: conservative physics with a small smooth network, written once.

The equations below are written over an `Operations` back end and run unchanged in
CasADi (FMU, MPC) and torch (training). Symbols: `I` current (A, discharge > 0), `i`
C-rate, `x_j`/`y_j` stoichiometries of the shells of one negative/positive particle,
`x`/`y` their means, `m_k` relaxing modes (C-rates filtered with time constant `tau_k`),
`T` temperature, `theta = 1000 (1/T - 1/T_ref)`.

    dx_j/dt = diffusion, driven by r_n = -I / (3600 Q_n)    see `particle`
    dy_j/dt = diffusion, driven by r_p = +I / (3600 Q_p)
    dm_k/dt = (i - m_k) exp(-a theta) / tau_k               electrolyte, reaction front
    dH/dt   = Q - h A (T - T_coolant)                       lumped heat, T = T(H)

    U   = U_p(y_s) - U_n(x_s) + (T - T_ref) (dU_p/dT - dU_n/dT)
    V   = U - eta_n - eta_p - W_V e - R I                   terminal voltage
    phi = U_n(x_s) + (T - T_ref) dU_n/dT + eta_n + W_phi e  plating potential
    Q   = I (U - V) - I T (dU_p/dT - dU_n/dT) + I W_Q e     irreversible + reversible

`x_s`, `y_s` are the particles' surfaces. `e` is the excitation: the C-rate, the modes,
differences between surface, inside and mean, the overpotentials; all of it vanishes at
rest, and with it every correction, whatever the weights: `V` is then the open-circuit
voltage exactly. The rows `W` are what the network returns for the state. `eta =
2 R T/F asinh(i / 2 i_0)` is Butler-Volmer kinetics with symmetric transfer and an
Arrhenius-scaled `i_0`. Nothing learned changes lithium or its diffusion; only the heat
leads back from the network to a state.

Two more outputs say how far the others can be trusted: a bound of the error, a small
network of its own, and the distance from the states learned from, which needs the heat
balance and is taken beside it; see `trust`.

Structure after the single-particle model with electrolyte (S. G. Marquis et al., J.
Electrochem. Soc. 166 (2019) A3693, doi:10.1149/2.0341915jes); learned corrections on
physical states after H. Tu et al., Appl. Energy 329 (2023) 120289,
doi:10.1016/j.apenergy.2022.120289.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from packtwin.twin.operations import Operations, Scalar
from packtwin.twin.surrogate_core import (
    SIDES,
    CoreView,
    Potentials,
    inverse_temperature,
)
from packtwin.twin.surrogate_spec import CellConstants

__all__ = [
    "CORRECTIONS",
    "CellOutputs",
    "ClosureInputs",
    "cell_outputs",
    "closure_inputs",
    "count_excitations",
    "count_features",
]

GAS_CONSTANT_PER_FARADAY_V_per_K = 8.314462618 / 96485.33212
CORRECTIONS = ("voltage", "plating", "heat")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CellOutputs:
    """Everything the equations give at one instant."""

    voltage_V: Scalar
    ocv_V: Scalar
    plating_potential_V: Scalar
    heat_generation_W: Scalar
    heat_reversible_W: Scalar
    voltage_bound_V: Scalar
    plating_bound_V: Scalar
    features: list[Scalar]

    @property
    def heat_irreversible_W(self) -> Scalar:
        """Total heat less the reversible one."""
        return self.heat_generation_W - self.heat_reversible_W


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ClosureInputs:
    """The network's features, what its rows are applied to, the overpotentials."""

    features: list[Scalar]
    excitation: list[Scalar]
    eta_n_V: Scalar
    eta_p_V: Scalar


def count_features(n_mode: int) -> int:
    """Return the number of the network's features."""
    return 11 + n_mode


def count_excitations(n_mode: int) -> int:
    """Return the number of quantities that the network's rows are applied to."""
    return 10 + 2 * n_mode


def _overpotential(
    ops: Operations,
    c: CellConstants,
    label: str,
    *,
    rate: Scalar,
    surface: Scalar,
    temperature_K: Scalar,
) -> Scalar:
    """Butler-Volmer overpotential, V; `i_0 ~ sqrt(x_s (1 - x_s))` kept positive."""
    w = ops.weight(f"kinetics_{label}")
    z = surface * (1.0 - surface)
    positive = 0.5 * (z + ops.sqrt(z * z + 4e-4))
    exchange = ops.exp(w[0] - w[1] * inverse_temperature(c, temperature_K)) * ops.sqrt(
        positive
    )
    thermal_V = GAS_CONSTANT_PER_FARADAY_V_per_K * temperature_K
    return 2.0 * thermal_V * ops.asinh(rate / (2.0 * exchange))


def closure_inputs(
    ops: Operations,
    c: CellConstants,
    view: CoreView,
    known: Potentials,
    *,
    temperature_K: Scalar,
    scaled_current_A: Scalar,
) -> ClosureInputs:
    """Return what the network sees and what its rows are applied to.

    Args:
        ops: Back end with the weights of the kinetics.
        c: Constants of the cell.
        view: Of the core.
        known: Potentials of that view.
        temperature_K: Cell temperature.
        scaled_current_A: Current of a cell of the certified capacity.
    """
    k, i = known, scaled_current_A / c.nominal_capacity_Ah
    theta = inverse_temperature(c, temperature_K)
    eta_n, eta_p = (
        _overpotential(
            ops, c, label, rate=i, surface=surface, temperature_K=temperature_K
        )
        for label, surface in zip(SIDES, (k.x_surface, k.y_surface), strict=True)
    )
    viscous = ops.exp(c.mode_activation_kK * theta)
    half = 0.5 * viscous
    return ClosureInputs(
        features=[
            (view.x - 0.5) * 2.0,
            (view.y - 0.6) * 3.0,
            theta,
            (k.mean_n_V - 0.12) * 5.0,
            (k.surface_n_V - 0.12) * 5.0,
            (k.middle_n_V - 0.12) * 5.0,
            (k.surface_p_V - 3.9) * 3.0,
            i,
            5.0 * eta_n,
            5.0 * eta_p,
            ops.asinh(i * viscous),
            *view.modes,
        ],
        excitation=[
            i,
            *view.modes,
            (k.x_surface - view.x) * 5.0,
            (k.y_surface - view.y) * 5.0,
            (view.x_middle - view.x) * 5.0,
            0.2 * k.slope_n_V * i,
            (k.surface_n_V - k.mean_n_V) * 3.0,
            (k.surface_n_V - k.middle_n_V) * 3.0,
            5.0 * eta_n,
            5.0 * eta_p,
            half * i,
            *[half * m for m in view.modes],
        ],
        eta_n_V=eta_n,
        eta_p_V=eta_p,
    )


def cell_outputs(  # noqa: PLR0913 (the symbols of the equations)
    ops: Operations,
    c: CellConstants,
    view: CoreView,
    known: Potentials,
    *,
    temperature_K: Scalar,
    current_A: Scalar,
    scaled_current_A: Scalar,
    series_resistance_Ohm: Scalar = 0.0,
) -> CellOutputs:
    """Evaluate the closure: all that is learned.

    Args:
        ops: Back end with the weights.
        c: Constants of the cell.
        view: Of the core.
        known: Potentials of that view.
        temperature_K: Cell temperature.
        current_A: Current.
        scaled_current_A: Current of a cell of the certified capacity.
        series_resistance_Ohm: Additional resistance of a weak cell or connection.
    """
    given = closure_inputs(
        ops,
        c,
        view,
        known,
        temperature_K=temperature_K,
        scaled_current_A=scaled_current_A,
    )
    rows = ops.corrections(given.features, given.excitation)
    voltage_bound_V, plating_bound_V = ops.bounds(given.features)
    k, eta_n, eta_p = known, given.eta_n_V, given.eta_p_V
    warm_K = temperature_K - c.reference_temperature_K
    entropy = k.entropy_p_V_per_K - k.entropy_n_V_per_K
    surface_V = k.surface_p_V - k.surface_n_V + warm_K * entropy
    voltage_V = (
        surface_V - eta_n - eta_p - 0.1 * rows[0] - series_resistance_Ohm * current_A
    )
    reversible_W = -current_A * temperature_K * entropy
    loss_W = current_A * (surface_V - voltage_V + 0.1 * rows[2])
    return CellOutputs(
        voltage_V=voltage_V,
        ocv_V=k.mean_p_V - k.mean_n_V + warm_K * k.mean_entropy_V_per_K,
        plating_potential_V=k.surface_n_V
        + warm_K * k.entropy_n_V_per_K
        + eta_n
        + 0.1 * rows[1],
        heat_generation_W=loss_W + reversible_W,
        heat_reversible_W=reversible_W,
        voltage_bound_V=voltage_bound_V,
        plating_bound_V=plating_bound_V,
        features=given.features,
    )
