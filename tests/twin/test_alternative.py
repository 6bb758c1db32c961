"""What predictors have in common: errors, shares answered, plans."""

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.alternative import (
    Alternative,
    CellPredictor,
    FitPlan,
    HybridPredictor,
    predictor_errors,
)
from tests.twin.alternative_runs import hybrid_runs


class Offset:
    """Off by 3 mV, and silent after half of the run."""

    name = "offset"

    def follow(self, run):
        voltage_V = run.series["voltage_V"] + 0.003
        voltage_V[len(voltage_V) // 2 :] = np.nan
        return {"voltage_V": voltage_V}


def test_the_hybrid_has_no_error_on_its_own_runs(synthetic_spec):
    predictor = HybridPredictor(synthetic_spec)
    assert isinstance(predictor, CellPredictor)
    (error,) = predictor_errors(predictor, hybrid_runs(synthetic_spec, [1]))
    assert error.answered == dict.fromkeys(error.rms, 1.0)
    assert error.rms["voltage_V"] < 1e-6
    assert error.duration_s == 300.0


def test_errors_count_only_what_is_answered(synthetic_spec):
    run = hybrid_runs(synthetic_spec, [1])[0]
    (error,) = predictor_errors(Offset(), [run])
    assert error.rms == {"voltage_V": pytest.approx(0.003)}
    assert error.answered == {"voltage_V": pytest.approx(150 / 301)}


def test_a_run_without_valid_samples_is_left_out(synthetic_spec):
    run = hybrid_runs(synthetic_spec, [1])[0]
    hidden = replace(run, is_valid=np.zeros(len(run.time_s), dtype=bool))
    assert predictor_errors(Offset(), [hidden]) == []


def test_a_plan_ends_with_iterations_or_seconds():
    plan = FitPlan(iterations=10, budget_s=4.0)
    assert plan.share(5, 1.0) == 0.5
    assert plan.share(1, 3.0) == 0.75
    assert plan.share(20, 0.0) == 1.0
    assert FitPlan(iterations=4).share(1, 1e9) == 0.25


def test_all_alternatives_share_the_interface():
    pytest.importorskip("torch")
    from packtwin.twin.alternative_circuit import Circuit
    from packtwin.twin.alternative_neural_ode import NeuralOde
    from packtwin.twin.alternative_pinn import Pinn
    from packtwin.twin.alternative_recurrent import Recurrent

    for kind in (Circuit, NeuralOde, Pinn, Recurrent):
        assert isinstance(kind(), Alternative)
