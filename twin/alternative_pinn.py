"""A physics-informed network over time, start, current and temperature.

Two networks in torch: one gives the stoichiometries of both particles' shells at a time
`t` after a rest, the other the overpotentials. The first is held to the diffusion of
the single-particle model (see `particle`) by the residual of its equations at random
points, the voltages of both to data. After M. Raissi, P. Perdikaris, G. E. Karniadakis,
J. Comput. Phys. 378 (2019) 686-707, doi:10.1016/j.jcp.2018.10.045.

What it cannot do: the current is a number among its inputs, not a function of time. It
answers a constant current from rest and nothing else: after the first change of the
current, or after the longest time it learned, its answer is nan. A state that could be
handed to the next step does not exist, so there is no step map of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from packtwin.twin.alternative import FitPlan
from packtwin.twin.alternative_batch import batch_runs
from packtwin.twin.alternative_descent import Network, descend, masked_loss
from packtwin.twin.alternative_pinn_hold import hold_of, holds_of, samples_of
from packtwin.twin.particle import Particle, particle_rates, surface_of
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.table import Table
from packtwin.twin.trajectory import Trajectory

__all__ = ["Pinn", "PinnModule", "PinnPredictor", "particle_residual"]

Array: TypeAlias = NDArray[np.float64]

_LEARNING_RATE = 4e-3
_PHYSICS_WEIGHT = 10.0
_LONGEST_S = 3600.0
_RATES, _THETAS = (-3.0, 3.0), (-0.25, 0.5)
_SETTLE_S = 5.0
_PASSES = 5  # between voltage and temperature


@final
@dataclass(frozen=True, slots=True)
class Pinn:
    """Fits the physics-informed network.

    Attributes:
        name: Name in tables.
        hidden: Width of the layers.
        points: Random points per iteration at which the residual is formed.
        samples: Samples of the data per iteration.
    """

    name: str = "pinn"
    hidden: int = 48
    points: int = 2048
    samples: int = 4096

    def fit(
        self, spec: SurrogateSpec, runs: Sequence[Trajectory], plan: FitPlan
    ) -> PinnPredictor:
        """Train on the first constant current of every run; see `Alternative.fit`."""
        torch.manual_seed(plan.seed)
        module = PinnModule(spec, self.hidden)
        columns, targets = (
            torch.tensor(rows, dtype=torch.float32)
            for rows in samples_of(spec.constants, holds_of(runs))
        )
        generator = torch.Generator().manual_seed(plan.seed)
        every = torch.ones(min(self.samples, len(targets)), dtype=torch.bool)

        def loss(_share: float) -> Tensor:
            pick = torch.randint(len(targets), (len(every),), generator=generator)
            data = masked_loss(module(columns[pick]) - targets[pick], every)
            points = _points(self.points, generator)
            return data + _PHYSICS_WEIGHT * module.residual(points).square().mean()

        descend(module, loss, plan, learning_rate=_LEARNING_RATE)
        share = batch_runs(spec, runs).heat_share
        return PinnPredictor(self.name, spec, module, heat_share=share)


def _points(count: int, generator: torch.Generator) -> Tensor:
    """Return random arguments at which charge is left, shape `(n, 4)`."""
    u = torch.rand(count, 4, generator=generator)
    time_s = _LONGEST_S ** u[:, 0]
    c_rate = _RATES[0] + u[:, 1] * (_RATES[1] - _RATES[0])
    used = c_rate * time_s / 3600.0
    soc = used.clamp(min=0.0) + u[:, 2] * (1.0 - used.abs())
    theta = _THETAS[0] + u[:, 3] * (_THETAS[1] - _THETAS[0])
    return torch.stack([time_s, soc, c_rate, theta], dim=-1)[used.abs() < 1.0]


def particle_residual(
    ops: TorchOperations,
    particle: Particle,
    phi: Table,
    shells: list[Tensor],
    slopes: list[Tensor],
    *,
    factor: Any,
    mean_rate_per_s: Any,
) -> Tensor:
    """Return how far shells miss their diffusion, shape `(n, shell)`.

    Each row of `ds/dt - rate` is weighted by its shell's share of the volume and
    scaled by the mean rate at 1C of a whole particle per hour.

    Args:
        ops: Back end.
        particle: Its shells.
        phi: Integral of the diffusivity.
        shells: Stoichiometries, innermost first.
        slopes: Their derivatives over time, 1/s.
        factor: Diffusivity relative to the reference temperature's.
        mean_rate_per_s: Rate of the mean stoichiometry.
    """
    rates = particle_rates(
        ops, particle, phi, shells, factor=factor, mean_rate_per_s=mean_rate_per_s
    )
    rows = [
        3600.0 * share * (slope - rate)
        for share, slope, rate in zip(particle.shares, slopes, rates, strict=True)
    ]
    return torch.stack(rows, dim=-1)


@final
class PinnModule(nn.Module):
    """Both networks; arguments are columns time, start SOC, C-rate, theta."""

    def __init__(self, spec: SurrogateSpec, hidden: int) -> None:
        super().__init__()
        self.spec, self.ops = spec, TorchOperations({}, dtype=torch.float32)
        c = spec.constants
        self.n_negative = c.negative_particle.n_shell
        n_shell = self.n_negative + c.positive_particle.n_shell
        self.shells = Network(5, hidden, hidden, n_shell, gain=0.1)
        self.drops = Network(5, hidden, hidden, 2, gain=0.1)

    def _features(self, columns: Tensor) -> tuple[Tensor, Tensor]:
        """Return the networks' inputs and their derivatives over time."""
        time_s, soc, c_rate, theta = columns.unbind(-1)
        late = torch.log1p(time_s / 10.0)
        values = [late - 3.0, time_s / 900.0 - 1.0, 4.0 * (soc - 0.5), c_rate]
        zero = torch.zeros_like(time_s)
        slopes = [1.0 / (10.0 + time_s), zero + 1.0 / 900.0, zero, zero, zero]
        return torch.stack([*values, 4.0 * theta], -1), torch.stack(slopes, -1)

    def _particles(
        self, columns: Tensor
    ) -> list[tuple[Particle, str, list[Tensor], list[Tensor], Tensor]]:
        """Return particle, name, shells, their slopes and the mean's rate of each.

        The mean is counted charge, whatever the network says, and the start is even.
        """
        c = self.spec.constants
        time_s, soc, c_rate, _ = columns.unbind(-1)
        values, slopes = self.shells.forward_with_slope(*self._features(columns))
        settled = time_s / (time_s + _SETTLE_S)
        settling = _SETTLE_S / (time_s + _SETTLE_S) ** 2
        found, begin = [], 0
        for side, particle, mean, rate in _means(c, soc, c_rate, time_s):
            part = slice(begin, begin + particle.n_shell)
            begin = part.stop
            shares = torch.tensor(particle.shares, dtype=values.dtype)
            dent = values[:, part] - (values[:, part] @ shares)[:, None]
            slope = slopes[:, part] - (slopes[:, part] @ shares)[:, None]
            gain = 0.1 * c_rate[:, None]
            shells = mean[:, None] + gain * settled[:, None] * dent
            change = settling[:, None] * dent + settled[:, None] * slope
            change = rate[:, None] + gain * change
            found.append(
                (
                    particle,
                    side,
                    list(shells.unbind(-1)),
                    list(change.unbind(-1)),
                    rate,
                )
            )
        return found

    def _factor(self, side: str, temperature_K: Tensor) -> Tensor:
        return self.ops.table(self.spec.tables[f"diffusion_{side}"], temperature_K)

    def _temperature_K(self, columns: Tensor) -> Tensor:
        reference_K = self.spec.constants.reference_temperature_K
        return 1000.0 / (columns[:, 3] + 1000.0 / reference_K)

    def residual(self, columns: Tensor) -> Tensor:
        """Return the residuals of all shells at arguments, shape `(n, shell)`."""
        temperature_K = self._temperature_K(columns)
        rows = [
            particle_residual(
                self.ops,
                particle,
                self.spec.tables[f"flux_{side}"],
                shells,
                slopes,
                factor=self._factor(side, temperature_K),
                mean_rate_per_s=rate,
            )
            for particle, side, shells, slopes, rate in self._particles(columns)
        ]
        return torch.cat(rows, dim=-1)

    def forward(self, columns: Tensor) -> Tensor:
        """Return voltage and plating potential, shape `(n, 2)`."""
        temperature_K, tables = self._temperature_K(columns), self.spec.tables
        warm_K = temperature_K - self.spec.constants.reference_temperature_K
        potentials = []
        for particle, side, shells, _, rate in self._particles(columns):
            surface = surface_of(
                self.ops,
                particle,
                tables[f"flux_{side}"],
                shells[-1],
                factor=self._factor(side, temperature_K),
                mean_rate_per_s=rate,
            )
            entropy = self.ops.table(tables[f"entropy_{side}_V_per_K"], surface)
            rest_V = self.ops.table(tables[f"ocp_{side}_V"], surface)
            potentials.append(rest_V + warm_K * entropy)
        negative_V, positive_V = potentials
        drops = self.drops(self._features(columns)[0])
        c_rate = columns[:, 2]
        voltage_V = positive_V - negative_V - 0.05 * c_rate * (1.0 + drops[:, 0])
        plating_V = negative_V + 0.05 * c_rate * (0.5 + drops[:, 1])
        return torch.stack([voltage_V, plating_V], dim=-1)


def _means(
    c: CellConstants, soc: Tensor, c_rate: Tensor, time_s: Tensor
) -> list[tuple[str, Particle, Tensor, Tensor]]:
    """Return name, particle, mean stoichiometry and its rate of both electrodes."""
    sides = (
        ("negative", c.negative_particle, -c.negative_capacity_Ah),
        ("positive", c.positive_particle, c.positive_capacity_Ah),
    )
    found = []
    for side, particle, capacity in sides:
        empty = getattr(c, f"{side}_stoichiometry_empty")
        full = getattr(c, f"{side}_stoichiometry_full")
        rate = c_rate * (c.nominal_capacity_Ah / (3600.0 * capacity))
        found.append(
            (side, particle, empty + soc * (full - empty) + rate * time_s, rate)
        )
    return found


@final
class PinnPredictor:
    """The fitted networks as a cell."""

    def __init__(
        self,
        name: str,
        spec: SurrogateSpec,
        module: PinnModule,
        *,
        heat_share: float = 1.0,
    ) -> None:
        self.name = name
        self._spec, self._module, self._share = spec, module, heat_share

    def follow(self, run: Trajectory) -> dict[str, Array]:
        """Return series that are nan where the current is not the first one any more.

        Voltage and temperature depend on each other; they are evaluated in turn, each
        time over the whole run.
        """
        n, nothing = len(run.time_s), np.nan
        out = {
            key: np.full(n, nothing)
            for key in ("voltage_V", "plating_potential_V", "temperature_K")
        }
        hold = hold_of(run, longest_s=_LONGEST_S)
        if hold is None:
            return out
        temperature_K = np.full(len(hold.time_s), run.series["temperature_K"][0])
        answer = np.zeros((len(hold.time_s), 2))
        for _ in range(_PASSES):
            columns = hold.columns(self._spec.constants, temperature_K)
            with torch.no_grad():
                rows = self._module(torch.tensor(columns, dtype=torch.float32))
            answer = rows.double().numpy()
            temperature_K = hold.warmed_K(
                self._spec, answer[:, 0], temperature_K, self._share
            )
        out["voltage_V"][hold.samples] = answer[:, 0]
        out["plating_potential_V"][hold.samples] = answer[:, 1]
        out["temperature_K"][hold.samples] = temperature_K
        return out
