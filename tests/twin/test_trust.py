"""Bounds and guard: what they promise is what is counted."""

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest
import torch

from packtwin.twin.calibration import calibrate
from packtwin.twin.coverage import (
    TrustedRun,
    coverage_by_bin,
    coverage_of,
    follow_runs,
    judge_guard,
)
from packtwin.twin.errors import CertificateError
from packtwin.twin.surrogate_casadi import (
    CasadiOperations,
)
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_trust import fit_mixture
from packtwin.twin.trust import BOUND_LEVEL, FALSE_ALARM_SHARE
from tests.twin.made_runs import made_run


def test_mixture_finds_the_gaussians_it_is_drawn_from():
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(20_000, 2, generator=generator, dtype=torch.float64)
    shape = torch.tensor([[0.5, 0.0], [0.3, 0.4]], dtype=torch.float64)
    left = noise[:15_000] @ shape.T + torch.tensor([-2.0, 0.0])
    right = 0.5 * noise[15_000:] + torch.tensor([2.0, 1.0])
    weights, means, covariances = fit_mixture(torch.cat([left, right]), 2, generator)
    order = torch.argsort(means[:, 0])
    torch.testing.assert_close(
        weights[order],
        torch.tensor([0.75, 0.25], dtype=torch.float64),
        atol=0.01,
        rtol=0,
    )
    torch.testing.assert_close(
        means[order],
        torch.tensor([[-2.0, 0.0], [2.0, 1.0]], dtype=torch.float64),
        atol=0.03,
        rtol=0,
    )
    torch.testing.assert_close(
        covariances[order[0]], shape @ shape.T, atol=0.03, rtol=0
    )


def test_distance_is_the_likelihood_of_the_mixture(synthetic_spec):
    """Against the density of the two Gaussians written out."""
    w = synthetic_spec.weights
    n = w["guard_matrix"].shape[1]
    rng = np.random.default_rng(0)
    points = rng.normal(0.0, 10.0, (50, n))
    density = np.zeros(50)
    for k in range(2):
        gap = points @ w["guard_matrix"][k * n : (k + 1) * n].T
        density += np.exp(w["guard_constant"][k] - 0.5 * np.sum(gap**2, axis=1))
    low, high = w["guard_range"]
    want = (-np.log(density) - low) / (high - low)
    ops = TorchOperations(w)
    got = ops.distance(list(torch.tensor(points).unbind(-1))).detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_distance_far_from_every_gaussian_is_finite_in_both_runtimes(synthetic_spec):
    n = synthetic_spec.weights["guard_matrix"].shape[1]
    rng = np.random.default_rng(0)
    far = rng.normal(0.0, 3000.0, (200, n))
    torched = TorchOperations(synthetic_spec.weights).distance(
        list(torch.tensor(far).unbind(-1))
    )
    ops, x = CasadiOperations(synthetic_spec.weights), ca.MX.sym("x", n)
    function = ca.Function("distance", [x], [ops.distance(ca.vertsplit(x))])
    got = function(far.T).full()[0]
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, torched.detach().numpy(), rtol=1e-12)


@pytest.fixture(scope="module")
def disturbed(synthetic_spec):
    """Runs of a cell whose true voltage is noisy about the surrogate's."""
    rng = np.random.default_rng(1)
    runs = []
    for seed in range(6):
        run = made_run(synthetic_spec, seed)
        noise = rng.normal(0.0, 0.004, len(run.time_s))
        series = {
            **run.series,
            "voltage_V": run.series["voltage_V"] + noise,
            "plating_potential_V": run.series["plating_potential_V"] + 0.5 * noise,
        }
        runs.append(replace(run, series=series))
    return runs


def test_calibrated_bound_covers_its_level_and_the_guard_its_share(
    synthetic_spec, disturbed
):
    spec = calibrate(synthetic_spec, disturbed)
    followed = follow_runs(spec, disturbed)
    for output in ("voltage_V", "plating_potential_V"):
        covered = coverage_of(followed, output)
        assert covered.share == pytest.approx(BOUND_LEVEL, abs=1e-3)
        assert covered.low <= covered.share <= covered.high
    guard = judge_guard(followed)
    assert guard.alarm_share == pytest.approx(FALSE_ALARM_SHARE, abs=1e-3)


def test_calibration_without_runs_is_refused(synthetic_spec):
    with pytest.raises(CertificateError, match="0 calibration runs were given"):
        calibrate(synthetic_spec, [])


def made(errors, distances):
    n = len(errors)
    both = {k: np.array(errors) for k in ("voltage_V", "plating_potential_V")}
    return TrustedRun(
        name="made",
        error_V=both,
        bound_V={k: np.ones(n) for k in both},
        distance=np.array(distances),
        temperature_K=np.linspace(280.0, 300.0, n),
        c_rate=np.zeros(n),
        soc=np.full(n, 0.5),
    )


def test_guard_counts_what_was_flagged_before_the_error():
    early = made([0.5, 4.0, 4.0], [2.0, 0.0, 0.0])  # flagged one step before
    late = made([4.0, 4.0, 0.5], [0.0, 2.0, 0.0])  # flagged at the second of two
    record = judge_guard([early, late, made([0.5, 0.5], [0.0, 0.0])])
    assert (record.n_exceedance, record.n_run) == (4, 2)
    assert record.flagged_share == 0.75
    assert record.alarm_share == 2 / 8


def test_coverage_counts_samples_widths_and_bins():
    run = made([0.5, -0.5, 2.0, -0.5], [0.0, 0.0, 3.0, 0.0])
    whole = coverage_of([run], "voltage_V")
    assert (whole.share, whole.n_sample) == (0.75, 4)
    assert whole.width_over_rms == pytest.approx(2.0 / np.sqrt(4.75 / 4))
    assert coverage_of([run], "voltage_V", in_domain=True).share == 1.0
    bins = coverage_by_bin([run], "voltage_V", "temperature_K", (270.0, 290.0, 310.0))
    assert bins == [(270.0, 290.0, 1.0, 2), (290.0, 310.0, 0.5, 2)]
