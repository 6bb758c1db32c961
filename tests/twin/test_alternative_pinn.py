"""The physics-informed network: exact solutions, what it answers and what not."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from packtwin.twin.alternative import FitPlan, predictor_errors  # noqa: E402
from packtwin.twin.alternative_pinn import (  # noqa: E402
    Pinn,
    PinnModule,
    particle_residual,
)
from packtwin.twin.alternative_pinn_hold import hold_of  # noqa: E402
from packtwin.twin.errors import TrainingError  # noqa: E402
from packtwin.twin.particle import graded_particle, mean_of  # noqa: E402
from packtwin.twin.surrogate_torch import TorchOperations  # noqa: E402
from packtwin.twin.table import fit_table  # noqa: E402
from tests.twin.alternative_runs import bare_run, hybrid_runs  # noqa: E402

SMALL = Pinn(hidden=12, points=64, samples=256)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def columns(n, seed=0):
    """Random times, starts, C-rates and inverse temperatures."""
    rng = np.random.default_rng(seed)
    spans = ((1.0, 300.0), (0.4, 0.6), (-1.0, 1.0), (-0.1, 0.3))
    return torch.tensor(
        np.stack([rng.uniform(*span, n) for span in spans], axis=-1),
        dtype=torch.float64,
    )


def test_the_residual_of_the_steady_profile_is_zero():
    """With a constant diffusivity all shells rise alike in the end, on a parabola."""
    particle, rate = graded_particle(8, 2.0, 1e-3), 2e-4
    g = np.linspace(0.0, 1.0, 401)
    shells, passed = [torch.zeros(1, dtype=torch.float64) + 0.3], 0.0
    for share, coupling in zip(
        particle.shares[:-1], particle.couplings_per_s, strict=True
    ):
        passed += share * rate
        shells.append(shells[-1] + passed / coupling)
    residual = particle_residual(
        TorchOperations({}),
        particle,
        fit_table(g, g),
        shells,
        [torch.full_like(shells[0], rate)] * 8,
        factor=1.0,
        mean_rate_per_s=rate,
    )
    assert residual.abs().max() < 1e-11
    assert shells[-1] > shells[0]


@pytest.fixture(scope="module")
def module(synthetic_spec):
    torch.manual_seed(0)
    made = PinnModule(synthetic_spec, 12).double()
    made.ops = TorchOperations({})
    return made


def test_slopes_are_the_derivatives_over_time(module):
    at, h = columns(20), 1e-3
    step = torch.tensor([h, 0.0, 0.0, 0.0], dtype=torch.float64)
    with torch.no_grad():
        later, sooner, now = (
            module._particles(at + k * step) for k in (1.0, -1.0, 0.0)
        )
    for a, b, c in zip(later, sooner, now, strict=True):
        for upper, lower, slope in zip(a[2], b[2], c[3], strict=True):
            np.testing.assert_allclose((upper - lower) / (2.0 * h), slope, atol=1e-9)


def test_lithium_is_counted_whatever_the_network_says(module, synthetic_spec):
    c, at = synthetic_spec.constants, columns(20)
    with torch.no_grad():
        (particle, side, shells, _, _), _ = module._particles(at)
    assert side == "negative"
    passed = at[:, 0] * at[:, 2] * 5.0 / (3600.0 * c.negative_capacity_Ah)
    wanted = 0.03 + 0.9 * at[:, 1] - passed
    np.testing.assert_allclose(mean_of(particle, shells), wanted, atol=1e-14)


def test_only_the_first_constant_current_is_answered(synthetic_spec):
    runs = hybrid_runs(synthetic_spec, range(3))
    predictor = SMALL.fit(synthetic_spec, runs, FitPlan(iterations=2))
    out = predictor.follow(runs[0])
    for key in ("voltage_V", "plating_potential_V", "temperature_K"):
        assert np.isfinite(out[key][1:20]).all()
        assert np.isnan(out[key][20:]).all()
        assert np.isnan(out[key][0])


def test_a_hold_counts_time_from_an_ideal_step():
    hold = hold_of(bare_run(1, level_A=2.0))
    assert hold.current_A == 2.0
    assert hold.samples == slice(1, 301)
    np.testing.assert_allclose(hold.time_s, np.arange(300) + 0.5)


def test_without_a_constant_current_there_is_no_fit(synthetic_spec):
    rest = hybrid_runs(synthetic_spec, [1], level_A=0.0)
    assert hold_of(rest[0]) is None
    with pytest.raises(TrainingError, match="None of 1 runs begins"):
        SMALL.fit(synthetic_spec, rest, FitPlan(iterations=1))


def test_the_own_temperature_is_that_of_the_heat_balance(synthetic_spec):
    """With the true voltage of a cell whose losses are all heat: implicit Euler."""
    run = hybrid_runs(synthetic_spec, [1], level_A=4.0)[0]
    hold = hold_of(run)
    still_K = hold.warmed_K(
        synthetic_spec,
        run.series["voltage_V"][1:],
        run.series["temperature_K"][1:],
        0.0,
    )
    warm_K = hold.warmed_K(
        synthetic_spec, run.series["voltage_V"][1:], run.series["temperature_K"][1:]
    )
    assert (warm_K > still_K).all()
    assert np.abs(warm_K - run.series["temperature_K"][1:]).max() < 1.0


def test_training_reduces_error_and_residual(synthetic_spec):
    levels = (-4.0, -2.0, 2.0, 4.0, 6.0, 3.0)
    runs = [
        hybrid_runs(synthetic_spec, [k], level_A=level_A)[0]
        for k, level_A in enumerate(levels)
    ]
    rms, residual = [], []
    for iterations in (1, 80):
        predictor = SMALL.fit(synthetic_spec, runs[:5], FitPlan(iterations=iterations))
        (error,) = predictor_errors(predictor, runs[5:])
        rms.append(error.rms["voltage_V"])
        with torch.no_grad():
            rows = predictor._module.residual(columns(200).float())
        residual.append(float(rows.square().mean()))
    assert rms[1] < 0.5 * rms[0]
    assert residual[1] < 0.5 * residual[0]
