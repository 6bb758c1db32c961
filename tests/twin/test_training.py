"""Training on runs made by a known surrogate: the answer is known exactly."""

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin import training_regression
from packtwin.twin.certificate import certify, run_errors
from packtwin.twin.certificate_target import CertificateTargets
from packtwin.twin.errors import CertificateError, TrainingError
from packtwin.twin.rollout import Roller
from packtwin.twin.training import train_surrogate
from packtwin.twin.training_batch import make_batch
from packtwin.twin.training_regression import TrainingConfig
from packtwin.twin.trajectory import count_charge
from tests.twin.made_runs import made_run


@pytest.fixture(scope="module")
def runs(synthetic_spec):
    return [made_run(synthetic_spec, seed) for seed in range(6)]


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


def test_a_run_is_the_same_alone_and_beside_longer_ones(synthetic_spec):
    runs = [
        made_run(synthetic_spec, seed, n) for seed, n in enumerate((60, 20, 60, 40))
    ]
    together = make_batch(runs, synthetic_spec)
    # The balance at a run's last sample needs the next one.
    rolled = [k for k, name in enumerate(together.names) if "balance" not in name]
    for k, run in enumerate(runs):
        alone, is_own = make_batch([run], synthetic_spec), together.is_learnable[k]
        assert int(is_own.sum()) == len(run.time_s)
        np.testing.assert_array_equal(
            together.columns[k, is_own][:, rolled].numpy(),
            alone.columns[0][:, rolled].numpy(),
        )


def train(synthetic_spec, runs, **changes):
    config = TrainingConfig(
        **{
            "hidden": (8,),
            "iterations": 200,
            "batch_size": 512,
            "rollout_iterations": 4,
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


def test_divergence_is_told_with_iteration_and_loss(synthetic_spec, runs):
    with pytest.raises(
        TrainingError, match=r"diverged at iteration \d+ \(loss nan"
    ) as caught:
        train(synthetic_spec, runs[:3], learning_rate=1e38)
    assert caught.value.iteration > 0
    assert np.isnan(caught.value.loss)


def test_divergence_keeps_the_best_weights_until_then(
    synthetic_spec, runs, monkeypatch
):
    """The loss turns NaN after the first look at the runs kept aside."""
    count, physics_loss = [0], training_regression.physics_loss

    def poisoned(out, known):
        count[0] += 1
        return physics_loss(out, known) * (np.nan if count[0] > 520 else 1.0)

    monkeypatch.setattr(training_regression, "physics_loss", poisoned)
    with pytest.raises(TrainingError, match="iteration 520") as caught:
        train(synthetic_spec, runs, iterations=600, validation_share=0.34)
    monkeypatch.undo()
    kept = caught.value.last_good
    assert kept.provenance["diverged_at"] == 520
    start = train(synthetic_spec, runs, iterations=1, rollout_iterations=0)
    rms = [run_errors(spec, runs[5:])[0][0].rms["voltage_V"] for spec in (start, kept)]
    assert rms[1] < 0.25 * rms[0]


def test_the_gradient_of_the_physics_residual_is_balanced(synthetic_spec, runs):
    spec = train(synthetic_spec, runs[:3], iterations=10, rollout_iterations=0)
    (ratio,) = spec.provenance["gradient_ratio_before_balancing"]
    share = TrainingConfig().physics_share
    assert spec.provenance["physics_weight"] == pytest.approx(share / ratio, rel=1e-3)


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
    fast = {"kind": "constant_charge", "c_rate": 3.0}
    warmest = int(np.argmax(start_K))
    labelled = [
        replace(run, labels=fast) if k == warmest else run for k, run in enumerate(runs)
    ]
    with pytest.raises(CertificateError, match=r"refused: mean rms of voltage_V"):
        certify(untrained, labelled, strict=True, targets=targets)


def test_strict_certificate_needs_evidence_for_every_target(synthetic_spec, runs):
    with pytest.raises(CertificateError, match="speak about 5 of 7 targets"):
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
