"""The core of the hybrid cell: its states, which nothing learned moves.

Shells of one particle per electrode (see `particle`) and relaxing modes of the current,
as the equations of `surrogate` name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from packtwin.twin.operations import Operations, Scalar
from packtwin.twin.particle import (
    Particle,
    mean_of,
    particle_rates,
    particle_step,
    surface_of,
)
from packtwin.twin.surrogate_spec import CellConstants
from packtwin.twin.table import Table

__all__ = [
    "CORE_VIEW",
    "SIDES",
    "CoreView",
    "Potentials",
    "core_rates",
    "core_step",
    "heating_time",
    "inverse_temperature",
    "potentials",
    "rest_core",
    "view_core",
]

SIDES = ("negative", "positive")
CORE_VIEW = ("x", "x_middle", "x_outer", "y", "y_outer")  # of `CoreView`, but the modes


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CoreView:
    """What the closure sees of the core; every field is linear in the core's states.

    Attributes:
        x: Mean stoichiometry of the negative electrode.
        x_middle: Of a shell inside its particle.
        x_outer: Of its outermost shell.
        y: Mean stoichiometry of the positive electrode.
        y_outer: Of its particle's outermost shell.
        modes: Relaxing modes, C-rates.
    """

    x: Scalar
    x_middle: Scalar
    x_outer: Scalar
    y: Scalar
    y_outer: Scalar
    modes: list[Scalar]

    def flat(self) -> list[Scalar]:
        """Return all fields in one list."""
        return [getattr(self, name) for name in CORE_VIEW] + list(self.modes)

    @classmethod
    def of_flat(cls, values: Sequence[Scalar]) -> CoreView:
        """Return the view of such a list."""
        n = len(CORE_VIEW)
        named = dict(zip(CORE_VIEW, values[:n], strict=True))
        return cls(**named, modes=list(values[n:]))


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Potentials:
    """Surfaces and open-circuit potentials of a view; nothing here is learned."""

    x_surface: Scalar
    y_surface: Scalar
    mean_n_V: Scalar
    mean_p_V: Scalar
    middle_n_V: Scalar
    surface_n_V: Scalar
    slope_n_V: Scalar
    surface_p_V: Scalar
    mean_entropy_V_per_K: Scalar
    entropy_n_V_per_K: Scalar
    entropy_p_V_per_K: Scalar


def inverse_temperature(c: CellConstants, temperature_K: Scalar) -> Scalar:
    """Return `theta = 1000 (1/T - 1/T_ref)`."""
    return 1000.0 / temperature_K - 1000.0 / c.reference_temperature_K


def _mode_rates(
    ops: Operations, c: CellConstants, temperature_K: Scalar
) -> list[Scalar]:
    """Return `1/tau_k` in 1/s at a temperature."""
    speed = ops.exp(-c.mode_activation_kK * inverse_temperature(c, temperature_K))
    return [speed / tau for tau in c.mode_time_constants_s]


def _sides(
    c: CellConstants, tables: dict[str, Table], scaled_A: Scalar
) -> list[tuple[Particle, Table, Table, Scalar]]:
    """Return particle, `phi`, diffusion factor and rate of either electrode."""
    particles = (c.negative_particle, c.positive_particle)
    capacities = (-c.negative_capacity_Ah, c.positive_capacity_Ah)
    return [
        (p, tables[f"flux_{s}"], tables[f"diffusion_{s}"], scaled_A / (3600.0 * q))
        for s, p, q in zip(SIDES, particles, capacities, strict=True)
    ]


def core_rates(
    ops: Operations,
    c: CellConstants,
    tables: dict[str, Table],
    core: list[Scalar],
    *,
    temperature_K: Scalar,
    scaled_current_A: Scalar,
) -> list[Scalar]:
    """Return the time derivatives of the core's states.

    Args:
        ops: Back end.
        c: Constants of the cell.
        tables: Tables of the spec.
        core: Shells of the negative, of the positive particle, modes.
        temperature_K: Cell temperature.
        scaled_current_A: Current of a cell of the certified capacity.
    """
    shells, rates = _parts(c, core), []
    sides = _sides(c, tables, scaled_current_A)
    for part, (particle, phi, factor, rate) in zip(shells, sides, strict=False):
        rates += particle_rates(
            ops,
            particle,
            phi,
            part,
            factor=ops.table(factor, temperature_K),
            mean_rate_per_s=rate,
        )
    c_rate = scaled_current_A / c.nominal_capacity_Ah
    speeds = _mode_rates(ops, c, temperature_K)
    return rates + [(c_rate - m) * r for m, r in zip(shells[2], speeds, strict=True)]


def core_step(
    ops: Operations,
    c: CellConstants,
    tables: dict[str, Table],
    core: list[Scalar],
    *,
    temperature_K: Scalar,
    h: Scalar,
) -> tuple[list[Scalar], list[Scalar]]:
    """Return the core's states after a step as `base + slope * scaled_current_A`.

    Args:
        ops: Back end.
        c: Constants of the cell.
        tables: Tables of the spec.
        core: Shells of the negative, of the positive particle, modes.
        temperature_K: Cell temperature during the step.
        h: Length of the step, s.
    """
    parts, bases, slopes = _parts(c, core), [], []
    sides = _sides(c, tables, 1.0)
    for part, (particle, phi, factor, rate) in zip(parts, sides, strict=False):
        base, slope = particle_step(
            ops, particle, phi, part, factor=ops.table(factor, temperature_K), h=h
        )
        bases += base
        slopes += [rate * s for s in slope]
    for mode, speed in zip(parts[2], _mode_rates(ops, c, temperature_K), strict=True):
        gain = -ops.expm1(-h * speed)
        bases.append(mode - gain * mode)
        slopes.append(gain / c.nominal_capacity_Ah)
    return bases, slopes


def _parts(c: CellConstants, core: list[Scalar]) -> list[list[Scalar]]:
    """Return negative shells, positive shells and modes."""
    n, p = c.negative_particle.n_shell, c.positive_particle.n_shell
    return [core[:n], core[n : n + p], core[n + p :]]


def rest_core(c: CellConstants, soc: Scalar) -> list[Scalar]:
    """Return the core of a cell at rest at a state of charge."""
    x, y = c.stoichiometries(soc)
    n, p = c.negative_particle.n_shell, c.positive_particle.n_shell
    return [x] * n + [y] * p + [0.0 * x] * len(c.mode_time_constants_s)


def view_core(c: CellConstants, core: list[Scalar]) -> CoreView:
    """Return what the closure sees of a core (or of a core's slope)."""
    x, y, modes = _parts(c, core)
    return CoreView(
        x=mean_of(c.negative_particle, x),
        x_middle=x[c.negative_particle.middle],
        x_outer=x[-1],
        y=mean_of(c.positive_particle, y),
        y_outer=y[-1],
        modes=modes,
    )


def potentials(
    ops: Operations,
    c: CellConstants,
    tables: dict[str, Table],
    view: CoreView,
    *,
    temperature_K: Scalar,
    scaled_current_A: Scalar,
) -> Potentials:
    """Evaluate surfaces and tables."""
    surfaces = [
        surface_of(
            ops,
            particle,
            phi,
            outer,
            factor=ops.table(factor, temperature_K),
            mean_rate_per_s=rate,
        )
        for outer, (particle, phi, factor, rate) in zip(
            (view.x_outer, view.y_outer),
            _sides(c, tables, scaled_current_A),
            strict=True,
        )
    ]
    x_s, y_s = surfaces
    ocp_n, ocp_p = tables["ocp_negative_V"], tables["ocp_positive_V"]
    s_n, s_p = tables["entropy_negative_V_per_K"], tables["entropy_positive_V_per_K"]
    surface_n, slope_n = ops.table_with_slope(ocp_n, x_s)
    return Potentials(
        x_surface=x_s,
        y_surface=y_s,
        mean_n_V=ops.table(ocp_n, view.x),
        mean_p_V=ops.table(ocp_p, view.y),
        middle_n_V=ops.table(ocp_n, view.x_middle),
        surface_n_V=surface_n,
        slope_n_V=slope_n,
        surface_p_V=ops.table(ocp_p, y_s),
        mean_entropy_V_per_K=ops.table(s_p, view.y) - ops.table(s_n, view.x),
        entropy_n_V_per_K=ops.table(s_n, x_s),
        entropy_p_V_per_K=ops.table(s_p, y_s),
    )


def heating_time(
    ops: Operations, c: CellConstants, *, conductance_W_per_K: Scalar, h: Scalar
) -> Scalar:
    """Return the time, s, by which the net heat flow at the start changes the heat.

    Exact for constant heat generation and capacity: `(1 - e^-a) / a * h` with
    `a = h G / C`.
    """
    a = h * conductance_W_per_K / c.heat_capacity_J_per_K + 1e-9
    return -h * ops.expm1(-a) / a
