"""Runs as tensors: the core rolled once over all of them.

Nothing learned moves the core, so its states along a run follow from the run's current
and temperature alone. They are computed once; what is left of the training is a
regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import TypeAlias, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate import (
    CellOutputs,
    cell_outputs,
    closure_inputs,
)
from packtwin.twin.surrogate_core import (
    CORE_VIEW,
    CoreView,
    Potentials,
    core_step,
    potentials,
    rest_core,
    view_core,
)
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_loss import SCALES
from packtwin.twin.trajectory import Trajectory

__all__ = [
    "TrainingBatch",
    "evaluate",
    "features_of",
    "make_batch",
]

Array: TypeAlias = NDArray[np.float64]

_POTENTIALS = tuple(f.name for f in fields(Potentials))
_COLUMNS = (
    *CORE_VIEW,
    *_POTENTIALS,
    "temperature_K",
    "current_A",
    *SCALES,
    "balance_W",
    "is_balanced",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingBatch:
    """All runs, padded to one length.

    Attributes:
        step_s: Sampling step.
        columns: float32, shape `(run, n, column)`: view, modes, potentials, targets.
        is_learnable: Shape `(run, n)`.
        coolant_K: Shape `(run, n)`.
        conductance_W_per_K: Shape `(run,)`.
        names: Of the columns.
    """

    step_s: float
    columns: Tensor
    is_learnable: Tensor
    coolant_K: Tensor
    conductance_W_per_K: Tensor
    names: tuple[str, ...] = field(default=())

    def at(self, rows: Tensor) -> dict[str, Tensor]:
        """Return named columns of rows of shape `(..., column)`."""
        return dict(zip(self.names, rows.unbind(-1), strict=True))


def make_batch(runs: Sequence[Trajectory], spec: SurrogateSpec) -> TrainingBatch:
    """Return runs of one sampling step as one batch, the shorter ones padded.

    The core of `spec` advances with the mean current of each step and the run's own
    temperature, as the deployed step does with its own.
    """
    n, c = max(len(run.time_s) for run in runs), spec.constants
    steps = {round(float(run.time_s[1] - run.time_s[0]), 9) for run in runs}
    if len(steps) != 1:
        msg = f"Training runs must share one sampling step, got {sorted(steps)} s."
        raise TrainingError(msg)
    step_s = steps.pop()

    def stack(values: list[Array]) -> Tensor:
        padded = [np.pad(v, (0, n - len(v)), mode="edge") for v in values]
        return torch.tensor(np.stack(padded))

    learnable = [
        np.pad(
            run.is_valid if run.is_learnable is None else run.is_learnable,
            (0, n - len(run.time_s)),
        )
        for run in runs
    ]
    is_learnable = torch.tensor(np.stack(learnable))
    temperature_K = stack([run.series["temperature_K"] for run in runs])
    current_A = stack([run.current_A for run in runs])
    coolant_K = stack([run.coolant_temperature_K for run in runs])
    conductance = torch.tensor(
        [run.heat_transfer_coefficient_W_per_m2K * c.cooling_area_m2 for run in runs]
    )
    known = {"temperature_K": temperature_K, "current_A": current_A}
    for key in SCALES:
        known[key] = stack([_target(run, key) for run in runs])
    known |= _balance(
        spec, known, coolant_K, conductance[:, None], step_s, is_learnable
    )
    start_soc = torch.tensor([run.start_soc for run in runs])
    names = (*_COLUMNS, *(f"mode_{k + 1}" for k in range(spec.n_mode)))
    columns = torch.zeros((len(runs), n, len(names)), dtype=torch.float32)
    for key, value in known.items():
        columns[..., names.index(key)] = value.float()
    lengths = torch.tensor([len(run.time_s) for run in runs])
    driven = (start_soc, current_A, temperature_K, step_s)
    _roll_core(spec, columns, names, lengths, driven)
    return TrainingBatch(
        step_s=step_s,
        columns=columns,
        is_learnable=is_learnable,
        coolant_K=coolant_K.float(),
        conductance_W_per_K=conductance.float(),
        names=names,
    )


def _target(run: Trajectory, key: str) -> Array:
    if key == "heat_generation_W":
        total: Array = run.series["heat_irreversible_W"]
        return total + run.series["heat_reversible_W"]
    return run.series[key]


@torch.no_grad()
def _balance(
    spec: SurrogateSpec,
    known: dict[str, Tensor],
    coolant_K: Tensor,
    conductance: Tensor,
    step_s: float,
    is_learnable: Tensor,
) -> dict[str, Tensor]:
    """Return the heat that the recorded temperatures imply, where current is held.

    The discrete energy balance over two steps, `dH/dt + h A (T - T_coolant)`.
    """
    ops = TorchOperations({})
    temperature_K, current_A = known["temperature_K"], known["current_A"]
    heat_J = ops.table(spec.tables["heat_content_J"], temperature_K)
    implied_W = conductance * (temperature_K - coolant_K)
    implied_W[:, 1:-1] += (heat_J[:, 2:] - heat_J[:, :-2]) / (2.0 * step_s)
    is_held = torch.zeros_like(is_learnable)
    change_A = current_A.diff(dim=1).abs() < 1e-9
    is_held[:, 1:-1] = change_A[:, 1:] & change_A[:, :-1] & is_learnable[:, 2:]
    return {"balance_W": implied_W, "is_balanced": is_held.double()}


@torch.no_grad()
def _roll_core(
    spec: SurrogateSpec,
    columns: Tensor,
    names: tuple[str, ...],
    lengths: Tensor,
    driven: tuple[Tensor, Tensor, Tensor, float],
) -> None:
    """Fill in views and potentials at all samples, the padding left out."""
    start_soc, current_A, temperature_K, step_s = driven
    c, tables, ops = spec.constants, spec.tables, TorchOperations({})
    # The longest run first, so that those still going on are the first ones.
    order = torch.argsort(lengths, descending=True, stable=True)
    going_on = (lengths[:, None] > torch.arange(columns.shape[1])).sum(dim=0).tolist()
    core = rest_core(c, start_soc[order])
    h = torch.tensor(step_s, dtype=start_soc.dtype)
    mean_A = 0.5 * (current_A[:, 1:] + current_A[:, :-1])
    modes = (f"mode_{k + 1}" for k in range(spec.n_mode))
    at = [names.index(key) for key in (*CORE_VIEW, *modes, *_POTENTIALS)]
    for j, count in enumerate(going_on):
        rows = order[:count]
        if j:
            core = [v[:count] for v in core]
            before_K, mean = temperature_K[rows, j - 1], mean_A[rows, j - 1]
            base, slope = core_step(ops, c, tables, core, temperature_K=before_K, h=h)
            core = [b + s * mean for b, s in zip(base, slope, strict=True)]
        view = view_core(c, core)
        known = potentials(
            ops,
            c,
            tables,
            view,
            temperature_K=temperature_K[rows, j],
            scaled_current_A=current_A[rows, j],
        )
        values = view.flat() + [getattr(known, k) for k in _POTENTIALS]
        columns[rows[:, None], j, at] = torch.stack(values, dim=-1).float()


def _seen(spec: SurrogateSpec, known: dict[str, Tensor]) -> tuple[CoreView, Potentials]:
    modes = [known[f"mode_{k + 1}"] for k in range(spec.n_mode)]
    return (
        CoreView(**{k: known[k] for k in CORE_VIEW}, modes=modes),
        Potentials(**{k: known[k] for k in _POTENTIALS}),
    )


def evaluate(
    ops: TorchOperations,
    spec: SurrogateSpec,
    known: dict[str, Tensor],
    *,
    temperature_K: Tensor | None = None,
) -> CellOutputs:
    """Return the cell's outputs for named columns of one shape.

    Args:
        ops: Back end with the weights.
        spec: The surrogate.
        known: Columns of a `TrainingBatch`.
        temperature_K: In place of the recorded temperature.
    """
    if temperature_K is None:
        temperature_K = known["temperature_K"]
    return cell_outputs(
        ops,
        spec.constants,
        *_seen(spec, known),
        temperature_K=temperature_K,
        current_A=known["current_A"],
        scaled_current_A=known["current_A"],
    )


@torch.no_grad()
def features_of(
    ops: TorchOperations, spec: SurrogateSpec, known: dict[str, Tensor]
) -> Tensor:
    """Return the features that the network sees, shape `(..., feature)`."""
    given = closure_inputs(
        ops,
        spec.constants,
        *_seen(spec, known),
        temperature_K=known["temperature_K"],
        scaled_current_A=known["current_A"],
    )
    return torch.stack(given.features, dim=-1)
