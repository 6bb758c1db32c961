"""Known parameters are recovered; what data cannot tell is refused by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.errors import InterfaceError, ScenarioError, TrainingError
from packtwin.twin.identification import Record, Settings, Unknown, compare, identify
from tests.twin.identification_models import TRUE, circuit, pulses

UNKNOWNS = tuple(Unknown(name=name, scale="logarithmic") for name in TRUE)


def record(**changes: float) -> Record:
    return Record(measurement=pulses(**changes))


def test_known_parameters_are_recovered_without_noise() -> None:
    found = identify(circuit(), [record()], UNKNOWNS)
    assert found.is_converged
    for name, value in TRUE.items():
        # The steps are second order: 0.05 s after a jump, then a tenth of the time.
        assert found.values[name] == pytest.approx(value, rel=2e-3)
    assert found.fitted[0].rms < 2e-5


@pytest.mark.slow
def test_errors_are_within_three_stated_standard_errors_in_most_of_many_draws() -> None:
    scores = []
    for seed in range(8):
        given = record(noise_V=2e-3, seed=seed)
        found = identify(circuit(), [given], UNKNOWNS, Settings(n_sample=80))
        for name, error in zip(
            found.statement.names, found.statement.standard_errors, strict=True
        ):
            scores.append(np.log(found.values[name] / TRUE[name]) / error)
        assert found.statement.noise[0] == pytest.approx(2e-3, rel=0.4)
    score = np.array(scores)
    # 24 draws of a standard normal: the rms lies in 0.65 to 1.35 with 99 %.
    assert 0.65 < float(np.sqrt(np.mean(score**2))) < 1.35
    assert np.max(np.abs(score)) < 3.5


def test_a_parameter_without_effect_is_refused_by_name() -> None:
    unknowns = (*UNKNOWNS, Unknown(name="idle_Ohm"))
    with pytest.raises(TrainingError, match="`idle_Ohm` cannot be identified: what"):
        identify(circuit(is_doubled=True), [record()], unknowns)


def test_a_pair_that_only_acts_as_a_sum_is_refused_with_both_names() -> None:
    unknowns = (*UNKNOWNS, Unknown(name="contact_Ohm", scale="logarithmic"))
    with pytest.raises(TrainingError) as caught:
        identify(circuit(is_doubled=True), [record(noise_V=1e-3)], unknowns)
    text = str(caught.value)
    assert "`contact_Ohm` with" in text or "with `contact_Ohm`" in text
    assert "`resistance_Ohm`" in text
    assert "give it a prior" in text


def test_a_prior_settles_the_pair_and_the_correlation_is_named() -> None:
    unknowns = [replace(u, is_prior=True, spread=0.3) for u in UNKNOWNS]
    unknowns.append(
        Unknown(name="contact_Ohm", scale="logarithmic", spread=0.3, is_prior=True)
    )
    found = identify(circuit(is_doubled=True), [record()], unknowns)
    total = found.values["contact_Ohm"] + found.values["resistance_Ohm"]
    assert total == pytest.approx(TRUE["resistance_Ohm"], rel=0.1)
    pairs = {frozenset(pair[:2]) for pair in found.statement.correlated}
    assert frozenset({"contact_Ohm", "resistance_Ohm"}) in pairs


def test_bounds_hold() -> None:
    unknowns = (
        replace(UNKNOWNS[0], maximum=0.015),
        *UNKNOWNS[1:],
    )
    found = identify(circuit(), [record()], unknowns)
    assert found.values["resistance_Ohm"] == pytest.approx(0.015, rel=1e-9)
    with pytest.raises(InterfaceError, match="expected the lower one first"):
        identify(circuit(), [record()], [replace(UNKNOWNS[0], maximum=-1.0)])


def test_a_start_of_zero_needs_a_spread() -> None:
    with pytest.raises(InterfaceError, match="Give `spread` in its unit"):
        Unknown(name="shift").spread_at(0.0)
    with pytest.raises(InterfaceError, match="expected more than 0"):
        Unknown(name="shift", scale="logarithmic").spread_at(0.0)


def test_an_inverted_current_is_refused_before_any_search() -> None:
    made = pulses()
    turned = replace(made, current_A=-made.current_A)
    with pytest.raises(ScenarioError, match="inverted"):
        identify(circuit(), [Record(measurement=turned)], UNKNOWNS)


def test_one_constant_current_has_nothing_to_identify() -> None:
    made = pulses().part(12, 28)
    with pytest.raises(ScenarioError, match="two different currents"):
        identify(circuit(), [Record(measurement=made)], UNKNOWNS)


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InterfaceError, match="nearest: `resistance_Ohm`"):
        identify(circuit(), [record()], [Unknown(name="resistence_Ohm")])


def test_comparison_counts_every_sample_and_its_error_falls_with_finer_steps() -> None:
    model, given = circuit(), record()
    coarse = compare(model, given, TRUE)
    fine = compare(model, given, TRUE, refinement=2)
    assert len(coarse.time_s) == len(given.measurement.time_s)
    assert fine.largest < 0.35 * coarse.largest
    assert coarse.largest < 1e-4


def test_fewer_samples_identify_the_same() -> None:
    found = identify(circuit(), [record()], UNKNOWNS, Settings(n_sample=60))
    for name, value in TRUE.items():
        assert found.values[name] == pytest.approx(value, rel=5e-3)
