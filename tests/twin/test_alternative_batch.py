"""Batches of runs: counted charge, known heat shares, refusals."""

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.alternative_batch import batch_runs
from packtwin.twin.errors import TrainingError
from packtwin.twin.surrogate_core import inverse_temperature
from tests.twin.alternative_runs import bare_run, hybrid_runs


def test_charge_is_counted(synthetic_spec):
    run = hybrid_runs(synthetic_spec, [1], level_A=3.6)[0]
    batch = batch_runs(synthetic_spec, [run])
    passed_Ah = 3.6 * (300.0 - 0.5) / 3600.0
    assert synthetic_spec.constants.capacity_Ah == pytest.approx(5.6 * 0.9)
    assert batch.soc[0, -1] == pytest.approx(run.start_soc - passed_Ah / (5.6 * 0.9))
    assert batch.mean_A[0, :3].tolist() == [0.0, 1.8, 3.6]


def test_shorter_runs_are_padded_and_not_learned_from(synthetic_spec):
    runs = [hybrid_runs(synthetic_spec, [k], n=n)[0] for k, n in ((1, 50), (2, 80))]
    batch = batch_runs(synthetic_spec, runs)
    assert batch.voltage_V.shape == (2, 80)
    assert batch.is_learnable.sum(axis=1).tolist() == [50, 80]


def test_open_circuit_voltage_is_that_of_the_hybrid_at_rest(synthetic_spec):
    run = hybrid_runs(synthetic_spec, [1], level_A=0.0)[0]
    batch = batch_runs(synthetic_spec, [run])
    np.testing.assert_allclose(batch.ocv_V[0], run.series["voltage_V"], atol=1e-6)


def test_the_share_of_heat_is_found(synthetic_spec):
    runs = hybrid_runs(synthetic_spec, [1, 2])
    batch = batch_runs(synthetic_spec, runs)
    assert batch.heat_share == 1.0
    loss_W = batch.current_A * (batch.ocv_V - batch.voltage_V)
    told = [
        replace(run, series={**run.series, "heat_irreversible_W": 0.6 * row})
        for run, row in zip(runs, loss_W, strict=True)
    ]
    assert batch_runs(synthetic_spec, told).heat_share == pytest.approx(0.6)


def test_inverse_temperature_is_zero_at_the_reference(synthetic_spec):
    c = synthetic_spec.constants
    assert inverse_temperature(c, c.reference_temperature_K) == 0.0
    assert inverse_temperature(c, 250.0) == pytest.approx(4.0 - 1000.0 / 298.15)


def test_no_runs_and_differing_steps_are_refused(synthetic_spec):
    with pytest.raises(TrainingError, match="No runs were given"):
        batch_runs(synthetic_spec, [])
    run = bare_run(1)
    slow = replace(run, time_s=2.0 * run.time_s)
    with pytest.raises(TrainingError, match=r"one sampling step, got \[1.0, 2.0\] s"):
        batch_runs(synthetic_spec, [run, slow])
