"""A black-box neural ODE: slow latent states that a network drives.

    dz/dt = (f(z, i, theta, s) - z) / tau         V = g(z, i, theta, s)

`f` and `g` are networks, `tau` learned time constants, `s` the counted state of charge.
The states are without meaning. Trained through `torchdiffeq` by its fixed-step RK4 (the
3/8 rule) over blocks of several sampling steps, in which the mean current is held: what
is faster than a block must come from the current at its end. After R. T. Q. Chen et
al., Neural Ordinary Differential Equations (2018), arXiv:1806.07366.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchdiffeq import odeint

from packtwin.twin.alternative import FitPlan
from packtwin.twin.alternative_batch import AlternativeBatch, batch_runs
from packtwin.twin.alternative_descent import (
    Network,
    array_of,
    descend,
    inputs_of,
    masked_loss,
    targets_of,
)
from packtwin.twin.alternative_step import Instant, SteppedPredictor
from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_casadi import casadi_network
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.trajectory import Trajectory

__all__ = ["NeuralOde", "NeuralOdeCore"]

Array: TypeAlias = NDArray[np.float64]
Layers: TypeAlias = list[tuple[Array, Array]]

_N_INPUT = 3
_N_RUN = 128
_TIMES_S = (8.0, 1500.0)  # of the latent states at the start of the fit
_LONGEST_STEP_S = 5.0
_LEARNING_RATE = 4e-3
# Blocks rolled from the start, rising over the first part of the plan.
_FIRST_BLOCKS, _RISE = 20, 0.3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NeuralOdeCore:
    """The learned arrays.

    Attributes:
        time_constants_s: Of the latent states.
        drive: Network `f`.
        head: Network `g` to scaled outputs.
        centre_V: Added to the scaled outputs.
        spread_V: They are multiplied by this first.
    """

    time_constants_s: Array
    drive: Layers
    head: Layers
    centre_V: Array
    spread_V: Array

    @property
    def state_names(self) -> tuple[str, ...]:
        """Latent states."""
        return tuple(f"latent_{k + 1}" for k in range(len(self.time_constants_s)))

    @property
    def has_plating(self) -> bool:
        """Whether the plating potential was learned too."""
        return len(self.centre_V) > 1

    def advance(self, core: Any, now: Instant, h: Any) -> Any:
        """Return the states after one step of the 3/8 rule (W. Kutta, 1901)."""
        inputs = now.features

        def rate(z: Any) -> Any:
            pull = casadi_network(self.drive, ca.vertcat(z, inputs)) - z
            return pull / ca.DM(self.time_constants_s)

        k1 = rate(core)
        k2 = rate(core + h * k1 / 3.0)
        k3 = rate(core + h * (k2 - k1 / 3.0))
        k4 = rate(core + h * (k1 - k2 + k3))
        return core + h / 8.0 * (k1 + 3.0 * (k2 + k3) + k4)

    def outputs(self, core: Any, now: Instant) -> list[Any]:
        """Return voltage and plating potential."""
        y = casadi_network(self.head, ca.vertcat(core, now.features))
        return ca.vertsplit(y * ca.DM(self.spread_V) + ca.DM(self.centre_V))


@final
@dataclass(frozen=True, slots=True)
class NeuralOde:
    """Fits the neural ODE.

    Attributes:
        name: Name in tables.
        latent: Number of latent states.
        hidden: Width of the networks' layers.
        block: Sampling steps per step of the solver.
    """

    name: str = "neural_ode"
    latent: int = 6
    hidden: int = 32
    block: int = 10

    def fit(
        self, spec: SurrogateSpec, runs: Sequence[Trajectory], plan: FitPlan
    ) -> SteppedPredictor:
        """Train on all runs from their start; see `Alternative.fit`."""
        torch.manual_seed(plan.seed)
        batch = batch_runs(spec, runs)
        module = NeuralOdeModule(spec, batch, self)
        generator = torch.Generator().manual_seed(plan.seed)
        wanted_V, mask = module.targets.values_V, module.targets.mask
        most = module.moving.shape[1]

        def loss(share: float) -> Tensor:
            rise = min(1.0, share / _RISE)
            count = min(most, round(_FIRST_BLOCKS + rise * (most - _FIRST_BLOCKS)))
            rows = torch.randperm(len(mask), generator=generator)[:_N_RUN]
            gap_V = module.predicted(rows, count) - wanted_V[rows, : count + 1]
            return masked_loss(gap_V, mask[rows, : count + 1])

        descend(module, loss, plan, learning_rate=_LEARNING_RATE)
        return SteppedPredictor(
            self.name,
            spec,
            module.core(),
            heat_share=batch.heat_share,
            substep_s=_LONGEST_STEP_S,
        )


@final
class NeuralOdeModule(nn.Module):
    """The neural ODE in torch with the blocks it learns from."""

    def __init__(
        self, spec: SurrogateSpec, batch: AlternativeBatch, shape: NeuralOde
    ) -> None:
        super().__init__()
        n_block = (batch.mean_A.shape[1] - 1) // shape.block
        if n_block < 1:
            msg = (
                f"The runs have at most {batch.mean_A.shape[1]} samples; a neural ODE "
                f"with blocks of {shape.block} steps needs {shape.block + 1} or more."
            )
            raise TrainingError(msg)
        stop = n_block * shape.block + 1
        self.targets = targets_of(batch, shape.block)
        moving, reading = inputs_of(batch, spec.constants.nominal_capacity_Ah)
        blocks = moving[:, 1:stop].reshape(len(moving), n_block, shape.block, -1)
        # The mean current over each block, the temperature at its start, the charge at
        # its end.
        self.moving = torch.cat(
            [
                blocks[:, :, :, :1].mean(dim=2),
                blocks[:, :, 0, 1:2],
                blocks[:, :, -1, 2:],
            ],
            dim=-1,
        )
        self.reading = reading[:, : stop : shape.block]
        self.block_s = shape.block * batch.step_s
        times_s = torch.tensor(np.geomspace(*_TIMES_S, shape.latent))
        self.log_times = nn.Parameter(times_s.log().float())
        sizes = (shape.latent + _N_INPUT, shape.hidden)
        self.drive = Network(*sizes, shape.latent)
        self.head = Network(*sizes, shape.hidden, len(self.targets.centre_V))

    def predicted(self, rows: Tensor, count: int) -> Tensor:
        """Return outputs in V at the first block ends, `(run, count + 1, output)`."""
        moving = self.moving[rows, :count]
        speed = torch.exp(-self.log_times)

        def rate(time: Tensor, z: Tensor) -> Tensor:
            block = moving[:, min(int(time / self.block_s), count - 1)]
            pull: Tensor = self.drive(torch.cat([z, block], dim=-1)) - z
            return pull * speed

        grid_s = torch.arange(count + 1, dtype=torch.float64) * self.block_s
        start = torch.zeros(len(rows), len(self.log_times))
        # `perturb`: the first and last stage see the step's own current.
        states = odeint(rate, start, grid_s, method="rk4", options={"perturb": True})
        z = torch.cat([states.transpose(0, 1), self.reading[rows, : count + 1]], dim=-1)
        outputs: Tensor = self.head(z) * self.targets.spread_V + self.targets.centre_V
        return outputs

    def core(self) -> NeuralOdeCore:
        """Return the learned arrays."""
        return NeuralOdeCore(
            time_constants_s=array_of(self.log_times.exp()),
            drive=self.drive.arrays(),
            head=self.head.arrays(),
            centre_V=array_of(self.targets.centre_V),
            spread_V=array_of(self.targets.spread_V),
        )
