"""Bounds and guard: what they promise is what is counted."""

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest
import torch

from packtwin.twin import training_trust
from packtwin.twin.calibration import (
    calibrate,
    calibrate_tolerance,
    declare_tolerance,
)
from packtwin.twin.coverage import (
    TrustedRun,
    coverage_by_bin,
    coverage_of,
    follow_runs,
    judge_guard,
)
from packtwin.twin.errors import CertificateError, TrainingError
from packtwin.twin.surrogate_casadi import (
    CasadiOperations,
    casadi_network,
    network_layers,
)
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_torch import TorchOperations
from packtwin.twin.training_mixture import fit_mixture
from packtwin.twin.training_trust import TrustConfig, fit_trust
from packtwin.twin.trust import ALARM_SHARES, CALIBRATED_LEVEL
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


def test_distance_is_the_largest_of_likelihood_risk_and_pace(synthetic_spec):
    """Against the density of the two Gaussians and the network written out."""
    w = synthetic_spec.weights
    n = w["guard_matrix"].shape[1]
    rng = np.random.default_rng(0)
    points = rng.normal(0.0, 10.0, (50, n))
    density = np.zeros(50)
    for k in range(2):
        gap = points @ w["guard_matrix"][k * n : (k + 1) * n].T
        density += np.exp(w["guard_constant"][k] - 0.5 * np.sum(gap**2, axis=1))
    low, high = w["guard_range"]
    strange = (-np.log(density) - low) / (high - low)
    hidden = points @ w["risk_matrix_0"].T + w["risk_bias_0"]
    hidden = hidden / np.sqrt(1.0 + hidden**2)
    low, high = w["risk_range"]
    risk = (hidden @ w["risk_matrix_1"][0] + w["risk_bias_1"][0] - low) / (high - low)
    pace_K_per_s = rng.normal(0.0, 0.1, 50)
    low, high = w["pace_range"]
    pace = (np.abs(pace_K_per_s) - low) / (high - low)
    largest = np.argmax([strange, risk, pace], axis=0)
    assert set(largest) == {0, 1, 2}
    want = np.max([strange, risk, pace], axis=0)
    got = TorchOperations(w).distance(
        list(torch.tensor(points).unbind(-1)), torch.tensor(pace_K_per_s)
    )
    got = got.detach().numpy()
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_distance_far_from_every_gaussian_is_finite_in_both_runtimes(synthetic_spec):
    n = synthetic_spec.weights["guard_matrix"].shape[1]
    rng = np.random.default_rng(0)
    far = rng.normal(0.0, 3000.0, (200, n))
    torched = TorchOperations(synthetic_spec.weights).distance(
        list(torch.tensor(far).unbind(-1)), torch.zeros(200, dtype=torch.float64)
    )
    ops, x = CasadiOperations(synthetic_spec.weights), ca.MX.sym("x", n)
    function = ca.Function("distance", [x], [ops.distance(ca.vertsplit(x), 0.0)])
    got = function(far.T).full()[0]
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got, torched.detach().numpy(), rtol=1e-12)


def test_a_cell_that_warms_at_the_pace_of_the_threshold_is_outside(synthetic_spec):
    """At rest all heat comes from the coolant: h A (T_c - T) / C is the pace."""
    c = synthetic_spec.constants
    only_pace = {
        k: v
        for k, v in synthetic_spec.weights.items()
        if not k.startswith(("guard_", "risk_"))
    }
    spec = replace(synthetic_spec, weights=only_pace)
    low, high = spec.weights["pace_range"]
    cell = cell_step_map(spec)
    index = cell.interface.output_names.index("domain_distance")
    h_W_per_m2K, cell_K = 200.0, 290.0
    for pace_K_per_s in (0.0, low, high, -high, 3.0 * high):
        warmer_K = (
            pace_K_per_s * c.heat_capacity_J_per_K / (h_W_per_m2K * c.cooling_area_m2)
        )
        _, y = cell.initialize(
            [0.0, cell_K + warmer_K, h_W_per_m2K], [0.5, cell_K, 1.0, 0.0]
        )
        want = (abs(pace_K_per_s) - low) / (high - low)
        assert float(y[index]) == pytest.approx(want, abs=1e-6)


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
        assert covered.share == pytest.approx(CALIBRATED_LEVEL, abs=1e-3)
        assert covered.low <= covered.share <= covered.high
    guard = judge_guard(followed)
    shares = ALARM_SHARES.values()
    assert max(shares) - 1e-3 <= guard.alarm_share <= sum(shares) + 1e-3


@pytest.fixture(scope="module")
def uneven(synthetic_spec):
    """Runs of a cell that is 2 mV off below 290 K and 20 mV off above."""
    rng = np.random.default_rng(2)

    def disturbed_run(seed):
        run = made_run(synthetic_spec, seed)
        warm = run.series["temperature_K"] > 290.0
        noise = rng.normal(0.0, np.where(warm, 0.02, 0.002))
        noisy = {k: run.series[k] + noise for k in ("voltage_V", "plating_potential_V")}
        return replace(run, series={**run.series, **noisy})

    return [disturbed_run(seed) for seed in range(24)]


def test_fitted_bounds_follow_the_errors_and_keep_the_network(synthetic_spec, uneven):
    config = TrustConfig(iterations=300, n_hidden=8, n_hidden_risk=6, batch_size=2048)
    spec = fit_trust(synthetic_spec, uneven[:12], [uneven[12:18], []], config)
    for key in ("closure_matrix_0", "kinetics_negative"):
        assert spec.weights[key] is synthetic_spec.weights[key]
    followed = follow_runs(calibrate(spec, uneven[:18]), uneven[18:])
    bins = coverage_by_bin(
        followed, "voltage_V", "temperature_K", (250.0, 290.0, 350.0)
    )
    assert all(share > 0.85 for _, _, share, _ in bins)
    warm = np.concatenate([run.temperature_K for run in followed])
    bound = np.concatenate([run.bound_V["voltage_V"] for run in followed])
    # Of normal errors 95 % are within 1.96 standard deviations.
    wide = np.median(bound[warm > 292.0])
    assert wide == pytest.approx(0.039, rel=0.35)
    # Few iterations: the tail's weight keeps the narrow side from settling yet.
    assert np.median(bound[warm < 287.0]) < 0.7 * wide


def test_the_same_seed_fits_the_same_bounds(synthetic_spec, uneven):
    config = TrustConfig(iterations=5)
    a, b = (fit_trust(synthetic_spec, uneven[:2], [], config) for _ in range(2))
    for key, value in a.weights.items():
        assert np.array_equal(value, b.weights[key])


def test_a_declared_tolerance_widens_the_bounds_to_what_was_measured(
    synthetic_spec, disturbed
):
    """Runs of cells that are three times as far off: bounds three times as wide."""
    spec = calibrate(synthetic_spec, disturbed)
    truth = [made_run(synthetic_spec, seed) for seed in range(len(disturbed))]

    def farther(run, exact):
        tripled = {
            k: exact.series[k] + 3.0 * (run.series[k] - exact.series[k])
            for k in ("voltage_V", "plating_potential_V")
        }
        return replace(run, series={**run.series, **tripled})

    others = [farther(*pair) for pair in zip(disturbed, truth, strict=True)]
    learned = calibrate_tolerance(spec, others, 0.05)
    np.testing.assert_allclose(learned.weights["bound_tolerance"], 40.0, rtol=1e-3)
    half = declare_tolerance(learned, 0.025)
    np.testing.assert_allclose(
        half.weights["bound_factor"], 2.0 * spec.weights["bound_factor"], rtol=1e-3
    )
    covered = coverage_of(
        follow_runs(declare_tolerance(learned, 0.05), others), "voltage_V"
    )
    assert covered.share == pytest.approx(CALIBRATED_LEVEL, abs=1e-3)
    assert declare_tolerance(spec, 0.0) is spec
    with pytest.raises(CertificateError, match="no bounds for a parameter tolerance"):
        declare_tolerance(spec, 0.05)
    with pytest.raises(CertificateError, match="no run of a cell with other"):
        calibrate_tolerance(spec, [], 0.05)


def test_no_bound_is_below_its_calibrated_floor(synthetic_spec):
    w = synthetic_spec.weights
    n = w["guard_matrix"].shape[1]
    points = torch.tensor(np.random.default_rng(0).normal(0.0, 30.0, (200, n)))
    bounds = TorchOperations(w).bounds(list(points.unbind(-1)))
    least = w["bound_floor"] * w["bound_factor"]
    for bound, floor in zip(bounds, least, strict=True):
        assert float(bound.detach().min()) > floor


def test_the_guard_learns_where_errors_leave_their_bound():
    """One feature in five decides, and only beyond a threshold."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(4000, 5, generator=generator)
    is_bad = features[:, 2] > 1.0
    ratio = torch.where(is_bad, 2.0, 0.5)
    samples = training_trust._Samples(features=features, error_V=ratio[:, None])
    config = TrustConfig(iterations=400, n_hidden_risk=6, batch_size=1000)
    weights = training_trust._fit_risk([samples], [ratio], config)
    fresh = torch.randn(4000, 5, generator=generator).double()
    layers = network_layers(weights, "risk")
    risk = np.asarray(casadi_network(layers, ca.DM(fresh.T.numpy()))).ravel()
    is_bad = (fresh[:, 2] > 1.0).numpy()
    # The threshold that lets 1 % of the good ones alarm catches nearly all bad ones.
    threshold = np.quantile(risk[~is_bad], 0.99)
    assert np.mean(risk[is_bad] > threshold) > 0.85


def test_bounds_without_runs_are_refused(synthetic_spec):
    with pytest.raises(TrainingError, match="no runs; give training runs"):
        fit_trust(synthetic_spec, [], [], TrustConfig())


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
