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
    length -= length % 3
    if plan.iterations == 0 or length < 3:
        return float("nan")
    ends = b.is_learnable.long().cumprod(dim=1).sum(dim=1) - length
    runs = torch.nonzero(ends > 0)[:, 0]
    if not len(runs):
        return float("nan")
    generator = torch.Generator().manual_seed(plan.seed)
    optimizer = torch.optim.Adam(ops.parameters(), lr=plan.learning_rate)
    offsets = torch.arange(length + 1)
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
        report((iteration + 1) / plan.iterations, f"{value:.3f} K")
    return value


def _rollout_loss(
    ops: TorchOperations,
    spec: SurrogateSpec,
    b: TrainingBatch,
    row: Tensor,
    column: Tensor,
) -> tuple[Tensor, float]:
    rows = b.columns[row, column]
    known = b.at(rows)
    coolant, conductance = b.coolant_K[row, column], b.conductance_W_per_K[row[:, 0]]
    to_temperature = spec.tables["temperature_K"]

    def derivative(t: Tensor, heat_content: Tensor) -> Tensor:
        j = round(float(t) / b.step_s)
        now = b.at(rows[:, j])
        temperature = ops.table(to_temperature, heat_content)
        out = evaluate(ops, spec, now, temperature_K=temperature)
        loss_W = conductance * (temperature - coolant[:, j])
        net: Tensor = out.heat_generation_W - loss_W
        return net

    truth = known["temperature_K"]
    start = ops.table(spec.tables["heat_content_J"], truth[:, 0])
    grid_s = torch.arange(0, column.shape[1], 3).float() * b.step_s
    rolled = ops.table(
        to_temperature, odeint(derivative, start, grid_s, method="rk4").T
    )
    error = rolled - truth[:, ::3]
    even = {k: v[:, ::3] for k, v in known.items()}
    out = evaluate(ops, spec, even, temperature_K=rolled)
    # The discrete heat balance over the window, in units of 0.02 K.
    total = (error / 0.02).square().mean() + output_losses(out, even)
    return total, float(error.detach().square().mean().sqrt())
