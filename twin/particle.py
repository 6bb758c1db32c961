"""`Particle`: diffusion of lithium in one electrode's particle; nothing is learned.

Finite volumes in a sphere of radius 1, shells graded towards the surface. The flux
between two shells is the difference of `phi(s) = integral of D(s) ds` (Kirchhoff
transform), the exact mean of a diffusivity that changes by orders of magnitude with
the stoichiometry `s`. With `V_j` the shells' shares of the volume,

    V_j ds_j/dt = a_j f(T) (phi(s_(j+1)) - phi(s_j)) - (the same one shell below)
    V_N ds_N/dt = r                - (the same one shell below)

where `r` is the rate of the mean stoichiometry, 1/s. A step is linearly implicit (E.
Hairer, G. Wanner, Solving Ordinary Differential Equations II, 1996,
doi:10.1007/978-3-642-05221-7, IV.9): stable for every length, and the sum over
`V_j s_j` changes by `h r` exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import final

import numpy as np

from packtwin.twin.errors import InterfaceError
from packtwin.twin.operations import Operations, Scalar
from packtwin.twin.table import Table

__all__ = [
    "Particle",
    "graded_particle",
    "mean_of",
    "particle_rates",
    "particle_step",
    "surface_of",
]

# The diffusivity at the surface, of the table's mean, is kept above it.
_LEAST_DIFFUSIVITY = 2e-3
# The surface differs from the outermost shell by less than this times `s (1 - s)`, so
# that it stays where the open-circuit potential is known; not quite zero at the ends.
_ROOM, _LEAST_ROOM = 1.5, 0.01


@final
@dataclass(frozen=True, kw_only=True)
class Particle:
    """Shells and time scale of one particle.

    Attributes:
        faces: Radii of the shells' faces over the particle's, 0 to 1, shape
            `(n_shell + 1,)`.
        rate_per_s: Scale of the diffusivity over the radius squared: `phi` is a table
            that rises by 1 over its range.
    """

    faces: tuple[float, ...]
    rate_per_s: float

    def __post_init__(self) -> None:
        """Refuse shells that are none."""
        r = self.faces
        if len(r) < 4 or r[0] != 0.0 or r[-1] != 1.0 or min(np.diff(r)) <= 0.0:
            msg = (
                f"A particle's faces are {r}; expected at least 4 radii that rise "
                "from 0 to 1."
            )
            raise InterfaceError(msg)

    @property
    def n_shell(self) -> int:
        """Number of shells."""
        return len(self.faces) - 1

    @cached_property
    def shares(self) -> tuple[float, ...]:
        """Volume of each shell over the particle's; the sum is 1."""
        return tuple(b**3 - a**3 for a, b in pairwise(self.faces))

    @cached_property
    def couplings_per_s(self) -> tuple[float, ...]:
        """The `a_j` between neighbouring shells."""
        centres = [0.5 * (a + b) for a, b in pairwise(self.faces)]
        return tuple(
            3.0 * face**2 * self.rate_per_s / (b - a)
            for face, (a, b) in zip(self.faces[1:-1], pairwise(centres), strict=True)
        )

    @property
    def middle(self) -> int:
        """The shell whose state stands for the inside."""
        return self.n_shell // 2

    @property
    def skin(self) -> float:
        """Distance of the outermost shell's centre from the surface."""
        return 0.5 * (self.faces[-1] - self.faces[-2])


def graded_particle(n_shell: int, stretch: float, rate_per_s: float) -> Particle:
    """Return shells whose widths fall by `exp(-stretch)` towards the surface."""
    q = np.linspace(0.0, 1.0, n_shell + 1)
    faces = q if stretch == 0.0 else np.expm1(-stretch * q) / np.expm1(-stretch)
    faces[0], faces[-1] = 0.0, 1.0
    return Particle(faces=tuple(float(r) for r in faces), rate_per_s=rate_per_s)


def mean_of(particle: Particle, shells: list[Scalar]) -> Scalar:
    """Return the mean stoichiometry."""
    return sum(v * s for v, s in zip(particle.shares, shells, strict=True))


def _net(particle: Particle, flows: list[Scalar]) -> list[Scalar]:
    """Return what each shell gains, given the flows inwards across inner faces."""
    n = particle.n_shell
    return [
        ((flows[j] if j < n - 1 else 0.0) - (flows[j - 1] if j else 0.0))
        / particle.shares[j]
        for j in range(n)
    ]


def particle_rates(
    ops: Operations,
    particle: Particle,
    phi: Table,
    shells: list[Scalar],
    *,
    factor: Scalar,
    mean_rate_per_s: Scalar,
) -> list[Scalar]:
    """Return `ds/dt` of every shell.

    Args:
        ops: Back end.
        particle: Its shells.
        phi: Integral of the diffusivity.
        shells: Stoichiometries, innermost first.
        factor: Diffusivity relative to the reference temperature's.
        mean_rate_per_s: Rate of the mean stoichiometry.
    """
    value = [ops.table(phi, s) for s in shells]
    flows = [
        a * factor * (upper - lower)
        for a, (lower, upper) in zip(
            particle.couplings_per_s, pairwise(value), strict=True
        )
    ]
    rates = _net(particle, flows)
    rates[-1] = rates[-1] + mean_rate_per_s / particle.shares[-1]
    return rates


def particle_step(
    ops: Operations,
    particle: Particle,
    phi: Table,
    shells: list[Scalar],
    *,
    factor: Scalar,
    h: Scalar,
) -> tuple[list[Scalar], list[Scalar]]:
    """Return the shells after a step as `(base, slope)`: `base + slope * r`.

    The step is affine in the rate `r` of the mean stoichiometry, so that a search for
    a current needs it only once.

    Args:
        ops: Back end.
        particle: Its shells.
        phi: Integral of the diffusivity.
        shells: Stoichiometries, innermost first.
        factor: Diffusivity relative to the reference temperature's.
        h: Length of the step, s.
    """
    n, shares = particle.n_shell, particle.shares
    pairs = [ops.table_with_slope(phi, s) for s in shells]
    weights = [a * factor * h for a in particle.couplings_per_s]
    flows = [w * (pairs[j + 1][0] - pairs[j][0]) for j, w in enumerate(weights)]
    right = _net(particle, flows)
    d = [slope for _, slope in pairs]
    # Rows of I - h J: V_j on the diagonal, one neighbour to each side.
    diagonal = [
        1.0
        + ((weights[j] if j < n - 1 else 0.0) + (weights[j - 1] if j else 0.0))
        * d[j]
        / shares[j]
        for j in range(n)
    ]
    upper = [-w * d[j + 1] / shares[j] for j, w in enumerate(weights)]
    lower = [-w * d[j] / shares[j + 1] for j, w in enumerate(weights)]
    inverse = [1.0 / diagonal[0]]
    for j in range(1, n):
        m = lower[j - 1] * inverse[j - 1]
        inverse.append(1.0 / (diagonal[j] - m * upper[j - 1]))
        right[j] = right[j] - m * right[j - 1]
    change, slope = right[-1] * inverse[-1], h / shares[-1] * inverse[-1]
    changes, slopes = [change], [slope]
    for j in range(n - 2, -1, -1):
        change = (right[j] - upper[j] * change) * inverse[j]
        slope = -upper[j] * slope * inverse[j]
        changes.append(change)
        slopes.append(slope)
    base = [s + c for s, c in zip(shells, reversed(changes), strict=True)]
    return base, list(reversed(slopes))


def surface_of(
    ops: Operations,
    particle: Particle,
    phi: Table,
    outer: Scalar,
    *,
    factor: Scalar,
    mean_rate_per_s: Scalar,
) -> Scalar:
    """Return the stoichiometry at the surface, from that of the outermost shell.

    Args:
        ops: Back end.
        particle: Its shells.
        phi: Integral of the diffusivity.
        outer: Stoichiometry of the outermost shell.
        factor: Diffusivity relative to the reference temperature's.
        mean_rate_per_s: Rate of the mean stoichiometry.
    """
    d = ops.table_with_slope(phi, outer)[1]
    kept = 0.5 * (d + ops.sqrt(d * d + 4.0 * _LEAST_DIFFUSIVITY**2))
    rise = mean_rate_per_s * (particle.skin / (3.0 * particle.rate_per_s))
    rise = rise / (factor * kept)
    room = _ROOM * outer * (1.0 - outer)
    square = room * room + _LEAST_ROOM**2
    return outer + rise * ops.sqrt(square / (square + rise * rise))
