"""Runs as one batch of tensors, filtered modes, and the losses on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate import CellOutputs, cell_outputs, mode_rates
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations, mode_scan
from packtwin.twin.trajectory import Trajectory, count_charge

__all__ = [
    "TrainingBatch",
    "evaluate",
    "filter_modes",
    "make_batch",
    "output_losses",
    "weighted",
]

Array: TypeAlias = NDArray[np.float64]

# Standard deviations that make the residuals dimensionless: what "good" means.
SCALES: dict[str, float] = {
    "voltage_V": 0.005,
    "plating_potential_V": 0.005,
    "heat_irreversible_W": 0.05,
    "heat_reversible_W": 0.05,
    "stoichiometry_negative_surface": 0.02,
    "stoichiometry_positive_surface": 0.02,
}
LOSS_WEIGHTS: dict[str, float] = {
    "voltage_V": 1.0,
    "plating_potential_V": 1.0,
    "heat_irreversible_W": 0.3,
    "heat_reversible_W": 0.1,
    "stoichiometry_negative_surface": 0.05,
    "stoichiometry_positive_surface": 0.05,
}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBatch:
    """All runs padded to one length, as float32 tensors of shape `(run, n)`."""

    step_s: float
    rate: Tensor
    mean_rate: Tensor
    x: Tensor
    y: Tensor
    temperature_K: Tensor
    coolant_K: Tensor
    conductance_W_per_K: Tensor
    is_valid: Tensor
    targets: dict[str, Tensor] = field(default_factory=dict)


def make_batch(runs: Sequence[Trajectory], c: CellConstants) -> TrainingBatch:
    """Return runs of one sampling step as one batch, the shorter ones padded."""
    n = max(len(run.time_s) for run in runs)
    steps = {round(float(run.time_s[1] - run.time_s[0]), 9) for run in runs}
    if len(steps) != 1:
        msg = f"Training runs must share one sampling step, got {sorted(steps)} s."
        raise TrainingError(msg)

    def stack(values: list[Array]) -> Tensor:
        padded = [np.pad(v, (0, n - len(v)), mode="edge") for v in values]
        return torch.tensor(np.stack(padded), dtype=torch.float32)

    counted = [count_charge(run, c) for run in runs]
    valid = [
        np.pad(run.is_valid.astype(float), (0, n - len(run.time_s))) for run in runs
    ]
    rate = stack([run.current_A / c.nominal_capacity_Ah for run in runs])
    conductance = [
        run.heat_transfer_coefficient_W_per_m2K * c.cooling_area_m2 for run in runs
    ]
    return TrainingBatch(
        step_s=steps.pop(),
        rate=rate,
        mean_rate=0.5 * (rate[:, 1:] + rate[:, :-1]),
        x=stack([x for x, _ in counted]),
        y=stack([y for _, y in counted]),
        temperature_K=stack([run.series["temperature_K"] for run in runs]),
        coolant_K=stack([run.coolant_temperature_K for run in runs]),
        conductance_W_per_K=torch.tensor(conductance, dtype=torch.float32),
        is_valid=torch.tensor(np.stack(valid), dtype=torch.bool),
        targets={key: stack([run.series[key] for run in runs]) for key in SCALES},
    )


def filter_modes(
    ops: TorchOperations, c: CellConstants, n: int, b: TrainingBatch
) -> Tensor:
    """Return the modes of all runs at all samples, driven by the true temperature."""
    mid_x = 0.5 * (b.x[:, 1:] + b.x[:, :-1])
    mid_T = 0.5 * (b.temperature_K[:, 1:] + b.temperature_K[:, :-1])
    rates = torch.stack(mode_rates(ops, c, n, mid_x, mid_T), dim=-1)
    decay = torch.exp(-b.step_s * rates)
    return mode_scan(decay, b.mean_rate, torch.zeros(len(b.x), n))


def evaluate(
    ops: TorchOperations,
    spec: SurrogateSpec,
    *,
    x: Tensor,
    y: Tensor,
    modes: Tensor,
    temperature_K: Tensor,
    rate: Tensor,
) -> CellOutputs:
    """Return the cell's outputs for tensors of one shape, modes on the last axis."""
    return cell_outputs(
        ops,
        spec.constants,
        spec.tables,
        x=x,
        y=y,
        modes=list(modes.unbind(-1)),
        temperature_K=temperature_K,
        rate=rate,
        current_A=rate * spec.constants.nominal_capacity_Ah,
    )


def output_losses(
    out: CellOutputs, targets: dict[str, Tensor], weight: Tensor
) -> dict[str, Tensor]:
    """Return robust mean losses by output, plus the physics terms."""
    losses = {}
    for key, scale in SCALES.items():
        r = (getattr(out, key) - targets[key]) / scale
        # Quadratic to six scales, then linear, so that no single run dominates.
        losses[key] = (weight * (torch.sqrt(1.0 + r * r / 36.0) - 1.0) * 72.0).mean()
    # Second law: irreversible heat is not negative.
    negative = torch.relu(-out.heat_irreversible_W) / SCALES["heat_irreversible_W"]
    losses["second_law"] = (weight * negative**2).mean()
    return losses


def weighted(losses: dict[str, Tensor]) -> Tensor:
    """Return the sum of the losses with their weights."""
    terms = [LOSS_WEIGHTS.get(key, 0.1) * loss for key, loss in losses.items()]
    return torch.stack(terms).sum()
