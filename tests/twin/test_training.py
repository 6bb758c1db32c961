"""Training on runs made by a known surrogate: the answer is known exactly."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from packtwin.twin.certificate import CertificateTargets, certify, run_errors
from packtwin.twin.errors import CertificateError, TrainingError
from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_torch import mode_scan
from packtwin.twin.training import TrainingConfig, train_surrogate
from packtwin.twin.trajectory import Trajectory, count_charge

KEYS = (
    "voltage_V",
    "ocv_V",
    "soc",
    "temperature_K",
    "plating_potential_V",
    "heat_irreversible_W",
    "heat_reversible_W",
    "stoichiometry_negative_surface",
    "stoichiometry_positive_surface",
)


def made_run(spec, seed, n=400):
    """A run of levels answered by `spec` itself."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(n, dtype=float)
    levels = np.repeat(rng.uniform(-5.0, 8.0, n // 20 + 1), 20)[:n]
    levels[0] = 0.0
    start_K = rng.uniform(275.0, 310.0)
    run = Trajectory(
        name=f"made_{seed}",
        time_s=time_s,
        current_A=levels,
        coolant_temperature_K=np.full(n, start_K),
        heat_transfer_coefficient_W_per_m2K=30.0,
        start_soc=rng.uniform(0.4, 0.8),
        series={"temperature_K": np.full(n, start_K)},
        is_valid=np.ones(n, dtype=bool),
        labels={"kind": "levels", "nominal_capacity_Ah": 5.0},
    )
    out = Roller(spec).follow(run)
    # The recorded heats are those at the samples, from current and outputs.
    out["heat_irreversible_W"] = out["heat_mixing_W"] + levels * (
        out["ocv_V"] - out["voltage_V"]
    )
    return replace(run, series={key: out[key] for key in KEYS})


@pytest.fixture(scope="module")
def runs(synthetic_spec):
    return [made_run(synthetic_spec, seed) for seed in range(6)]


def test_chunked_scan_equals_the_plain_recursion():
    generator = torch.Generator().manual_seed(0)
    decay = torch.rand(3, 101, 4, generator=generator, dtype=torch.float64)
    drive = torch.randn(3, 101, generator=generator, dtype=torch.float64)
    state = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    got = mode_scan(decay, drive, state, chunk=16)
    for j in range(101):
        a = decay[:, j]
        state = a * state + (1.0 - a) * drive[:, j, None]
        torch.testing.assert_close(got[:, j + 1], state, rtol=1e-12, atol=1e-12)


def test_the_surrogate_that_made_the_runs_has_no_error(synthetic_spec, runs):
    errors, _ = run_errors(synthetic_spec, runs)
    # The start temperature goes through two fitted tables, hence not to rounding.
    assert max(error.maximum["voltage_V"] for error in errors) < 1e-6
    assert max(error.maximum["temperature_K"] for error in errors) < 1e-4


def test_rolled_stoichiometries_are_counted_charge(synthetic_spec, runs):
    x, y = count_charge(runs[0], synthetic_spec.constants)
    out = Roller(synthetic_spec).follow(runs[0])
    np.testing.assert_allclose(out["stoichiometry_negative_mean"], x, atol=1e-13)
    np.testing.assert_allclose(out["stoichiometry_positive_mean"], y, atol=1e-13)


def train(synthetic_spec, runs, **changes):
    config = TrainingConfig(
        **{
            "n_mode": 4,
            "hidden": (8,),
            "iterations": 150,
            "rollout_iterations": 4,
            "samples": 40,
            "seed": 3,
            **changes,
        }
    )
    return train_surrogate(
        "trained", synthetic_spec.constants, synthetic_spec.tables, runs, config
    )


def test_training_reduces_the_error_on_runs_it_never_saw(synthetic_spec, runs):
    short = train(synthetic_spec, runs[:5], iterations=2, rollout_iterations=0)
    long = train(synthetic_spec, runs[:5])
    rms = [run_errors(spec, runs[5:])[0][0].rms["voltage_V"] for spec in (short, long)]
    assert rms[1] < 0.25 * rms[0]
    assert rms[1] < 0.02


def test_same_seed_gives_the_same_weights(synthetic_spec, runs):
    a, b = (train(synthetic_spec, runs[:3], iterations=10) for _ in range(2))
    for key, value in a.weights.items():
        assert np.array_equal(value, b.weights[key])


def test_no_runs_is_refused(synthetic_spec):
    with pytest.raises(TrainingError, match="No usable training runs"):
        train(synthetic_spec, [])


def test_nan_in_a_run_names_column_and_sample(runs):
    voltage = runs[0].series["voltage_V"].copy()
    voltage[17] = np.nan
    with pytest.raises(TrainingError, match=r"`voltage_V` is not finite at sample 17"):
        replace(runs[0], series={**runs[0].series, "voltage_V": voltage})


def test_certificate_of_a_perfect_surrogate_has_zero_bounds(synthetic_spec, runs):
    certificate = certify(synthetic_spec, runs).certificate
    assert certificate["bounds"]["voltage_V"] < 1e-6
    assert all(item["met"] for item in certificate["targets"])
    low, high = (
        certificate["domain"]["soc_minimum"],
        certificate["domain"]["soc_maximum"],
    )
    assert 0.0 < low < high < 1.0


def test_certified_rates_are_those_of_the_cell(synthetic_spec, runs):
    """The same currents are twice the C-rate for a cell of half the capacity."""
    half = replace(synthetic_spec.constants, nominal_capacity_Ah=2.5)
    unlabelled = [replace(run, labels={}) for run in runs]
    whole_domain, half_domain = (
        certify(spec, unlabelled).certificate["domain"]
        for spec in (synthetic_spec, replace(synthetic_spec, constants=half))
    )
    for key in ("discharge_rate_maximum", "charge_rate_maximum"):
        assert half_domain[key] == pytest.approx(2.0 * whole_domain[key], rel=1e-12)


def test_cold_rate_ends_below_the_first_missed_rate(synthetic_spec, runs):
    cold = [
        replace(
            made_run(synthetic_spec, 20 + k),
            labels={"c_rate": rate, "nominal_capacity_Ah": 5.0},
        )
        for k, rate in enumerate((0.5, 1.0, 2.0))
    ]
    wrong = cold[1].series["voltage_V"] + 0.1
    cold[1] = replace(cold[1], series={**cold[1].series, "voltage_V": wrong})
    targets = CertificateTargets(cold_below_K=400.0)
    domain = certify(synthetic_spec, cold, targets=targets).certificate["domain"]
    assert domain["cold_rate_maximum"] == 0.5


def test_strict_certificate_is_refused_with_the_missed_target(synthetic_spec, runs):
    untrained = train(synthetic_spec, runs[:3], iterations=2, rollout_iterations=0)
    start_K = [run.series["temperature_K"][0] for run in runs]
    targets = CertificateTargets(cold_below_K=float(np.median(start_K)))
    with pytest.raises(CertificateError, match=r"refused: mean rms of voltage_V"):
        certify(untrained, runs, strict=True, targets=targets)


def test_strict_certificate_needs_evidence_for_every_target(synthetic_spec, runs):
    with pytest.raises(CertificateError, match="speak about 4 of 5 targets"):
        certify(synthetic_spec, runs, strict=True)


def test_no_valid_sample_is_refused(synthetic_spec, runs):
    empty = [replace(runs[0], is_valid=np.zeros(len(runs[0].time_s), dtype=bool))]
    with pytest.raises(CertificateError, match="none of 1 held-out runs"):
        certify(synthetic_spec, empty)


def test_discharges_alone_certify_nothing_about_charging(synthetic_spec, runs):
    charging = runs[0].current_A < 0.0
    run = replace(runs[0], is_valid=runs[0].is_valid & ~charging)
    certificate = certify(synthetic_spec, [run]).certificate
    assert certificate["bounds"]["plating_potential_V"] >= 1e3
    assert certificate["domain"]["charge_rate_maximum"] == 0.0
