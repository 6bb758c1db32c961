"""Stage one of the training: a regression on the rolled core."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, final

import torch
from torch import Tensor

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_batch import TrainingBatch, evaluate, features_of
from packtwin.twin.training_loss import output_losses, physics_loss, sample_losses
from packtwin.twin.training_monotony import monotony_loss

__all__ = ["Regression", "TrainingConfig"]

logger = logging.getLogger(__name__)

_BALANCE_EVERY = 200  # iterations between two weighings of the physics residual
_JUDGE_EVERY = 500  # iterations between two looks at the runs kept aside
_JUDGED_SAMPLES = 60_000
_SEARCH_EVERY, _SEARCHED_SAMPLES = 500, 300_000  # iterations, for the hardest samples
_MONOTONY_SAMPLES = 512  # of a batch, that are asked about another current
_HARDEST = 0.1  # share of the searched samples that count as hard
_WARM_UP = 300
_KEEP_EVERY = 50  # iterations between two copies of weights with a finite loss


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
    iterations: int = 14_000
    batch_size: int = 16384
    learning_rate: float = 3e-3
    hard_share: float = 0.2
    physics_share: float = 0.1
    validation_share: float = 0.05
    patience: int = 8
    rollout_iterations: int = 200
    rollout_window_s: float = 1800.0
    seed: int = 7


@final
@dataclass
class _Best:
    """The best weights on the runs kept aside, and how long ago they were."""

    loss: float = math.inf
    iteration: int = 0
    age: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)


@final
class Regression:
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
        self._physics_weight = 0.0
        self._ratios: list[float] = []
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
        last, iteration, kept = math.nan, 0, _copied(ops)
        for iteration in range(config.iterations):
            known = self._batch.at(self._drawn(config.batch_size))
            out = evaluate(ops, self._spec, known)
            data, physics = output_losses(out, known), physics_loss(out, known)
            if iteration % _BALANCE_EVERY == 0:
                self._weigh(data, physics)
            if (iteration + 1) % _SEARCH_EVERY == 0:
                self._search()
            few = {key: column[:_MONOTONY_SAMPLES] for key, column in known.items()}
            monotony = monotony_loss(ops, self._spec, few, self._generator)
            total = data + self._physics_weight * physics + monotony
            value = float(total.detach())
            if not math.isfinite(value):
                ops.load_state_dict(best.weights or kept)
                msg = (
                    f"Training diverged at iteration {iteration} (loss {value}, last "
                    f"good: {last}); lower the learning rate of "
                    f"{config.learning_rate}."
                )
                raise TrainingError(msg, iteration=iteration, loss=value)
            if iteration % _KEEP_EVERY == 0:
                kept = _copied(ops)
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
        if best.weights:
            self._ops.load_state_dict(best.weights)
        return {
            "final_loss": last,
            "validation_loss": best.loss if best.weights else None,
            "best_iteration": best.iteration or iteration + 1,
            "physics_weight": self._physics_weight,
            "gradient_ratio_before_balancing": [round(r, 4) for r in self._ratios],
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
        wanted = self._config.physics_share / max(ratio, 1e-6)
        pace = 0.3 if self._ratios else 1.0
        self._physics_weight += pace * (wanted - self._physics_weight)
        self._ratios.append(ratio)

    @torch.no_grad()
    def _judge(self, best: _Best, iteration: int) -> None:
        if not len(self._judged):
            return
        known = self._batch.at(self._judged)
        loss = float(output_losses(evaluate(self._ops, self._spec, known), known))
        best.age += 1
        if loss < best.loss:
            best.loss, best.iteration, best.age = loss, iteration, 0
            best.weights = _copied(self._ops)


def _copied(ops: TorchOperations) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in ops.state_dict().items()}


def _samples_of(batch: TrainingBatch, runs: Tensor) -> Tensor:
    """Return the samples of some runs, shape `(sample, column)`."""
    return batch.columns[runs][batch.is_learnable[runs]]


def _learning_share(k: int, total: int) -> float:
    """Rise over the first iterations, then fall as a cosine to a hundredth."""
    warm_up = min(_WARM_UP, max(1, total // 10))
    if k < warm_up:
        return (k + 1) / warm_up
    position = (k - warm_up) / max(1, total - warm_up)
    return 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * position))
