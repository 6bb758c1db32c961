"""The SPMe as a predictor: at rest it is the open-circuit voltage, exactly."""

import numpy as np
import pytest

pytest.importorskip("pybamm")

from packtwin.pybamm_models.alternative_spme import SpmePredictor
from packtwin.pybamm_models.cells import find_cell
from packtwin.twin.alternative import CellPredictor
from tests.twin.alternative_runs import bare_run


@pytest.fixture(scope="module")
def predictor():
    return SpmePredictor(find_cell("lg_m50_oregan2022"))


@pytest.mark.fmu
@pytest.mark.slow
def test_at_rest_it_shows_its_open_circuit_voltage(predictor):
    assert isinstance(predictor, CellPredictor)
    out = predictor.follow(bare_run(1, level_A=0.0, start_K=298.15))
    np.testing.assert_allclose(out["voltage_V"], out["ocv_V"], atol=1e-6)
    np.testing.assert_allclose(out["temperature_K"], 298.15, atol=1e-6)


@pytest.mark.fmu
@pytest.mark.slow
def test_lithium_is_counted_charge(predictor):
    run = bare_run(2)
    out = predictor.follow(run)["stoichiometry_negative_mean"]
    passed = np.sum(0.5 * (run.current_A[1:] + run.current_A[:-1]))
    slope = predictor.follow(bare_run(2, level_A=3.6))["stoichiometry_negative_mean"]
    per_As = (slope[-1] - slope[0]) / (3.6 * 299.5)
    assert out[-1] - out[0] == pytest.approx(per_As * passed, rel=1e-6)


@pytest.mark.fmu
@pytest.mark.slow
def test_its_answers_end_at_its_own_limit(predictor):
    out = predictor.follow(bare_run(3, n=1801, level_A=15.0, start_K=263.15))
    ended = np.isnan(out["voltage_V"])
    assert ended.any()
    assert not ended[: np.argmax(ended)].any()
    assert np.nanmin(out["voltage_V"]) > 2.19
