"""The neural ODE: torch = CasADi, seeds, and learning a synthetic cell."""

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from packtwin.twin.alternative import FitPlan, predictor_errors  # noqa: E402
from packtwin.twin.alternative_batch import batch_runs  # noqa: E402
from packtwin.twin.alternative_neural_ode import NeuralOde, NeuralOdeModule  # noqa: E402
from packtwin.twin.alternative_step import Instant  # noqa: E402
from packtwin.twin.errors import TrainingError  # noqa: E402
from tests.twin.alternative_runs import hybrid_runs  # noqa: E402

SMALL = NeuralOde(latent=3, hidden=8, block=20)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def runs(synthetic_spec):
    return hybrid_runs(synthetic_spec, range(8), n=201)


def instant(row):
    """What a core sees when its features are those of a row."""
    c_rate, theta, charge = row.tolist()
    return Instant(
        current_A=5.0 * c_rate,
        c_rate=c_rate,
        soc=charge / 4.0 + 0.5,
        theta=theta / 4.0,
        ocv_V=0.0,
    )


def test_one_block_of_torchdiffeq_is_one_step_of_casadi(synthetic_spec, runs):
    torch.manual_seed(0)
    module = NeuralOdeModule(synthetic_spec, batch_runs(synthetic_spec, runs), SMALL)
    with torch.no_grad():
        want = module.predicted(torch.arange(1), 4)[0].numpy()
    core, z = module.core(), ca.DM.zeros(3)
    for k in range(4):
        z = core.advance(z, instant(module.moving[0, k]), 20.0)
        y = core.outputs(z, instant(module.reading[0, k + 1]))
        np.testing.assert_allclose([float(v) for v in y], want[k + 1], atol=1e-5)


def test_constant_drive_relaxes_exponentially(synthetic_spec, runs):
    """With a drive that is constant, `z` goes to it with its time constant."""
    torch.manual_seed(0)
    core = NeuralOdeModule(
        synthetic_spec, batch_runs(synthetic_spec, runs), SMALL
    ).core()
    flat = [(np.zeros_like(m), np.full_like(b, 0.7)) for m, b in core.drive]
    relaxing = replace(core, drive=flat, time_constants_s=np.array([5.0, 50.0, 500.0]))
    z = ca.DM.zeros(3)
    for _ in range(100):
        z = relaxing.advance(z, instant(np.zeros(3)), 0.5)
    wanted = -0.7 * np.expm1(-50.0 / relaxing.time_constants_s)
    np.testing.assert_allclose(z.full().ravel(), wanted, rtol=1e-5)


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
    for iterations in (1, 60):
        plan = FitPlan(iterations=iterations, seed=1)
        predictor = SMALL.fit(synthetic_spec, runs[:6], plan)
        errors = predictor_errors(predictor, runs[6:])
        rms.append(np.mean([e.rms["voltage_V"] for e in errors]))
    assert rms[1] < 0.7 * rms[0]


def test_runs_shorter_than_a_block_are_refused(synthetic_spec):
    short = hybrid_runs(synthetic_spec, [1], n=8)
    with pytest.raises(TrainingError, match="at most 8 samples"):
        SMALL.fit(synthetic_spec, short, FitPlan(iterations=1))
