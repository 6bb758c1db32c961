"""Fits what a cell says about itself: the bound's network and the guard; see `trust`.

The cell's network stays as it is. Its errors are taken on the runs that it learned
from and on runs *beyond* them (hotter, colder, faster), which it never saw: so bound
and guard know how errors grow where the knowledge ends. `calibration` then makes them
true on runs of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_batch import evaluate, features_of, make_batch
from packtwin.twin.training_mixture import fit_mixture
from packtwin.twin.training_network import SmallNetwork, descend
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.trust import BOUND_LEVEL, EXCEEDANCE

__all__ = ["TrustConfig", "fit_trust"]

Array: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[float, str], None]

_LEAST_V = 2e-5  # errors below it count as it
_TAIL_LEVEL, _TAIL_WEIGHT = 0.9997, 600.0
_RISKY = 1.6  # bounds that an error is beyond where the guard's network learns risk
_HARD_SHARE = 0.15  # of a batch of that network
_COMPONENTS, _SAMPLES = 2, 40_000
_CHUNK = 500  # runs rolled at once


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrustConfig:
    """How bounds and guard are fitted.

    Attributes:
        n_hidden: Width of the bound's network.
        n_hidden_risk: Width of the guard's.
        iterations: Adam steps of either.
        batch_size: Samples per step.
        beyond_share: Of a batch from each set of runs beyond the training's, by name.
        floor_V: Least bound of voltage and plating potential before calibration. It
            keeps the promise where errors are small and a sensor's noise or a little
            heat more than doubles them.
        seed: Of weights and sampling.
    """

    n_hidden: int = 32
    n_hidden_risk: int = 24
    iterations: int = 4000
    batch_size: int = 8192
    beyond_share: float = 0.2
    floor_V: tuple[float, float] = (3e-3, 1.5e-3)
    seed: int = 7


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """Features `(n, feature)` and absolute errors `(n, 2)` of one set of runs."""

    features: Tensor
    error_V: Tensor


def fit_trust(
    spec: SurrogateSpec,
    runs: Sequence[Trajectory],
    beyond: Sequence[Sequence[Trajectory]],
    config: TrustConfig,
    progress: Progress | None = None,
) -> SurrogateSpec:
    """Return the spec with new bounds and guard, not yet calibrated.

    Args:
        spec: The trained cell; its network is kept.
        runs: What it learned from.
        beyond: Sets of runs that leave that set's ranges; empty ones are ignored.
        config: How to fit.
        progress: Called with the fraction done and a message.

    Raises:
        TrainingError: There is no run.
    """
    if not runs:
        msg = f"Bounds of `{spec.name}` cannot be fitted: no runs; give training runs."
        raise TrainingError(msg)
    report = progress or (lambda _fraction, _message: None)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        report(0.0, "errors of all runs")
        sets = [_samples(spec, runs), *(_samples(spec, b) for b in beyond if len(b))]
        report(0.4, "bounds")
        bounds, claimed = _fit_bounds(sets, config)
        report(0.7, "guard")
        ratios = [
            (s.error_V / c).amax(dim=-1) for s, c in zip(sets, claimed, strict=True)
        ]
        guard = _fit_guard(sets[0].features, config.seed + 1)
        risk = _fit_risk(sets, ratios, config)
    finally:
        torch.set_num_threads(threads)
    kept = {k: v for k, v in spec.weights.items() if not k.startswith(_TRUST)}
    pace = {"pace_range": np.array([0.0, 1.0])}  # nothing to learn but its threshold
    return replace(spec, weights={**kept, **bounds, **guard, **risk, **pace})


_TRUST = ("bound_", "guard_", "risk_", "pace_")


@torch.no_grad()
def _samples(spec: SurrogateSpec, runs: Sequence[Trajectory]) -> _Samples:
    ops = TorchOperations(spec.weights, dtype=torch.float32)
    features, errors = [], []
    for begin in range(0, len(runs), _CHUNK):
        batch = make_batch(runs[begin : begin + _CHUNK], spec)
        known = batch.at(batch.columns[batch.is_learnable])
        out = evaluate(ops, spec, known)
        features.append(features_of(ops, spec, known))
        gaps = (
            out.voltage_V - known["voltage_V"],
            out.plating_potential_V - known["plating_potential_V"],
        )
        errors.append(torch.stack(gaps, dim=-1).abs())
    return _Samples(features=torch.cat(features), error_V=torch.cat(errors))


def _fit_bounds(
    sets: Sequence[_Samples], config: TrustConfig
) -> tuple[dict[str, Array], list[Tensor]]:
    """Return the bound's weights and what it claims for every sample.

    The loss adds two pinballs of the log error: of the 95 % quantile, and of a third of
    a far higher one, so that errors beyond `EXCEEDANCE` bounds become rare as well.
    """
    generator = torch.Generator().manual_seed(config.seed)
    targets = [torch.log(s.error_V + _LEAST_V) for s in sets]
    z = sets[0].features
    network = SmallNetwork(z, (config.n_hidden, 2), generator)
    first = targets[0][:: max(1, len(z) // 100_000)]
    network.shift(torch.quantile(first, BOUND_LEVEL, dim=0))
    share = config.beyond_share
    shares = [1.0 - share * (len(sets) - 1), *[share] * (len(sets) - 1)]

    def loss() -> Tensor:
        rows, wanted = [], []
        for s, target, part in zip(sets, targets, shares, strict=True):
            n = max(1, round(part * config.batch_size))
            pick = torch.randint(len(target), (n,), generator=generator)
            rows.append(s.features[pick])
            wanted.append(target[pick])
        excess = torch.cat(wanted) - network(torch.cat(rows))
        tail = excess - math.log(EXCEEDANCE)
        return _pinball(excess, BOUND_LEVEL) + _TAIL_WEIGHT * _pinball(
            tail, _TAIL_LEVEL
        )

    descend(network, loss, config.iterations)
    floor_V = torch.tensor(config.floor_V)
    claimed = [torch.exp(network.everywhere(s.features)) + floor_V for s in sets]
    ratio = (sets[0].error_V / claimed[0]).numpy()
    factor = np.quantile(ratio, BOUND_LEVEL, axis=0)
    weights = {
        **network.arrays("bound"),
        "bound_floor": np.array(config.floor_V),
        "bound_factor": factor.astype(float),
    }
    return weights, [c * torch.tensor(factor, dtype=c.dtype) for c in claimed]


def _pinball(excess: Tensor, level: float) -> Tensor:
    return torch.maximum(level * excess, (level - 1.0) * excess).mean()


def _fit_risk(
    sets: Sequence[_Samples], ratios: Sequence[Tensor], config: TrustConfig
) -> dict[str, Array]:
    """Return the network that tells where errors pass their bound by far.

    Logistic regression of `ratio > _RISKY`, such samples drawn far more often than they
    occur; only the order of its values matters, `calibration` sets the threshold.
    """
    generator = torch.Generator().manual_seed(config.seed + 2)
    features, ratio = torch.cat([s.features for s in sets]), torch.cat(list(ratios))
    network = SmallNetwork(features, (config.n_hidden_risk, 1), generator)
    risky = torch.nonzero(ratio > _RISKY)[:, 0]
    usual = torch.nonzero(ratio <= _RISKY)[:, 0]
    n_risky = round(_HARD_SHARE * config.batch_size)

    def loss() -> Tensor:
        total = torch.zeros(())
        for pool, sign, n in (
            (risky, -1.0, n_risky),
            (usual, 1.0, config.batch_size - n_risky),
        ):
            if len(pool):
                pick = pool[torch.randint(len(pool), (n,), generator=generator)]
                value = sign * network(features[pick])
                total = total + torch.nn.functional.softplus(value).mean()
        return total

    descend(network, loss, config.iterations)
    return {**network.arrays("risk"), "risk_range": np.array([0.0, 1.0])}


def _fit_guard(features: Tensor, seed: int) -> dict[str, Array]:
    """Return the mixture of the training states; its range is not calibrated."""
    generator = torch.Generator().manual_seed(seed)
    pick = torch.randperm(len(features), generator=generator)[:_SAMPLES]
    chosen = features[pick].double()
    centre, spread = chosen.mean(dim=0), chosen.std(dim=0) + 1e-6
    weights, means, covariances = fit_mixture(
        (chosen - centre) / spread, _COMPONENTS, generator
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
