"""The residual that keeps every instantaneous resistance positive."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from packtwin.twin.surrogate import CORRECTIONS, count_excitations
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training import start_weights
from packtwin.twin.training_batch import make_batch
from packtwin.twin.training_monotony import monotony_loss
from packtwin.twin.training_regression import TrainingConfig
from tests.twin.made_runs import made_run


@pytest.fixture(scope="module")
def states(synthetic_spec):
    batch = make_batch(
        [made_run(synthetic_spec, seed) for seed in range(3)], synthetic_spec
    )
    return batch.at(batch.columns[batch.is_learnable])


def loss_of(spec, states, row, per_c_rate):
    """Return weights and loss where a correction is a number times the C-rate."""
    n = count_excitations(spec.n_mode)
    weights = start_weights(spec.n_mode, TrainingConfig(hidden=(4,)))
    weights["closure_matrix_1"] *= 0.0
    weights["closure_bias_1"] = np.zeros(len(CORRECTIONS) * n)
    weights["closure_bias_1"][CORRECTIONS.index(row) * n] = per_c_rate
    ops = TorchOperations(weights, dtype=torch.float32)
    generator = torch.Generator().manual_seed(1)
    return ops, monotony_loss(ops, spec, states, generator)


def test_textbook_kinetics_are_monotonic(synthetic_spec, states):
    _, loss = loss_of(synthetic_spec, states, "voltage", 0.0)
    assert loss.detach() == 0.0


@pytest.mark.parametrize("row", ["voltage", "plating"])
def test_a_negative_resistance_costs_and_descent_mends_it(synthetic_spec, states, row):
    ops, wrong = loss_of(synthetic_spec, states, row, -5.0)  # half a volt at 1C
    _, right = loss_of(synthetic_spec, states, row, 5.0)
    assert right.detach() == 0.0
    assert wrong.detach() > 1.0
    wrong.backward()
    at = CORRECTIONS.index(row) * count_excitations(synthetic_spec.n_mode)
    assert ops.weights["closure_bias_1"].grad[at] < 0.0
