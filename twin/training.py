"""Training of the hybrid cell: a regression on the rolled core, then closed loops.

Stage one fits the outputs at random samples of all runs, the core's states and the true
temperature given. A residual of the laws of thermodynamics is added with a weight that
keeps the norm of its gradient at a set share of the data's. Every so often the error on
runs kept aside is measured; the best weights are kept, and training stops when it has
not improved for long. Stage two predicts the temperature in closed loop, integrated
through `torchdiffeq` over windows of the runs, so that the heat is right where it
accumulates. Bounds and guard are fitted afterwards (`training_trust`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate import CORRECTIONS, count_excitations, count_features
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.table import Table
from packtwin.twin.training_batch import make_batch
from packtwin.twin.training_regression import Regression, TrainingConfig
from packtwin.twin.training_rollout import RolloutPlan, fit_rollouts
from packtwin.twin.trajectory import Trajectory

__all__ = ["start_weights", "train_surrogate"]

logger = logging.getLogger(__name__)
Array: TypeAlias = NDArray[np.float64]


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
            message tells the iteration and the last good loss, `last_good` is the spec
            with the best weights until then.
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
        regression = Regression(ops, spec, batch, config)
        try:
            history = regression.fit(report)
            rollout = fit_rollouts(ops, spec, batch, plan, _later(report, 0.9))
        except TrainingError as error:
            end = {"seed": config.seed, "diverged_at": error.iteration}
            error.last_good = replace(
                spec, weights=ops.arrays(), provenance={**(provenance or {}), **end}
            )
            raise
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
        weights=ops.arrays(),
        provenance={**(provenance or {}), **facts},
    )


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


def _later(
    report: Callable[[float, str], None], start: float
) -> Callable[[float, str], None]:
    return lambda fraction, text: report(start + (1.0 - start) * fraction, text)
