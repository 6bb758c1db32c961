"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from packtwin.twin.surrogate import CellOutputs

__all__ = ["SCALES", "output_losses", "physics_loss", "sample_losses"]

# Standard deviations that make the residuals dimensionless: what "good" means.
SCALES: dict[str, float] = {
    "voltage_V": 0.003,
    "plating_potential_V": 0.003,
    "heat_generation_W": 0.03,
}
LOSS_WEIGHTS: dict[str, float] = {
    "voltage_V": 1.0,
    "plating_potential_V": 1.0,
    "heat_generation_W": 0.3,
}
_ROBUST = 6.0  # scales up to which a residual counts squared, then linearly


def output_losses(out: CellOutputs, known: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of the robust mean losses of all outputs."""
    return sample_losses(out, known).mean()


def sample_losses(out: CellOutputs, known: dict[str, Tensor]) -> Tensor:
    """Return the weighted sum of the robust losses of all outputs, by sample."""
    losses = []
    for key, scale in SCALES.items():
        r = (getattr(out, key) - known[key]) / (scale * _ROBUST)
        robust = 2.0 * _ROBUST**2 * (torch.sqrt(1.0 + r * r) - 1.0)
        losses.append(LOSS_WEIGHTS[key] * robust)
    return torch.stack(losses).sum(dim=0)


def physics_loss(out: CellOutputs, known: dict[str, Tensor]) -> Tensor:
    """Return the residuals of the laws of thermodynamics.

    First law: the heat generated is the heat that the temperatures imply (`_balance`).
    Second law: irreversible heat is not negative.
    """
    scale = SCALES["heat_generation_W"]
    gap = known["is_balanced"] * (out.heat_generation_W - known["balance_W"])
    r = gap / (scale * _ROBUST)
    first = 2.0 * _ROBUST**2 * (torch.sqrt(1.0 + r * r) - 1.0)
    second = (torch.relu(-out.heat_irreversible_W) / scale).square()
    return first.mean() + second.mean()
