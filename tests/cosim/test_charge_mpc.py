"""Claims about the fast-charge controller in closed loop on a synthetic cell."""

import numpy as np
import pytest

from packtwin.cosim.charge_mpc import ChargeMpc, ChargeMpcConfig
from packtwin.cosim.charge_search import (
    charge_cccv,
    greedy_plating_limited_charge,
    search_best_cccv,
)
from packtwin.twin.component import ticks
from packtwin.twin.errors import InterfaceError
from tests.cosim.charge_cell import make_cell
from tests.cosim.charge_plant import (
    CONDITIONS,
    COOLANT_K,
    LIMITS,
    START_K,
    H,
    Plant,
    charge,
    make_mpc,
)


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
    # The plan steps by 10 s and more, the plant by 1 s: their difference is small.
    assert table[:, 1].max() <= LIMITS.voltage_bound_V + 1e-4
    assert table[:, 2].max() <= LIMITS.temperature_bound_K + 1e-3
    assert table[:, 3].min() >= LIMITS.plating_bound_V - 1e-4
    assert LIMITS.is_kept(reference.violation(LIMITS))
    assert time_s == pytest.approx(reference.charge_time_s, rel=0.01)
    assert LIMITS.is_kept(best.run.violation(LIMITS))
    assert time_s < 0.6 * best.run.charge_time_s


def test_runs_are_bitwise_equal_and_rewind_repeats_them():
    cell = make_cell()
    mpc = make_mpc(cell)
    plant = Plant(cell)
    _, first = charge(mpc, plant, step_s=10.0, longest_s=100.0)
    saved, inputs = mpc.save(), plant.inputs(mpc)
    after = mpc.step(ticks(100.0), ticks(110.0), inputs).outputs
    _, again = charge(mpc, Plant(cell), step_s=10.0, longest_s=100.0)
    np.testing.assert_array_equal(first, again)
    mpc.restore(saved)
    np.testing.assert_array_equal(
        mpc.step(ticks(100.0), ticks(110.0), inputs).outputs, after
    )
    mpc.close()
    mpc.close()


def test_period_longer_than_the_first_interval_is_refused():
    with pytest.raises(InterfaceError, match="first interval"):
        ChargeMpcConfig(limits=LIMITS, interval_s=(5.0, 5.0), period_s=10.0)


@pytest.mark.slow
def test_twenty_intervals_with_a_network_are_planned_within_0_1_s():
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
    assert np.percentile(times_s, 99) < 0.3
