"""The circuit: its step response in closed form, and finding known parameters."""

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.alternative import FitPlan, predictor_errors
from packtwin.twin.alternative_circuit import Circuit, CircuitCore
from packtwin.twin.alternative_step import SteppedPredictor
from packtwin.twin.table import fit_table
from tests.twin.alternative_runs import answered, bare_run

LEVELS = np.array([0.01, 0.02, 0.03])


def core(**changes):
    """Resistances that do not depend on charge."""
    known = {
        "time_constants_s": (5.0, 80.0),
        "time_activation_kK": 0.0,
        "resistance_activation_kK": (0.0, 0.0, 0.0),
        "resistances_Ohm": np.tile(LEVELS[:, None], (1, 17)),
    }
    return CircuitCore(**{**known, **changes})


@pytest.fixture(scope="module")
def cool_spec(synthetic_spec):
    """Without entropy, so that the temperature leaves the voltage alone."""
    g = np.linspace(0.0, 1.0, 401)
    nothing = {
        f"entropy_{side}_V_per_K": fit_table(g, 0.0 * g)
        for side in ("negative", "positive")
    }
    return replace(synthetic_spec, tables={**synthetic_spec.tables, **nothing})


def test_the_step_response_is_that_of_two_pairs(cool_spec):
    predictor = SteppedPredictor("circuit", cool_spec, core())
    run = bare_run(1, level_A=4.0)
    out = predictor.follow(run)
    # The ramp of the first second counts with its mean, 2 A.
    decay = [np.exp(-(run.time_s[1:] - 1.0) / tau) for tau in (5.0, 80.0)]
    first = [2.0 * -np.expm1(-1.0 / tau) for tau in (5.0, 80.0)]
    through = [4.0 + (i - 4.0) * e for i, e in zip(first, decay, strict=True)]
    drop_V = LEVELS[0] * 4.0 + LEVELS[1] * through[0] + LEVELS[2] * through[1]
    c, tables = cool_spec.constants, cool_spec.tables
    soc = out["soc"][1:]
    x = c.negative_stoichiometry_empty + soc * 0.9
    y = c.positive_stoichiometry_empty - soc * (0.93 - 0.258)
    ocv_V = tables["ocp_positive_V"].numpy(y) - tables["ocp_negative_V"].numpy(x)
    np.testing.assert_allclose(out["voltage_V"][1:], ocv_V - drop_V, atol=1e-12)


def test_charge_is_counted_exactly(cool_spec):
    run = bare_run(2)
    out = SteppedPredictor("circuit", cool_spec, core()).follow(run)
    mean_A = 0.5 * (run.current_A[1:] + run.current_A[:-1])
    wanted = run.start_soc - np.cumsum(mean_A) / (3600.0 * 5.6 * 0.9)
    np.testing.assert_allclose(out["soc"][1:], wanted, atol=1e-14)


def test_heat_is_conserved(cool_spec):
    """Isolated, the stored heat is the loss, summed over the steps."""
    run = replace(bare_run(3), heat_transfer_coefficient_W_per_m2K=0.0)
    predictor = SteppedPredictor("circuit", cool_spec, core())
    step_map = predictor.step_map
    names = step_map.interface.output_names
    p = np.array([run.start_soc, 300.0])
    u = np.array([4.0, 300.0, 0.0])
    memory, _ = step_map.start(u, p)
    begin_J, loss_J = memory[-1], 0.0
    ocv = SteppedPredictor("rest", cool_spec, core(resistances_Ohm=np.zeros((3, 17))))
    for k in range(50):
        memory, y, _ = step_map.advance(memory, float(k), 1.0, u, p)
        rest_V = ocv.step_map.advance(memory, 0.0, 0.0, u, p)[1][
            names.index("voltage_V")
        ]
        loss_J += 4.0 * (rest_V - y[names.index("voltage_V")])
    assert memory[-1] - begin_J == pytest.approx(loss_J, rel=1e-8)


def test_cold_resistances_follow_arrhenius(cool_spec):
    cold = core(resistance_activation_kK=(3.0, 3.0, 3.0))
    run = bare_run(1, level_A=4.0, start_K=273.15)
    rests = [core(resistances_Ohm=np.zeros((3, 17))), core(), cold]
    rest, warm, cold = (
        SteppedPredictor("circuit", cool_spec, c).follow(run)["voltage_V"][1]
        for c in rests
    )
    factor = np.exp(3.0 * (1000.0 / 273.15 - 1000.0 / 298.15))
    assert (rest - cold) / (rest - warm) == pytest.approx(factor, rel=1e-3)


def test_a_circuit_finds_itself(synthetic_spec):
    knots = np.linspace(0.0, 1.0, 17)
    true = core(
        time_constants_s=(6.0, 200.0),
        time_activation_kK=2.0,
        resistance_activation_kK=(2.0, 4.0, 3.0),
        resistances_Ohm=LEVELS[:, None] * (1.0 + (knots - 0.5) ** 2),
    )
    made = SteppedPredictor("true", synthetic_spec, true)
    runs = [answered(r, made.follow(r)) for r in map(bare_run, range(12))]
    first = Circuit().fit(synthetic_spec, runs[:10], FitPlan(iterations=1))
    found = Circuit().fit(synthetic_spec, runs[:10], FitPlan(iterations=400))
    rms = [
        max(e.rms["voltage_V"] for e in predictor_errors(p, runs[10:]))
        for p in (first, found)
    ]
    assert rms[1] < 1e-3
    assert rms[1] < 0.3 * rms[0]
