"""Closed loops of the temperature, on runs whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_batch import make_batch
from packtwin.twin.training_rollout import RolloutPlan, fit_rollouts
from tests.twin.made_runs import made_run

WINDOW_S = 60.0


def error_K(spec, batch, seed: int = 1) -> float:
    """Return the rms error of one iteration's windows, weights as they are."""
    ops = TorchOperations(spec.weights, dtype=torch.float32)
    plan = RolloutPlan(iterations=1, window_s=WINDOW_S, learning_rate=0.0, seed=seed)
    return fit_rollouts(ops, spec, batch, plan, lambda _share, _text: None)


def made_batch(spec):
    return make_batch([made_run(spec, seed, 121) for seed in range(4)], spec)


def test_the_spec_that_made_the_runs_keeps_their_temperature(synthetic_spec):
    assert error_K(synthetic_spec, made_batch(synthetic_spec)) < 2e-3


def test_heat_that_is_missing_accumulates_as_the_balance_says(synthetic_spec):
    run, missing_W = made_run(synthetic_spec, 1, 121), 0.5
    batch = make_batch([run], synthetic_spec)
    batch.columns[..., batch.names.index("heat_generation_W")] += missing_W
    batch.conductance_W_per_K.zero_()
    # Nothing leaves: the error is a straight line, sampled at every third stage.
    stride_s = batch.step_s * 3 * 10
    share = np.arange(0.0, WINDOW_S + 1e-9, stride_s) / WINDOW_S
    seen_K = run.series["temperature_K"]
    ends_K = np.array([seen_K.min(), seen_K.max()])
    heat_J = synthetic_spec.tables["heat_content_J"].numpy(ends_K)
    capacity_J_per_K = np.diff(heat_J)[0] / np.diff(ends_K)[0]
    end_K = missing_W * WINDOW_S / capacity_J_per_K
    wanted_K = end_K * np.sqrt(np.mean(share**2))
    assert error_K(synthetic_spec, batch) == pytest.approx(wanted_K, rel=0.03)


def test_a_window_longer_than_every_run_is_cut(synthetic_spec):
    batch = make_batch([made_run(synthetic_spec, 0, 40)], synthetic_spec)
    assert np.isfinite(error_K(synthetic_spec, batch))
