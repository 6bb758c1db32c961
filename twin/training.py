"""Training of the hybrid cell: filtered physics first, closed-loop rollouts second.

Stage one: the true temperature and current drive the mode filters (a parallel scan),
and the outputs are fitted at random samples; all weights learn. Stage two: the
temperature is predicted in closed loop, integrated through `torchdiffeq` over windows
of the runs, so that the heat is right where it accumulates.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchdiffeq import odeint

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate import (
    CORRECTIONS,
    CellOutputs,
    cell_outputs,
    feature_count,
    mode_rates,
)
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations, mode_scan
from packtwin.twin.table import Table
from packtwin.twin.trajectory import Trajectory, count_charge

__all__ = ["TrainingConfig", "start_weights", "train_surrogate"]

logger = logging.getLogger(__name__)
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
    iterations: int = 8000
    rollout_iterations: int = 150
    rollout_window_s: float = 120.0
    learning_rate: float = 4e-3
    samples: int = 200
    mode_stride: int = 4
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


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
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


def _batch(runs: Sequence[Trajectory], c: CellConstants) -> _Batch:
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
    return _Batch(
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


def _filtered(ops: TorchOperations, c: CellConstants, n: int, b: _Batch) -> Tensor:
    """Return the modes of all runs at all samples, driven by the true temperature."""
    mid_x = 0.5 * (b.x[:, 1:] + b.x[:, :-1])
    mid_T = 0.5 * (b.temperature_K[:, 1:] + b.temperature_K[:, :-1])
    rates = torch.stack(mode_rates(ops, c, n, mid_x, mid_T), dim=-1)
    decay = torch.exp(-b.step_s * rates)
    return mode_scan(decay, b.mean_rate, torch.zeros(len(b.x), n))


def _evaluate(
    ops: TorchOperations,
    spec: SurrogateSpec,
    *,
    x: Tensor,
    y: Tensor,
    modes: Tensor,
    temperature_K: Tensor,
    rate: Tensor,
) -> CellOutputs:
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


def _losses(
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
    batch = _batch(runs, constants)
    report = progress or (lambda _fraction, _message: None)
    history = _fit_outputs(ops, spec, batch, config, report)
    rollout = _fit_rollouts(ops, spec, batch, config, report)
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
    b: _Batch,
    config: TrainingConfig,
    report: Callable[[float, str], None],
) -> dict[str, float]:
    generator = torch.Generator().manual_seed(config.seed)
    n_run, n_sample = b.rate.shape
    optimizer = torch.optim.Adam(ops.parameters(), lr=config.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=config.iterations, pct_start=0.1
    )
    row = torch.arange(n_run)[:, None]
    good = {k: v.clone() for k, v in ops.state_dict().items()}
    last: dict[str, float] = {}
    filtered = torch.empty(0)
    for iteration in range(config.iterations):
        column = torch.randint(n_sample, (n_run, config.samples), generator=generator)
        weight = b.is_valid[row, column].float()
        if iteration % config.mode_stride == 0:
            filtered = _filtered(ops, spec.constants, spec.n_mode, b)
            modes = filtered[row, column]
            filtered = filtered.detach()
        else:
            modes = filtered[row, column]
        out = _evaluate(
            ops,
            spec,
            x=b.x[row, column],
            y=b.y[row, column],
            modes=modes,
            temperature_K=b.temperature_K[row, column],
            rate=b.rate[row, column],
        )
        targets = {k: v[row, column] for k, v in b.targets.items()}
        losses = _losses(out, targets, weight)
        total = torch.stack(
            [LOSS_WEIGHTS.get(k, 0.1) * v for k, v in losses.items()]
        ).sum()
        if not torch.isfinite(total):
            ops.load_state_dict(good)
            msg = (
                f"Training diverged at iteration {iteration} (loss "
                f"{float(total.detach())}); lower the learning rate. The last good "
                "weights were kept."
            )
            raise TrainingError(msg)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(ops.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        if iteration % 50 == 0 or iteration == config.iterations - 1:
            good = {k: v.clone() for k, v in ops.state_dict().items()}
            last = {k: float(v.detach()) for k, v in losses.items()}
            report(
                0.85 * (iteration + 1) / config.iterations,
                f"{float(total.detach()):.3f}",
            )
            logger.debug("iteration %d: %s", iteration, last)
    return last


def _fit_rollouts(
    ops: TorchOperations,
    spec: SurrogateSpec,
    b: _Batch,
    config: TrainingConfig,
    report: Callable[[float, str], None],
) -> float:
    """Closed-loop temperature over windows, through torchdiffeq's RK4.

    torchdiffeq's RK4 is the 3/8 rule: three samples a step put its stages on samples.
    """
    length = min(round(config.rollout_window_s / b.step_s), b.rate.shape[1] - 1)
    length -= length % 3
    whole = b.is_valid.float().unfold(1, length + 1, 1).min(dim=-1).values
    run_index, begin_index = torch.nonzero(whole, as_tuple=True)
    if config.rollout_iterations == 0 or len(run_index) == 0 or length < 3:
        return float("nan")
    generator = torch.Generator().manual_seed(config.seed + 1)
    optimizer = torch.optim.Adam(ops.parameters(), lr=0.05 * config.learning_rate)
    offsets = torch.arange(length + 1)
    value = float("nan")
    for iteration in range(config.rollout_iterations):
        pick = torch.randint(len(run_index), (256,), generator=generator)
        row, column = run_index[pick][:, None], begin_index[pick][:, None] + offsets
        total, value = _rollout_loss(ops, spec, b, row, column)
        if not torch.isfinite(total):
            msg = f"The rollouts diverged at iteration {iteration}."
            raise TrainingError(msg)
        optimizer.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(ops.parameters(), 10.0)
        optimizer.step()
        done = 0.85 + 0.15 * (iteration + 1) / config.rollout_iterations
        report(done, f"{value:.3f} K")
    return value


def _rollout_loss(
    ops: TorchOperations, spec: SurrogateSpec, b: _Batch, row: Tensor, column: Tensor
) -> tuple[Tensor, float]:
    c = spec.constants
    known = {
        "x": b.x[row, column],
        "y": b.y[row, column],
        "modes": _filtered(ops, c, spec.n_mode, b)[row, column],
        "rate": b.rate[row, column],
    }
    coolant, conductance = b.coolant_K[row, column], b.conductance_W_per_K[row[:, 0]]

    to_temperature, to_heat = (
        spec.tables["temperature_K"],
        spec.tables["heat_content_J"],
    )

    def derivative(t: Tensor, heat_content: Tensor) -> Tensor:
        j = round(float(t) / b.step_s)
        now = {k: v[:, j] for k, v in known.items()}
        temperature = ops.table(to_temperature, heat_content)
        out = _evaluate(ops, spec, temperature_K=temperature, **now)
        loss_W = conductance * (temperature - coolant[:, j])
        net: Tensor = out.heat_generation_W - loss_W
        return net

    truth = b.temperature_K[row, column]
    start = ops.table(to_heat, truth[:, 0])
    grid_s = torch.arange(0, column.shape[1], 3).float() * b.step_s
    rolled = ops.table(
        to_temperature, odeint(derivative, start, grid_s, method="rk4").T
    )
    error = rolled - truth[:, ::3]
    even = {k: v[:, ::3] for k, v in known.items()}
    out = _evaluate(ops, spec, temperature_K=rolled, **even)
    targets = {k: v[row, column][:, ::3] for k, v in b.targets.items()}
    losses = _losses(out, targets, torch.ones_like(rolled))
    fit = torch.stack([LOSS_WEIGHTS.get(k, 0.1) * v for k, v in losses.items()])
    # The discrete heat balance over the window, in units of 0.1 K.
    return (error / 0.1).square().mean() + fit.sum(), float(
        error.detach().square().mean().sqrt()
    )
