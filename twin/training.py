"""Training of the hybrid cell: filtered physics first, closed-loop rollouts second.

Stage one: the true temperature and current drive the mode filters (a parallel scan),
and the outputs are fitted at random samples; all weights learn. Stage two: the
temperature is predicted in closed loop, integrated through `torchdiffeq` over windows
of the runs, so that the heat is right where it accumulates.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate import (
    CORRECTIONS,
    feature_count,
)
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.table import Table
from packtwin.twin.training_batch import (
    TrainingBatch,
    evaluate,
    filter_modes,
    make_batch,
    output_losses,
    weighted,
)
from packtwin.twin.training_rollout import RolloutPlan, fit_rollouts
from packtwin.twin.trajectory import Trajectory

__all__ = ["TrainingConfig", "start_weights", "train_surrogate"]

logger = logging.getLogger(__name__)
Array: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How to train.

    Attributes:
        n_mode: Relaxing modes.
        hidden: Widths of the closure network's hidden layers.
        iterations: Adam steps of stage one.
        rollout_iterations: Adam steps of stage two.
        rollout_window_s: Length of a closed-loop window.
        learning_rate: Start of the cosine schedule.
        samples: Random samples per run and iteration.
        mode_stride: The modes are filtered anew, and learn, every so many iterations.
        seed: Of weights and sampling.
    """

    n_mode: int = 8
    hidden: tuple[int, ...] = (28, 28)
    iterations: int = 6000
    rollout_iterations: int = 80
    rollout_window_s: float = 120.0
    learning_rate: float = 4e-3
    samples: int = 200
    mode_stride: int = 5
    seed: int = 7


def start_weights(config: TrainingConfig) -> dict[str, Array]:
    """Return seeded start values: a plain resistance and log-spaced modes."""
    rng = np.random.default_rng(config.seed)
    k = config.n_mode
    weights: dict[str, Array] = {
        "mode_log_time_constant": np.log(np.geomspace(3.0, 3000.0, k)),
        "mode_activation_kK": np.full(k, 3.0),
        "kinetics_negative": np.array([2.5, 4.0]),
        "kinetics_positive": np.array([2.5, 4.0]),
    }
    n_out = len(CORRECTIONS) * (k + 1)
    shapes = {"mode": [2, 12, k], "closure": [feature_count(k), *config.hidden, n_out]}
    for label, sizes in shapes.items():
        for j, (a, b) in enumerate(pairwise(sizes)):
            gain = 0.1 if j == len(sizes) - 2 else 1.0
            weights[f"{label}_matrix_{j}"] = gain * rng.normal(size=(b, a)) / a**0.5
            weights[f"{label}_bias_{j}"] = 0.1 * gain * rng.normal(size=b)
    # Surface stoichiometries lag behind the mean: - on discharge in the negative,
    # + in the positive electrode; the voltage row starts as 20 mV per C-rate.
    bias = weights[f"closure_bias_{len(config.hidden)}"].reshape(len(CORRECTIONS), -1)
    bias[0] -= 0.2 / k
    bias[1] += 0.2 / k
    bias[3, 0] += 0.2
    bias[4, 0] += 0.1
    return weights


def train_surrogate(
    name: str,
    constants: CellConstants,
    tables: dict[str, Table],
    runs: Sequence[Trajectory],
    config: TrainingConfig,
    *,
    provenance: dict[str, Any] | None = None,
    progress: Callable[[float, str], None] | None = None,
) -> SurrogateSpec:
    """Train a surrogate and return its spec.

    Args:
        name: Name of the surrogate, a C identifier.
        constants: Known facts of the cell.
        tables: Open-circuit potentials and entropic coefficients.
        runs: Training runs on one common sampling step.
        config: How to train.
        provenance: Where the data came from; stored in the spec.
        progress: Called with the fraction done and a message.

    Raises:
        TrainingError: If the data cannot be used or the loss stops being finite.
    """
    if not runs:
        msg = "No usable training runs were given; generate the dataset first."
        raise TrainingError(msg)
    began = time.perf_counter()
    torch.manual_seed(config.seed)
    ops = TorchOperations(start_weights(config), dtype=torch.float32)
    spec = SurrogateSpec(
        name=name, constants=constants, tables=tables, weights=ops.arrays()
    )
    batch = make_batch(runs, constants)
    report = progress or (lambda _fraction, _message: None)
    plan = RolloutPlan(
        iterations=config.rollout_iterations,
        window_s=config.rollout_window_s,
        learning_rate=0.05 * config.learning_rate,
        seed=config.seed + 1,
    )
    with _deterministic():
        history = _fit_outputs(ops, spec, batch, config, report)
        rollout = fit_rollouts(ops, spec, batch, plan, _later(report, 0.85))
    seconds = time.perf_counter() - began
    logger.info("trained `%s` in %.0f s", name, seconds)
    facts = {
        "seed": config.seed,
        "runs": len(runs),
        "n_mode": config.n_mode,
        "hidden": list(config.hidden),
        "iterations": config.iterations,
        "rollout_iterations": config.rollout_iterations,
        "training_s": round(seconds, 1),
        "final_losses": history,
        "rollout_loss_K": rollout,
        "torch": torch.__version__,
    }
    return replace(
        spec, weights=ops.arrays(), provenance={**(provenance or {}), **facts}
    )


def _fit_outputs(
    ops: TorchOperations,
    spec: SurrogateSpec,
    b: TrainingBatch,
    config: TrainingConfig,
    report: Callable[[float, str], None],
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(config.seed)
    n_run = len(b.rate)
    # The valid samples of a run come first.
    length = b.is_valid.sum(dim=1)
    optimizer = torch.optim.Adam(ops.parameters(), lr=config.learning_rate)
    warm_up = max(1, config.iterations // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda k: _learning_share(k, warm_up, config.iterations)
    )
    row = torch.arange(n_run)[:, None]
    last: dict[str, float] = {}
    filtered = torch.empty(0)
    for iteration in range(config.iterations):
        share = torch.rand((n_run, config.samples), generator=generator)
        column = (share * length[:, None]).long()
        weight = b.is_valid[row, column].float()
        if iteration % config.mode_stride == 0:
            filtered = filter_modes(ops, spec.constants, spec.n_mode, b)
            modes = filtered[row, column]
            filtered = filtered.detach()
        else:
            modes = filtered[row, column]
        out = evaluate(
            ops,
            spec,
            x=b.x[row, column],
            y=b.y[row, column],
            modes=modes,
            temperature_K=b.temperature_K[row, column],
            rate=b.rate[row, column],
        )
        targets = {k: v[row, column] for k, v in b.targets.items()}
        losses = output_losses(out, targets, weight)
        total = weighted(losses)
        if not torch.isfinite(total):
            msg = (
                f"Training diverged at iteration {iteration} (loss "
                f"{float(total.detach())}, before: {last}); lower the learning rate."
            )
            raise TrainingError(msg)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(ops.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        if iteration % 50 == 0 or iteration == config.iterations - 1:
            last = {k: float(v.detach()) for k, v in losses.items()}
            report(
                0.85 * (iteration + 1) / config.iterations,
                f"{float(total.detach()):.3f}",
            )
            logger.debug("iteration %d: %s", iteration, last)
    return last


@contextmanager
def _deterministic() -> Iterator[None]:
    """Make torch's sums independent of the order in which threads finish."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def _learning_share(k: int, warm_up: int, total: int) -> float:
    """Rise over the first tenth, then fall as a cosine to a hundredth."""
    if k < warm_up:
        return (k + 1) / warm_up
    position = (k - warm_up) / max(1, total - warm_up)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * position))


def _later(
    report: Callable[[float, str], None], start: float
) -> Callable[[float, str], None]:
    return lambda fraction, text: report(start + (1.0 - start) * fraction, text)
