"""Fits the error bound's network and the guard's mixture; see `trust`."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_batch import TrainingBatch, evaluate, features_of
from packtwin.twin.trust import BOUND_LEVEL

__all__ = ["fit_bounds", "fit_guard", "fit_mixture"]

Array: TypeAlias = NDArray[np.float64]

_HIDDEN = 16
_ITERATIONS, _BATCH, _LEARNING_RATE = 1500, 8192, 4e-3
_FLOOR_V = 2e-5  # errors below it count as it
_COMPONENTS, _SAMPLES, _ROUNDS = 6, 40_000, 40
_LEAST_SPREAD = 0.05  # of a component, in standard deviations of the features


def fit_bounds(
    ops: TorchOperations,
    spec: SurrogateSpec,
    b: TrainingBatch,
    rows: Tensor,
    seed: int,
    iterations: int = _ITERATIONS,
) -> dict[str, Array]:
    """Return the weights of the bound's network, its factors still 1.

    Args:
        ops: Back end with the trained weights.
        spec: The surrogate.
        b: The batch that names the columns.
        rows: Samples, shape `(sample, column)`.
        seed: Of the start and the sampling.
        iterations: Adam steps.
    """
    generator = torch.Generator().manual_seed(seed)
    known = b.at(rows)
    features = features_of(ops, spec, known)
    with torch.no_grad():
        out = evaluate(ops, spec, known)
        gaps = torch.stack(
            [
                out.voltage_V - known["voltage_V"],
                out.plating_potential_V - known["plating_potential_V"],
            ],
            dim=-1,
        )
        target = torch.log(gaps.abs() + _FLOOR_V)
    centre, spread = features.mean(dim=0), features.std(dim=0) + 1e-6
    z = (features - centre) / spread
    sizes = (z.shape[-1], _HIDDEN, 2)
    layers = []
    for a, n in pairwise(sizes):
        matrix = torch.randn(n, a, generator=generator) / a**0.5
        layers += [matrix.requires_grad_(), torch.zeros(n, requires_grad=True)]
    with torch.no_grad():
        layers[3] += torch.quantile(target[:100_000], BOUND_LEVEL, dim=0)
    optimizer = torch.optim.Adam(layers, lr=_LEARNING_RATE)
    batch = min(_BATCH, len(z))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for _ in range(iterations):
        pick = torch.randint(len(z), (batch,), generator=generator)
        hidden = torch.nn.functional.linear(z[pick], layers[0], layers[1])
        hidden = hidden * torch.rsqrt(1.0 + hidden * hidden)
        excess = target[pick] - torch.nn.functional.linear(hidden, layers[2], layers[3])
        loss = torch.maximum(BOUND_LEVEL * excess, (BOUND_LEVEL - 1.0) * excess).mean()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    first, bias, second, offset = (v.detach().double().numpy() for v in layers)
    first = first / spread.double().numpy()
    return {
        "bound_matrix_0": first,
        "bound_bias_0": bias - first @ centre.double().numpy(),
        "bound_matrix_1": second,
        "bound_bias_1": offset,
        "bound_factor": np.ones(2),
    }


def fit_guard(
    ops: TorchOperations, spec: SurrogateSpec, b: TrainingBatch, rows: Tensor, seed: int
) -> dict[str, Array]:
    """Return the weights of the guard; its range is that of the training samples.

    Args:
        ops: Back end with the trained weights.
        spec: The surrogate.
        b: The batch that names the columns.
        rows: Samples, shape `(sample, column)`.
        seed: Of the start and the sampling.
    """
    generator = torch.Generator().manual_seed(seed)
    pick = torch.randperm(len(rows), generator=generator)[:_SAMPLES]
    features = features_of(ops, spec, b.at(rows[pick])).double()
    centre, spread = features.mean(dim=0), features.std(dim=0) + 1e-6
    weights, means, covariances = fit_mixture(
        (features - centre) / spread, _COMPONENTS, generator
    )
    matrices, offsets, constants = [], [], []
    for weight, mean, covariance in zip(weights, means, covariances, strict=True):
        # |L (f - m)|^2 is the Mahalanobis distance, L'L the inverse covariance.
        whitening = torch.linalg.inv(torch.linalg.cholesky(covariance))
        matrix = whitening / spread
        matrices.append(matrix)
        offsets.append(matrix @ (centre + spread * mean))
        constants.append(torch.log(weight) + torch.log(torch.diag(whitening)).sum())
    return {
        "guard_matrix": torch.cat(matrices).numpy(),
        "guard_offset": torch.cat(offsets).numpy(),
        "guard_constant": torch.stack(constants).numpy(),
        "guard_range": np.array([0.0, 1.0]),
    }


def fit_mixture(
    z: Tensor, n_component: int, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Fit a Gaussian mixture by expectation maximisation.

    A. P. Dempster, N. M. Laird, D. B. Rubin, J. R. Stat. Soc. B 39 (1977) 1-38.

    Args:
        z: Samples, shape `(sample, dimension)`, of spread near 1.
        n_component: Number of Gaussians.
        generator: Picks the start.

    Returns:
        Weights `(n,)`, means `(n, dimension)`, covariances `(n, dimension, dimension)`.
    """
    n, d = z.shape
    floor = _LEAST_SPREAD**2 * torch.eye(d, dtype=z.dtype)
    means = z[torch.randperm(n, generator=generator)[:n_component]].clone()
    covariances = torch.eye(d, dtype=z.dtype).repeat(n_component, 1, 1)
    weights = torch.full((n_component,), 1.0 / n_component, dtype=z.dtype)
    for _ in range(_ROUNDS):
        logs = []
        for weight, mean, covariance in zip(weights, means, covariances, strict=True):
            root = torch.linalg.cholesky(covariance)
            gap = torch.linalg.solve_triangular(root, (z - mean).T, upper=False)
            half = torch.log(torch.diag(root)).sum()
            logs.append(torch.log(weight) - half - 0.5 * gap.square().sum(dim=0))
        share = torch.softmax(torch.stack(logs, dim=-1), dim=-1)
        total = share.sum(dim=0) + 1e-9
        weights = total / total.sum()
        means = (share.T @ z) / total[:, None]
        for k in range(n_component):
            gap = z - means[k]
            covariances[k] = (share[:, k, None] * gap).T @ gap / total[k] + floor
    return weights, means, covariances
