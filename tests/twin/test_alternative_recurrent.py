"""The recurrent unit: torch = CasADi, seeds, and learning a synthetic cell."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from packtwin.twin.alternative import FitPlan, predictor_errors  # noqa: E402
from packtwin.twin.alternative_batch import batch_runs  # noqa: E402
from packtwin.twin.alternative_recurrent import Recurrent, RecurrentModule  # noqa: E402
from packtwin.twin.alternative_step import SteppedPredictor  # noqa: E402
from tests.twin.alternative_runs import hybrid_runs  # noqa: E402

SMALL = Recurrent(hidden=8)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(synthetic_spec):
    return hybrid_runs(synthetic_spec, range(8), n=201)


def test_the_deployed_step_is_the_trained_one(synthetic_spec, runs):
    """Over the true temperature: that of one step, from rest at the start."""
    torch.manual_seed(0)
    module = RecurrentModule(synthetic_spec, batch_runs(synthetic_spec, runs), 8)
    rows = torch.arange(len(runs))
    with torch.no_grad():
        want, _ = module.predicted(rows, slice(1, 2), None)
    predictor = SteppedPredictor("gru", synthetic_spec, module.core())
    for row, run in zip(want[:, 0], runs, strict=True):
        out = predictor.follow(run)
        # Torch reads with the recorded temperature, which one step hardly changes.
        got = [out[k][1] for k in ("voltage_V", "plating_potential_V")]
        np.testing.assert_allclose(got, row.numpy(), atol=1e-3)


def test_a_seed_determines_the_fit(synthetic_spec, runs):
    plans = [FitPlan(iterations=3, seed=seed) for seed in (1, 1, 2)]
    a, b, other = (
        SMALL.fit(synthetic_spec, runs, plan).follow(runs[0])["voltage_V"]
        for plan in plans
    )
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - other).max() > 1e-6


def test_training_reduces_the_error_on_runs_it_never_saw(synthetic_spec, runs):
    rms = []
    for iterations in (1, 120):
        plan = FitPlan(iterations=iterations, seed=1)
        predictor = SMALL.fit(synthetic_spec, runs[:6], plan)
        errors = predictor_errors(predictor, runs[6:])
        rms.append(np.mean([e.rms["voltage_V"] for e in errors]))
        assert {"plating_potential_V", "temperature_K"} <= set(errors[0].rms)
    assert rms[1] < 0.7 * rms[0]


def test_a_longer_step_is_cut_into_sampling_steps(synthetic_spec, runs):
    predictor = SMALL.fit(synthetic_spec, runs, FitPlan(iterations=1))
    assert predictor.step_map.substep_s == 1.0
    assert predictor.step_map.substep_count(10.0) == 10
