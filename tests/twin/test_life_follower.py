"""A made cell is followed; the opening tells what no earlier record can."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packtwin.scenarios.bench_measured_ageing import UPDATE, updated_unknowns
from packtwin.scenarios.catalogue import library_folder
from packtwin.scenarios.identification_file import load_identification
from packtwin.scenarios.synthetic_cells import synthetic_circuit, write_ageing_cell
from packtwin.twin.errors import ScenarioError
from packtwin.twin.life_follower import (
    Life,
    follow_life,
    learn_rule,
    life_of,
    predict_cycle,
    repeat_cycle,
)
from packtwin.twin.measurement_cycles import read_cycles


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells") / "made.csv.gz"


@pytest.fixture(scope="module")
def true_Ah(path: Path) -> np.ndarray:
    return write_ageing_cell(path, 12)


@pytest.fixture(scope="module")
def life(path: Path, true_Ah: np.ndarray) -> Life:
    file = load_identification(library_folder() / "measured_nasa_18650.toml")
    cycles = read_cycles(path, file.columns.column_map(), "cycle")
    assert len(cycles) == len(true_Ah)
    return life_of(cycles, cutoff_V=2.7, opening_Ah=0.1)


def test_with_its_true_parameters_the_prediction_is_the_noise(
    life: Life, true_Ah: np.ndarray
) -> None:
    found = predict_cycle(synthetic_circuit(), life, 9, float(true_Ah[9]), 0.01)
    # The noise is 1 mV and 50 mK; 97 and 110 samples.
    assert np.std(found.free_V) == pytest.approx(1e-3, rel=0.3)
    assert np.std(found.temperature_K) == pytest.approx(0.05, rel=0.3)
    assert found.capacity_error_Ah == pytest.approx(true_Ah[9] - life.capacity_Ah[9])


def test_an_early_end_is_held_at_the_cut_off(life: Life) -> None:
    found = predict_cycle(synthetic_circuit(), life, 3, 1.7, 0.01)
    assert np.min(found.free_V) < np.min(found.voltage_V)
    m = life.records[3].measurement
    loaded = m.current_A > 1.0
    above = loaded & (m.voltage_V >= 2.7)
    assert np.min(found.voltage_V + m.voltage_V[above]) >= 2.7


def test_the_opening_tells_what_a_rest_gave_back(life: Life) -> None:
    rule = learn_rule(life)
    assert rule.opening_gain_Ah_per_V > 0.0
    assert rule.opening_deviation_Ah < rule.deviation_Ah


def test_the_follower_sees_the_past_only(life: Life) -> None:
    rule, model = learn_rule(life), synthetic_circuit()
    short = replace(
        life,
        records=life.records[:11],
        capacity_Ah=life.capacity_Ah[:11].copy(),
        opening_V=life.opening_V[:11].copy(),
    )
    unknowns = updated_unknowns(model)
    ((one, opened), _) = follow_life(model, life, rule, unknowns, UPDATE, begin=10)
    ((alone, _),) = follow_life(model, short, rule, unknowns, UPDATE, begin=10)
    np.testing.assert_array_equal(one.voltage_V, alone.voltage_V)
    assert one.capacity_error_Ah != opened.capacity_error_Ah
    assert one.temperature_K.std() < 0.2


def test_repeating_a_discharge_on_itself_is_exact(life: Life) -> None:
    found = repeat_cycle(life, 4, 4)
    assert found.capacity_error_Ah == 0.0
    np.testing.assert_allclose(found.voltage_V, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.temperature_K, 0.0, atol=1e-9)


def test_too_few_discharges_are_refused(life: Life) -> None:
    with pytest.raises(ScenarioError, match="expected 4 or more"):
        learn_rule(life, 3)
    first = [life.records[0].measurement]
    with pytest.raises(ScenarioError, match="expected 2 or more"):
        life_of(first, cutoff_V=2.7, opening_Ah=0.1)
