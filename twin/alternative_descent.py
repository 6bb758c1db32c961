"""Adam over a plan: what the networks among the alternatives share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from packtwin.twin.alternative import FitPlan
from packtwin.twin.alternative_batch import AlternativeBatch
from packtwin.twin.errors import TrainingError

__all__ = [
    "Network",
    "Targets",
    "array_of",
    "descend",
    "inputs_of",
    "masked_loss",
    "targets_of",
    "tensor_of",
]

Array: TypeAlias = NDArray[np.float64]

_ROBUST = 4.0
_SCALE_V = 0.005
_WARM_UP = 0.03


class Network(nn.Module):
    """Linear layers with `z / sqrt(1 + z^2)` between them, as `casadi_network`."""

    def __init__(self, *sizes: int, gain: float = 1.0) -> None:
        """Draw start values.

        Args:
            sizes: Of inputs, hidden layers and outputs.
            gain: Of the last layer.
        """
        super().__init__()
        made = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        gains = [1.0] * (len(made) - 1) + [gain]
        self.matrices, self.biases = (
            nn.ParameterList(
                nn.Parameter(g * v.detach()) for g, v in zip(gains, w, strict=True)
            )
            for w in ([m.weight for m in made], [m.bias for m in made])
        )

    def forward(self, z: Tensor) -> Tensor:
        """Apply the layers to the last axis."""
        for k, (matrix, bias) in enumerate(self._layers()):
            if k:
                z = z * torch.rsqrt(1.0 + z * z)
            z = nn.functional.linear(z, matrix, bias)
        return z

    def forward_with_slope(self, z: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs and their derivative along `slope` of the inputs."""
        for k, (matrix, bias) in enumerate(self._layers()):
            if k:
                root = torch.rsqrt(1.0 + z * z)
                z, slope = z * root, slope * root**3
            z = nn.functional.linear(z, matrix, bias)
            slope = nn.functional.linear(slope, matrix)
        return z, slope

    def arrays(self) -> list[tuple[Array, Array]]:
        """Return matrices and biases as float64 arrays, input side first."""
        return [(array_of(m), array_of(b)) for m, b in self._layers()]

    def _layers(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.matrices, self.biases, strict=True))


def array_of(values: Tensor) -> Array:
    """Return a copy in float64."""
    array: Array = values.detach().double().numpy().copy()
    return array


def tensor_of(batch: AlternativeBatch, *names: str) -> Tensor:
    """Return arrays of a batch stacked along a last axis, float32."""
    return torch.tensor(
        np.stack([getattr(batch, name) for name in names], axis=-1), dtype=torch.float32
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What black boxes learn, with its mean and spread over what is learnable.

    Attributes:
        values_V: Voltage and, where all runs have it, plating potential; shape
            `(run, n, output)`.
        mask: Learnable samples, shape `(run, n)`.
        centre_V: Shape `(output,)`.
        spread_V: Likewise.
    """

    values_V: Tensor
    mask: Tensor
    centre_V: Tensor
    spread_V: Tensor


def targets_of(batch: AlternativeBatch, every: int = 1) -> Targets:
    """Return the targets at every so-many-th sample."""
    names = ["voltage_V"]
    if bool(np.isfinite(batch.plating_potential_V).all()):
        names.append("plating_potential_V")
    values_V = tensor_of(batch, *names)[:, ::every]
    mask = torch.tensor(batch.is_learnable)[:, ::every]
    used = values_V[mask]
    return Targets(
        values_V=values_V,
        mask=mask,
        centre_V=used.mean(dim=0),
        spread_V=used.std(dim=0) + 1e-6,
    )


def inputs_of(batch: AlternativeBatch, nominal_A: float) -> tuple[Tensor, Tensor]:
    """Return `Instant.features` while moving and at reading, `(run, n, 3)` each.

    A state moves with the step's mean current, the temperature at its start and the
    charge at its end; outputs are read with all three at the sample.
    """
    theta, charge = 4.0 * tensor_of(batch, "theta"), tensor_of(batch, "soc")
    charge = 4.0 * (charge - 0.5)
    before = torch.cat([theta[:, :1], theta[:, :-1]], dim=1)
    mean, now = (tensor_of(batch, k) / nominal_A for k in ("mean_A", "current_A"))
    moving = torch.cat([mean, before, charge], dim=-1)
    return moving, torch.cat([now, theta, charge], dim=-1)


def masked_loss(gap_V: Tensor, mask: Tensor) -> Tensor:
    """Return a mean square in units of 5 mV that grows linearly for large errors.

    Args:
        gap_V: Errors, shape `(..., output)`.
        mask: Of the samples that count, shape `(...)`.
    """
    r = gap_V / (_SCALE_V * _ROBUST)
    robust = 2.0 * _ROBUST**2 * (torch.sqrt(1.0 + r * r) - 1.0)
    weight = mask.to(robust.dtype)[..., None]
    total: Tensor = (weight * robust).sum()
    return total / (weight.sum() * gap_V.shape[-1]).clamp(min=1.0)


def descend(
    module: nn.Module,
    loss: Callable[[float], Tensor],
    plan: FitPlan,
    *,
    learning_rate: float,
) -> float:
    """Minimise with Adam, a short warm-up and a cosine; return the last loss.

    Args:
        module: Its parameters are changed.
        loss: Draws its samples; gets the used share of the plan.
        plan: Iterations or seconds, whichever end first.
        learning_rate: Largest.

    Raises:
        TrainingError: The loss stopped being finite.
    """
    optimizer = torch.optim.Adam(module.parameters(), lr=learning_rate)
    began, value = time.perf_counter(), math.nan
    for iteration in range(plan.iterations):
        share = plan.share(iteration, time.perf_counter() - began)
        if share >= 1.0:
            break
        rate = min(1.0, (share + 1e-3) / _WARM_UP)
        rate *= 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * share))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate * rate
        total = loss(share)
        if not math.isfinite(float(total.detach())):
            msg = (
                f"The fit diverged at iteration {iteration} (loss "
                f"{float(total.detach())}, before: {value}); lower the learning rate "
                f"of {learning_rate}."
            )
            raise TrainingError(msg)
        value = float(total.detach())
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
    return value
