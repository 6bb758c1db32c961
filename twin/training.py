"""Training of the hybrid cell: a regression on the rolled core, then closed loops.

Stage one fits the outputs at random samples of all runs, the core's states and the true
temperature given. A residual of the laws of thermodynamics is added with a weight that
keeps the norm of its gradient at a set share of the data's. Every so often the error on
runs kept aside is measured; the best weights are kept, and training stops when it has
not improved for long. Stage two predicts the temperature in closed loop, integrated
through `torchdiffeq` over windows of the runs, so that the heat is right where it
accumulates. What then remains of errors, and where the samples lie, is fitted as bound
and guard (`trust`); `calibration` makes them true on other runs.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate import CORRECTIONS, count_excitations, count_features
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.table import Table
from packtwin.twin.training_batch import (
    TrainingBatch,
    evaluate,
    features_of,
    make_batch,
    output_losses,
    physics_loss,
    sample_losses,
)
from packtwin.twin.training_rollout import RolloutPlan, fit_rollouts
from packtwin.twin.training_trust import fit_bounds, fit_guard
from packtwin.twin.trajectory import Trajectory

__all__ = ["TrainingConfig", "start_weights", "train_surrogate"]

logger = logging.getLogger(__name__)
Array: TypeAlias = NDArray[np.float64]

_BALANCE_EVERY = 200  # iterations between two weighings of the physics residual
_JUDGE_EVERY = 500  # iterations between two looks at the runs kept aside
_JUDGED_SAMPLES = 60_000
_SEARCH_EVERY, _SEARCHED_SAMPLES = 500, 300_000  # iterations, for the hardest samples
_HARDEST = 0.1  # share of the searched samples that count as hard
_WARM_UP = 300


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How to train.

    Attributes:
        hidden: Widths of the closure network's hidden layers.
        iterations: Adam steps of stage one.
        batch_size: Random samples per step.
        learning_rate: Start of the cosine schedule.
        hard_share: Share of a batch drawn from the samples that fit worst.
        physics_share: Norm of the physics residual's gradient over the data's.
        validation_share: Runs kept aside for early stopping.
        patience: Looks at those runs without improvement after which it stops.
        rollout_iterations: Adam steps of stage two.
        rollout_window_s: Length of a closed-loop window.
        seed: Of weights and sampling.
    """

    hidden: tuple[int, ...] = (40, 40)
    iterations: int = 9000
    batch_size: int = 16384
    learning_rate: float = 3e-3
    hard_share: float = 0.2
    physics_share: float = 0.1
    validation_share: float = 0.05
    patience: int = 8
    rollout_iterations: int = 60
    rollout_window_s: float = 120.0
    seed: int = 7


def start_weights(n_mode: int, config: TrainingConfig) -> dict[str, Array]:
    """Return seeded start values: textbook kinetics and almost no corrections."""
    rng = np.random.default_rng(config.seed)
    weights: dict[str, Array] = {
        "kinetics_negative": np.array([2.5, 4.0]),
        "kinetics_positive": np.array([2.5, 4.0]),
    }
    n_out = len(CORRECTIONS) * count_excitations(n_mode)
    sizes = [count_features(n_mode), *config.hidden, n_out]
    for j, (a, b) in enumerate(pairwise(sizes)):
        gain = 0.1 if j == len(sizes) - 2 else 1.0
        weights[f"closure_matrix_{j}"] = gain * rng.normal(size=(b, a)) / a**0.5
        weights[f"closure_bias_{j}"] = 0.1 * gain * rng.normal(size=b)
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
        tables: Open-circuit potentials, entropic coefficients, diffusivities, heat.
        runs: Training runs on one common sampling step.
        config: How to train.
        provenance: Where the data came from; stored in the spec.
        progress: Called with the fraction done and a message.

    Raises:
        TrainingError: If the data cannot be used or the loss stops being finite; the
            message tells the iteration and the last good loss.
    """
    if not runs:
        msg = "No usable training runs were given; generate the dataset first."
        raise TrainingError(msg)
    began = time.perf_counter()
    torch.manual_seed(config.seed)
    n_mode = len(constants.mode_time_constants_s)
    ops = TorchOperations(start_weights(n_mode, config), dtype=torch.float32)
    spec = SurrogateSpec(
        name=name, constants=constants, tables=tables, weights=ops.arrays()
    )
    report = progress or (lambda _fraction, _message: None)
    plan = RolloutPlan(
        iterations=config.rollout_iterations,
        window_s=config.rollout_window_s,
        learning_rate=0.05 * config.learning_rate,
        seed=config.seed + 1,
    )
    with _deterministic():
        report(0.0, "rolling the core")
        batch = make_batch(runs, spec)
        regression = _Regression(ops, spec, batch, config)
        history = regression.fit(report)
        rollout = fit_rollouts(ops, spec, batch, plan, _later(report, 0.9))
        given = (ops, spec, batch, regression.samples)
        trust = {
            **fit_bounds(
                *given,
                seed=config.seed + 2,
                iterations=max(100, config.iterations // 6),
            ),
            **fit_guard(*given, seed=config.seed + 3),
        }
    seconds = time.perf_counter() - began
    logger.info("trained `%s` in %.0f s", name, seconds)
    facts = {
        "seed": config.seed,
        "runs": len(runs),
        "hidden": list(config.hidden),
        "iterations": config.iterations,
        "rollout_iterations": config.rollout_iterations,
        "training_s": round(seconds, 1),
        **history,
        "rollout_loss_K": rollout,
        "torch": torch.__version__,
    }
    return replace(
        spec,
        weights={**ops.arrays(), **trust},
        provenance={**(provenance or {}), **facts},
    )


@final
@dataclass
class _Best:
    """The best weights on the runs kept aside, and how long ago they were."""

    loss: float = math.inf
    iteration: int = 0
    age: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)


@final
class _Regression:
    """Stage one."""

    def __init__(
        self,
        ops: TorchOperations,
        spec: SurrogateSpec,
        batch: TrainingBatch,
        config: TrainingConfig,
    ) -> None:
        self._ops, self._spec, self._batch, self._config = ops, spec, batch, config
        self._generator = torch.Generator().manual_seed(config.seed)
        n_run = len(batch.is_learnable)
        order = torch.randperm(n_run, generator=self._generator)
        n_aside = round(config.validation_share * n_run)
        aside, used = order[:n_aside], order[n_aside:]
        self.samples = _samples_of(batch, used)
        self._judged = self.samples[:0] if not n_aside else _samples_of(batch, aside)
        if len(self._judged) > _JUDGED_SAMPLES:
            pick = torch.randperm(len(self._judged), generator=self._generator)
            self._judged = self._judged[pick[:_JUDGED_SAMPLES]]
        self._physics_weight, self._ratios = 0.0, [0.0]
        self._hard = self.samples[:0]
        known = batch.at(self._drawn(50_000))
        features = features_of(ops, spec, known)
        ops.normalise(features.mean(dim=0), features.std(dim=0) + 1e-6)

    def fit(self, report: Callable[[float, str], None]) -> dict[str, Any]:
        """Train; return what the provenance tells of it."""
        ops, config, best = self._ops, self._config, _Best()
        optimizer = torch.optim.Adam(ops.parameters(), lr=config.learning_rate)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda k: _learning_share(k, config.iterations)
        )
        last, iteration = math.nan, 0
        for iteration in range(config.iterations):
            known = self._batch.at(self._drawn(config.batch_size))
            out = evaluate(ops, self._spec, known)
            data, physics = output_losses(out, known), physics_loss(out, known)
            if iteration % _BALANCE_EVERY == 0:
                self._weigh(data, physics)
            if (iteration + 1) % _SEARCH_EVERY == 0:
                self._search()
            total = data + self._physics_weight * physics
            value = float(total.detach())
            if not math.isfinite(value):
                self._restore(best)
                msg = (
                    f"Training diverged at iteration {iteration} (loss {value}, last "
                    f"good: {last}); lower the learning rate of "
                    f"{config.learning_rate}."
                )
                raise TrainingError(msg)
            last = value
            optimizer.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(ops.parameters(), 10.0)
            optimizer.step()
            schedule.step()
            if (iteration + 1) % _JUDGE_EVERY == 0:
                self._judge(best, iteration + 1)
                text = f"loss {value:.3f}, kept aside {best.loss:.3f}"
                report(0.9 * (iteration + 1) / config.iterations, text)
                logger.debug("iteration %d: %s", iteration, text)
                if best.age > config.patience:
                    break
        self._restore(best)
        return {
            "final_loss": last,
            "validation_loss": best.loss if best.weights else None,
            "best_iteration": best.iteration or iteration + 1,
            "physics_weight": self._physics_weight,
            "gradient_ratio_before_balancing": [round(r, 4) for r in self._ratios[1:]],
        }

    def _drawn(self, count: int) -> Tensor:
        n_hard = round(self._config.hard_share * count) if len(self._hard) else 0
        parts = []
        for pool, n in ((self.samples, count - n_hard), (self._hard, n_hard)):
            pick = torch.randint(max(1, len(pool)), (n,), generator=self._generator)
            parts.append(pool[pick])
        return torch.cat(parts)

    @torch.no_grad()
    def _search(self) -> None:
        """Find the samples that fit worst, to learn from them more often."""
        if self._config.hard_share == 0.0:
            return
        count = min(_SEARCHED_SAMPLES, len(self.samples))
        pick = torch.randint(len(self.samples), (count,), generator=self._generator)
        rows = self.samples[pick]
        losses = []
        for part in torch.split(rows, _JUDGED_SAMPLES):
            known = self._batch.at(part)
            losses.append(sample_losses(evaluate(self._ops, self._spec, known), known))
        order = torch.argsort(torch.cat(losses), descending=True)
        self._hard = rows[order[: max(1, round(_HARDEST * count))]]

    def _weigh(self, data: Tensor, physics: Tensor) -> None:
        """Balance the physics residual by the ratio of the gradients' norms."""
        norms = []
        for loss in (data, physics):
            gradients = torch.autograd.grad(
                loss, list(self._ops.parameters()), retain_graph=True, allow_unused=True
            )
            squares = [g.square().sum() for g in gradients if g is not None]
            norms.append(math.sqrt(float(torch.stack(squares).sum())))
        ratio = norms[1] / max(norms[0], 1e-12)
        self._ratios.append(ratio)
        wanted = self._config.physics_share / max(ratio, 1e-6)
        first = len(self._ratios) == 2
        self._physics_weight += (wanted - self._physics_weight) * (
            1.0 if first else 0.3
        )

    @torch.no_grad()
    def _judge(self, best: _Best, iteration: int) -> None:
        if not len(self._judged):
            return
        known = self._batch.at(self._judged)
        loss = float(output_losses(evaluate(self._ops, self._spec, known), known))
        best.age += 1
        if loss < best.loss:
            best.loss, best.iteration, best.age = loss, iteration, 0
            best.weights = {k: v.clone() for k, v in self._ops.state_dict().items()}

    def _restore(self, best: _Best) -> None:
        if best.weights:
            self._ops.load_state_dict(best.weights)


def _samples_of(batch: TrainingBatch, runs: Tensor) -> Tensor:
    """Return the samples of some runs, shape `(sample, column)`."""
    return batch.columns[runs][batch.is_learnable[runs]]


@contextmanager
def _deterministic() -> Iterator[None]:
    """Make torch's sums independent of the order in which threads finish.

    One thread: the tensors are small, and threads that wait for each other on a busy
    machine take ten times as long.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])


def _learning_share(k: int, total: int) -> float:
    """Rise over the first iterations, then fall as a cosine to a hundredth."""
    warm_up = min(_WARM_UP, max(1, total // 10))
    if k < warm_up:
        return (k + 1) / warm_up
    position = (k - warm_up) / max(1, total - warm_up)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * position))


def _later(
    report: Callable[[float, str], None], start: float
) -> Callable[[float, str], None]:
    return lambda fraction, text: report(start + (1.0 - start) * fraction, text)
