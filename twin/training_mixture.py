"""A Gaussian mixture by expectation maximisation: what the guard calls usual."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["fit_mixture"]

_ROUNDS = 40
_LEAST_SPREAD = 0.05  # of a component, in standard deviations of the features


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
