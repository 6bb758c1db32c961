"""Stage two of the training: closed-loop temperature through `torchdiffeq`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torchdiffeq import odeint

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_batch import TrainingBatch, evaluate
from packtwin.twin.training_loss import output_losses

__all__ = ["RolloutPlan", "fit_rollouts"]

_WINDOWS = 256  # per iteration
_STRIDE = 10  # samples between two stages of the integration
_SCALE_K, _ROBUST = 0.02, 6.0  # up to that many scales an error counts squared


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """Windows to roll out: how many Adam steps, how long, how fast, which seed."""

    iterations: int
    window_s: float
    learning_rate: float
    seed: int


def fit_rollouts(
    ops: TorchOperations,
    spec: SurrogateSpec,
    b: TrainingBatch,
    plan: RolloutPlan,
    report: Callable[[float, str], None],
) -> float:
    """Closed-loop temperature over windows, through torchdiffeq's RK4.

    torchdiffeq's RK4 is the 3/8 rule: three samples a step put its stages on samples.
    """
    length = min(round(plan.window_s / b.step_s), b.is_learnable.shape[1] - 1)
    stride = max(1, min(_STRIDE, length // 3))
    length -= length % (3 * stride)
    if plan.iterations == 0 or length < 3:
        return float("nan")
    ends = b.is_learnable.long().cumprod(dim=1).sum(dim=1) - length
    runs = torch.nonzero(ends > 0)[:, 0]
    if not len(runs):
        return float("nan")
    generator = torch.Generator().manual_seed(plan.seed)
    optimizer = torch.optim.Adam(ops.parameters(), lr=plan.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, plan.iterations)
    offsets = torch.arange(0, length + 1, stride)
    value, kept = float("nan"), {k: v.clone() for k, v in ops.state_dict().items()}
    for iteration in range(plan.iterations):
        pick = runs[torch.randint(len(runs), (_WINDOWS,), generator=generator)]
        share = torch.rand(_WINDOWS, generator=generator)
        begin = (share * ends[pick]).long()
        row, column = pick[:, None], begin[:, None] + offsets
        total, value = _rollout_loss(ops, spec, b, row, column)
        if not torch.isfinite(total):
            ops.load_state_dict(kept)
            msg = (
                f"The rollouts diverged at iteration {iteration} (loss "
                f"{float(total)}); lower the learning rate or set "
                "`rollout_iterations` to 0."
            )
            raise TrainingError(msg, iteration=iteration, loss=float(total))
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(ops.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        report((iteration + 1) / plan.iterations, f"{value:.3f} K")
    return value


def _rollout_loss(
    ops: TorchOperations,
    spec: SurrogateSpec,
    b: TrainingBatch,
    row: Tensor,
    column: Tensor,
) -> tuple[Tensor, float]:
    """Return the loss of windows and the rms of their temperature's error.

    The error of the heat content is what is integrated: its rate is the error of the
    heat less what the error of the temperature makes leave. So the truth needs no
    quadrature, and stages may be far apart where the current is not smooth.
    """
    rows = b.columns[row, column]
    known = b.at(rows)
    conductance = b.conductance_W_per_K[row[:, 0]]
    to_temperature = spec.tables["temperature_K"]
    truth_K, truth_W = known["temperature_K"], known["heat_generation_W"]
    truth_J = ops.table(spec.tables["heat_content_J"], truth_K)
    stride_s = float(column[0, 1] - column[0, 0]) * b.step_s

    def derivative(t: Tensor, error_J: Tensor) -> Tensor:
        j = round(float(t) / stride_s)
        now = b.at(rows[:, j])
        temperature_K = ops.table(to_temperature, truth_J[:, j] + error_J)
        out = evaluate(ops, spec, now, temperature_K=temperature_K)
        leaving_W = conductance * (temperature_K - truth_K[:, j])
        error_W: Tensor = out.heat_generation_W - truth_W[:, j] - leaving_W
        return error_W

    grid_s = torch.arange(0, column.shape[1], 3).float() * stride_s
    start = torch.zeros(len(rows))
    error_J = odeint(derivative, start, grid_s, method="rk4").T
    rolled_K = ops.table(to_temperature, truth_J[:, ::3] + error_J)
    error_K = rolled_K - truth_K[:, ::3]
    even = {k: v[:, ::3] for k, v in known.items()}
    out = evaluate(ops, spec, even, temperature_K=rolled_K)
    far = (error_K / (_SCALE_K * _ROBUST)).square()
    heat = 2.0 * _ROBUST**2 * (torch.sqrt(1.0 + far) - 1.0)
    total = heat.mean() + output_losses(out, even)
    return total, float(error_K.detach().square().mean().sqrt())
