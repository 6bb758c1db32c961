"""Claims about open-loop charge plans on a synthetic cell."""

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest

from packtwin.cosim.charge_mpc import ChargeMpc, ChargeMpcConfig
from packtwin.cosim.charge_subproblem import ProgramOptions
from packtwin.twin.errors import InfeasibleError, InterfaceError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface
from tests.cosim.charge_cell import make_cell, make_model
from tests.cosim.charge_plant import (
    CONDITIONS,
    COOLANT_K,
    LIMITS,
    N_PARALLEL,
    START_K,
    H,
    Plant,
    make_mpc,
)


def test_plan_predicts_what_the_cell_then_does():
    cell = make_cell()
    mpc = make_mpc(cell)
    state = mpc.rest_state(0.3, START_K, CONDITIONS)
    plan = mpc.plan(state, CONDITIONS)
    assert plan.is_feasible
    assert not plan.is_fallback
    plant = Plant(cell, start_soc=0.3)
    lengths = np.diff(plan.time_s, prepend=0.0)
    for k, (length_s, current_A) in enumerate(
        zip(lengths, plan.current_A, strict=True)
    ):
        values = plant.step(float(length_s), float(current_A) * N_PARALLEL)
        assert values["soc"] == pytest.approx(plan.soc[k], abs=1e-12)
        assert values["voltage_V"] <= plan.voltage_V[k] + 1e-12
        assert values["temperature_K"] == pytest.approx(plan.temperature_K[k])


def test_state_that_is_not_finite_gets_no_current():
    mpc = make_mpc(make_cell())
    state = mpc.rest_state(0.3, START_K, CONDITIONS) * np.nan
    plan = mpc.plan(state, CONDITIONS)
    assert plan.is_fallback
    assert not plan.is_feasible
    assert (plan.current_A == 0.0).all()


def test_slew_limit_is_kept_from_the_last_current():
    cell = make_cell()
    limits = replace(LIMITS, maximum_slew_A_per_s=0.1)
    mpc = ChargeMpc(ChargeMpcConfig(limits=limits), cell)
    state = mpc.rest_state(0.3, START_K, CONDITIONS)
    plan = mpc.plan(state, CONDITIONS, last_current_A=-2.0)
    lengths = np.diff(plan.time_s, prepend=0.0)
    moves = np.abs(np.diff(plan.current_A, prepend=-2.0))
    assert (moves <= 0.1 * lengths + 1e-6).all()
    assert plan.current_A[0] == pytest.approx(-3.0, abs=1e-4)


def test_current_limit_binds_where_nothing_else_does():
    cell = make_cell()
    limits = replace(LIMITS, maximum_charge_current_A=2.0)
    mpc = ChargeMpc(ChargeMpcConfig(limits=limits), cell)
    plan = mpc.plan(mpc.rest_state(0.2, START_K, CONDITIONS), CONDITIONS)
    # Moves cost a little, so only their sum is exact to rounding.
    np.testing.assert_allclose(plan.current_A, -2.0, atol=1e-3)


def test_weaker_cell_gets_less_current():
    cell = make_cell()
    currents = []
    for factor in (1.0, 1.3):
        config = ChargeMpcConfig(
            limits=LIMITS, cell_parameters={"resistance_factor": factor}
        )
        mpc = ChargeMpc(config, cell)
        state = mpc.rest_state(0.4, START_K, CONDITIONS)
        currents.append(mpc.plan(state, CONDITIONS).current_A[0])
    assert currents[0] < currents[1] < 0.0


def test_hot_cell_is_infeasible_and_named():
    cell = make_cell()
    lax, strict = make_mpc(cell), make_mpc(cell, throw=True)
    state = lax.rest_state(0.3, 320.0, CONDITIONS)
    plan = lax.plan(state, CONDITIONS)
    assert not plan.is_feasible
    assert plan.violation.temperature_K > 1.0
    # What is left heats by less than 3 mW.
    assert -0.3 < plan.current_A[0] <= 0.0
    with pytest.raises(InfeasibleError, match=r"`temperature_K` exceeds 312\.65 K"):
        strict.plan(state, CONDITIONS)


def test_unfinished_solver_shortens_the_guess_and_says_so():
    cell = make_cell()
    mpc = make_mpc(cell, options=ProgramOptions(iteration_limit=0))
    state = mpc.rest_state(0.5, START_K, CONDITIONS)
    guess = np.full(20, -20.0)
    plan = mpc.plan(state, CONDITIONS, guess_A=guess)
    assert plan.is_fallback
    assert plan.is_feasible
    assert -20.0 < plan.current_A.min() < 0.0
    np.testing.assert_allclose(plan.current_A, plan.current_A[0])


def test_cell_without_a_plating_potential_is_refused_by_name():
    model = make_model()
    keep = [
        i
        for i, v in enumerate(model.interface.outputs)
        if v.name != "plating_potential_V"
    ]
    arguments = model.outputs.mx_in()
    poorer = Model(
        name=model.name,
        interface=Interface(
            inputs=model.interface.inputs,
            outputs=tuple(model.interface.outputs[i] for i in keep),
            parameters=model.interface.parameters,
        ),
        states=model.states,
        rhs=model.rhs,
        outputs=ca.Function("y", arguments, [model.outputs(*arguments)[keep]]),
        initial=model.initial,
    )
    with pytest.raises(InterfaceError, match="`plating_potential_V`"):
        make_mpc(integrate(poorer))


@pytest.mark.slow
@pytest.mark.parametrize("soc", [0.1, 0.4])
def test_plan_is_as_good_as_the_one_of_an_interior_point_solver(soc):
    """IPOPT with hard limits and exact Hessians; the warm start makes heat bind."""
    cell = make_cell()
    mpc = make_mpc(cell)
    state = mpc.rest_state(soc, 311.0, CONDITIONS)
    plan = mpc.plan(state, CONDITIONS)
    lengths = np.diff(plan.time_s, prepend=0.0)
    p = np.array([v.start for v in cell.interface.parameters])
    index = cell.interface.output_names.index
    w = ca.MX.sym("w", len(lengths))
    memory, limits, gain = ca.MX(ca.DM(state)), [], 0.0
    for k, length_s in enumerate(lengths):
        u = ca.vertcat(-20.0 * w[k], COOLANT_K, H)
        _, y_start = cell.step(memory, 0.0, 0.0, u, p)
        memory, y_end = cell.step(memory, 0.0, length_s, u, p)
        gain += length_s / lengths.sum() * y_end[index("soc")]
        for y in (y_start, y_end):
            limits.append(y[index("voltage_V")] - LIMITS.voltage_bound_V)
            limits.append(LIMITS.plating_bound_V - y[index("plating_potential_V")])
        limits.append(
            0.1 * (y_end[index("temperature_K")] - LIMITS.temperature_bound_K)
        )
    quiet = {"print_time": False, "ipopt": {"print_level": 0, "sb": "yes"}}
    problem = {"x": w, "f": -gain, "g": ca.vertcat(*limits)}
    solver = ca.nlpsol("reference", "ipopt", problem, quiet)
    best = solver(x0=0.2, lbx=0.0, ubx=1.0, ubg=0.0, lbg=-np.inf)
    assert solver.stats()["success"]
    mean_soc = float(lengths @ plan.soc / lengths.sum())
    assert plan.is_feasible
    assert mean_soc == pytest.approx(-float(best["f"]), abs=1e-4)
