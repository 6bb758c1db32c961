"""Claims about the fast-charge controller on a synthetic cell."""

from dataclasses import replace

import casadi as ca
import numpy as np
import pytest

from packtwin.cosim.charge_limits import ChargeConditions, ChargeLimits
from packtwin.cosim.charge_mpc import ChargeMpc, ChargeMpcConfig
from packtwin.cosim.charge_ports import ControlMode
from packtwin.cosim.charge_program import ProgramOptions
from packtwin.cosim.charge_search import (
    charge_cccv,
    greedy_plating_limited_charge,
    search_best_cccv,
)
from packtwin.twin.component import ticks
from packtwin.twin.errors import InfeasibleError, InterfaceError
from packtwin.twin.integrate import integrate
from packtwin.twin.model import Model
from packtwin.twin.variable import Interface
from tests.cosim.charge_cell import make_cell, make_model

START_K, COOLANT_K, H = 293.15, 293.15, 30.0
LIMITS = ChargeLimits(
    maximum_charge_current_A=20.0,
    maximum_voltage_V=4.2,
    maximum_temperature_K=313.15,
    voltage_margin_V=0.005,
    temperature_margin_K=0.5,
    plating_margin_V=0.005,
)
CONDITIONS = ChargeConditions(
    coolant_temperature_K=COOLANT_K, heat_transfer_coefficient_W_per_m2K=H
)
N_SERIES, N_PARALLEL = 4, 3


def make_mpc(cell, **changes):
    config = ChargeMpcConfig(
        limits=LIMITS, n_series=N_SERIES, n_parallel=N_PARALLEL, **changes
    )
    return ChargeMpc(config, cell, clock=lambda: 0.0)


class Plant:
    """A pack of equal cells that follows the charger's current request."""

    def __init__(self, cell, **parameters):
        interface = cell.interface.with_starts(
            {"start_temperature_K": START_K, **parameters}
        )
        self.cell = cell
        self.p = np.array([v.start for v in interface.parameters])
        self.current_A = 0.0
        self.memory, self.y = cell.start(self._u(), self.p)

    def _u(self):
        return np.array([self.current_A / N_PARALLEL, COOLANT_K, H])

    def values(self):
        return dict(zip(self.cell.interface.output_names, self.y, strict=True))

    def inputs(self, charger, *, is_driving=0.0):
        cell = self.values()
        values = {
            "is_driving": is_driving,
            "current_A": self.current_A,
            "voltage_V": cell["voltage_V"] * N_SERIES,
            "soc": cell["soc"],
            "cell_voltage_max_V": cell["voltage_V"],
            "temperature_min_K": cell["temperature_K"],
            "temperature_max_K": cell["temperature_K"],
            "plating_potential_min_V": cell["plating_potential_V"],
            "coolant_temperature_K": COOLANT_K,
            "heat_transfer_coefficient_W_per_m2K": H,
        }
        return np.array([values[n] for n in charger.interface.input_names])

    def step(self, step_s, current_A):
        self.current_A = current_A
        self.memory, self.y, _ = self.cell.advance(
            self.memory, 0.0, step_s, self._u(), self.p
        )
        return self.values()


def charge(charger, plant, *, step_s, longest_s=3000.0):
    """Return the time and the table (soc, voltage, temperature, plating, flags)."""
    charger.initialize(0, np.zeros(len(charger.interface.inputs)))
    names, rows, now_s = charger.interface.output_names, [], 0.0
    while now_s < longest_s:
        report = charger.step(
            ticks(now_s), ticks(now_s + step_s), plant.inputs(charger)
        )
        outputs = dict(zip(names, report.outputs, strict=True))
        if outputs["is_charging"] == 0.0:
            break
        assert outputs["control_mode"] == ControlMode.CURRENT
        cell = plant.step(step_s, outputs["current_request_A"])
        now_s += step_s
        rows.append(
            (
                cell["soc"],
                cell["voltage_V"],
                cell["temperature_K"],
                cell["plating_potential_V"],
                outputs["is_feasible"],
                outputs["is_fallback"],
                outputs["current_request_A"],
            )
        )
    return now_s, np.array(rows)


def test_sampled_plant_keeps_the_tightened_limits_to_0_1_mV():
    cell = make_cell()
    _, table = charge(make_mpc(cell), Plant(cell), step_s=10.0)
    assert table[-1, 0] >= 0.8
    assert table[:, 1].max() <= LIMITS.voltage_bound_V + 1e-4
    assert table[:, 2].max() <= LIMITS.temperature_bound_K + 1e-4
    assert table[:, 3].min() >= LIMITS.plating_bound_V - 1e-4
    assert (table[:, 4] == 1.0).all()
    assert (table[:, 5] == 0.0).all()
    # The limit of temperature and the one of plating both matter in this charge.
    assert table[:, 2].max() > LIMITS.temperature_bound_K - 0.01
    assert table[:, 3].min() < LIMITS.plating_bound_V + 1e-4


@pytest.mark.slow
def test_finely_stepped_plant_is_charged_as_fast_as_by_the_greedy_reference():
    cell, start = make_cell(), {"start_temperature_K": START_K}
    time_s, table = charge(make_mpc(cell), Plant(cell), step_s=1.0)
    reference = greedy_plating_limited_charge(
        cell, LIMITS, CONDITIONS, target_soc=0.8, parameters=start
    )
    best = search_best_cccv(
        lambda c_rate: charge_cccv(
            cell,
            -5.0 * c_rate,
            LIMITS.voltage_bound_V,
            CONDITIONS,
            target_soc=0.8,
            parameters=start,
        ),
        LIMITS,
    )
    assert table[:, 1].max() <= LIMITS.maximum_voltage_V + 1e-4
    assert table[:, 2].max() <= LIMITS.maximum_temperature_K + 1e-4
    assert table[:, 3].min() >= LIMITS.minimum_plating_potential_V - 1e-4
    assert LIMITS.is_kept(reference.violation(LIMITS))
    assert time_s == pytest.approx(reference.charge_time_s, rel=0.03)
    assert LIMITS.is_kept(best.run.violation(LIMITS))
    assert time_s < 0.6 * best.run.charge_time_s


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


def test_biases_learned_from_a_weaker_plant_protect_it():
    cell = make_cell()
    blind, learning = make_mpc(cell), make_mpc(cell)
    blind = make_mpc(
        cell, gains=replace(ChargeMpcConfig(limits=LIMITS).gains, bias_per_s=0.0)
    )
    lowest = []
    for charger in (blind, learning):
        plant = Plant(cell, resistance_factor=1.2)
        _, table = charge(charger, plant, step_s=10.0, longest_s=300.0)
        lowest.append(table[10:, 3].min())
    assert lowest[0] < LIMITS.plating_bound_V - 0.005
    assert lowest[1] > lowest[0] + 0.005


def test_hot_cell_is_infeasible_and_named():
    cell = make_cell()
    lax, strict = make_mpc(cell), make_mpc(cell, throw=True)
    state = lax.rest_state(0.3, 320.0, CONDITIONS)
    plan = lax.plan(state, CONDITIONS)
    assert not plan.is_feasible
    assert plan.violation.temperature_K > 1.0
    assert plan.current_A[0] == pytest.approx(0.0, abs=1e-3)
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
    assert plan.current_A.min() in (-20.0 * np.array([0.9, 0.75, 0.5, 0.25, 0.1]))


def test_driving_returns_the_pack_and_keeps_the_estimate():
    cell = make_cell()
    mpc, plant = make_mpc(cell), Plant(cell)
    mpc.initialize(0, np.zeros(len(mpc.interface.inputs)))
    for second in range(20):
        report = mpc.step(
            ticks(float(second)),
            ticks(second + 1.0),
            plant.inputs(mpc, is_driving=1.0),
        )
        assert report.outputs[0] == ControlMode.POWER
        plant.step(1.0, 30.0)
    mpc.step(ticks(20.0), ticks(21.0), plant.inputs(mpc))
    np.testing.assert_allclose(
        mpc.save()[0].estimate.memory, plant.memory, rtol=0, atol=1e-12
    )


def test_observer_closes_a_wrong_start_without_disturbing_the_modes():
    cell = make_cell()
    mpc, plant = make_mpc(cell), Plant(cell, start_soc=0.5)
    mpc.initialize(0, np.zeros(len(mpc.interface.inputs)))
    wrong = plant.inputs(mpc, is_driving=1.0)
    wrong[mpc.interface.input_names.index("soc")] += 0.1
    wrong[mpc.interface.input_names.index("temperature_max_K")] += 5.0
    mpc.step(0, ticks(10.0), wrong)
    for k in range(1, 101):
        plant.step(10.0, 1.0)
        u = plant.inputs(mpc, is_driving=1.0)
        mpc.step(ticks(10.0 * k), ticks(10.0 * (k + 1)), u)
    error = mpc.save()[0].estimate.memory - plant.memory
    # Lags of 100 s and 20 s have closed after 1000 s; 0.1 exp(-10) is 4.5e-6.
    assert 0.0 < error[0] < 4.6e-6
    assert abs(error[3]) < 1e-6
    np.testing.assert_allclose(error[1:3], 0.0, atol=1e-7)


def test_runs_are_bitwise_equal_and_rewind_repeats_them():
    cell = make_cell()
    mpc = make_mpc(cell)
    plant = Plant(cell)
    _, first = charge(mpc, plant, step_s=10.0, longest_s=100.0)
    saved, inputs = mpc.save(), plant.inputs(mpc)
    after = [mpc.step(ticks(100.0), ticks(110.0), inputs).outputs for _ in range(1)]
    _, again = charge(mpc, Plant(cell), step_s=10.0, longest_s=100.0)
    np.testing.assert_array_equal(first, again)
    mpc.restore(saved)
    np.testing.assert_array_equal(
        mpc.step(ticks(100.0), ticks(110.0), inputs).outputs, after[0]
    )
    mpc.close()
    mpc.close()


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


def test_period_longer_than_the_first_interval_is_refused():
    with pytest.raises(InterfaceError, match="first interval"):
        ChargeMpcConfig(limits=LIMITS, interval_s=(5.0, 5.0), period_s=10.0)


def test_search_refuses_limits_that_even_the_lowest_rate_violates():
    cell = make_cell()
    limits = replace(LIMITS, plating_margin_V=0.5)
    with pytest.raises(InfeasibleError, match=r"lowest rate 0\.1 C"):
        search_best_cccv(
            lambda c_rate: charge_cccv(
                cell,
                -5.0 * c_rate,
                4.2,
                CONDITIONS,
                target_soc=0.2,
                step_s=60.0,
            ),
            limits,
        )


@pytest.mark.slow
def test_plan_of_twenty_intervals_with_a_network_takes_a_tenth_of_a_second():
    cell = make_cell(has_network=True)
    mpc = ChargeMpc(ChargeMpcConfig(limits=LIMITS), cell)
    plan = mpc.plan(mpc.rest_state(0.1, START_K, CONDITIONS), CONDITIONS)
    state, times_s = mpc.rest_state(0.1, START_K, CONDITIONS), []
    for _ in range(50):
        plan = mpc.plan(
            state,
            CONDITIONS,
            guess_A=plan.current_from(10.0),
            last_current_A=float(plan.current_A[0]),
        )
        times_s.append(plan.solve_time_s)
        u = np.array([plan.current_A[0], COOLANT_K, H])
        p = np.array([v.start for v in cell.interface.parameters])
        state, _, _ = cell.advance(state, 0.0, 10.0, u, p)
    assert np.median(times_s) < 0.1
