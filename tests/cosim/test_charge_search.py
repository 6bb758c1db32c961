"""Claims about the charges that an optimised one is measured against."""

from dataclasses import replace

import numpy as np
import pytest

from packtwin.cosim.charge_limits import ChargeLimits
from packtwin.cosim.charge_search import (
    ChargeRun,
    charge_cccv,
    greedy_plating_limited_charge,
    search_best_cccv,
)
from packtwin.twin.errors import InfeasibleError
from tests.cosim.charge_cell import make_cell
from tests.cosim.charge_plant import (
    CONDITIONS,
    LIMITS,
)


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


def make_run(c_rate, plating_potential_V):
    return ChargeRun(
        time_s=np.array([3600.0 / c_rate]),
        current_A=np.array([-5.0 * c_rate]),
        soc=np.array([1.0]),
        voltage_V=np.array([4.0]),
        temperature_K=np.array([300.0]),
        plating_potential_V=np.array([plating_potential_V]),
        charge_time_s=3600.0 / c_rate,
    )


def test_search_finds_the_rate_where_plating_begins():
    limits = ChargeLimits(
        maximum_charge_current_A=20.0,
        maximum_voltage_V=4.2,
        maximum_temperature_K=313.15,
        voltage_tolerance_V=0.0,
    )
    best = search_best_cccv(lambda c_rate: make_run(c_rate, 1.234 - c_rate), limits)
    assert 1.224 < best.c_rate <= 1.234
    assert best.run.charge_time_s == 3600.0 / best.c_rate


def test_search_takes_the_highest_rate_if_it_is_admissible():
    best = search_best_cccv(
        lambda c_rate: make_run(c_rate, 0.1), LIMITS, highest_c_rate=3.0
    )
    assert best.c_rate == 3.0
    assert best.simulation_count == 2


@pytest.mark.parametrize("step_s", [10.0, 70.0])
def test_charge_limited_by_its_current_alone_takes_charge_over_current(step_s):
    cell = make_cell()
    exact_s = (0.8 - 0.1) * 5.0 * 3600.0 / 1.0
    limits = replace(LIMITS, maximum_charge_current_A=1.0)
    greedy = greedy_plating_limited_charge(
        cell, limits, CONDITIONS, target_soc=0.8, step_s=step_s
    )
    cccv = charge_cccv(cell, -1.0, 4.5, CONDITIONS, target_soc=0.8, step_s=step_s)
    assert greedy.charge_time_s == pytest.approx(exact_s, rel=1e-9)
    assert cccv.charge_time_s == pytest.approx(exact_s, rel=1e-9)


def test_constant_voltage_phase_holds_the_voltage():
    run = charge_cccv(make_cell(), -15.0, 4.1, CONDITIONS, target_soc=0.8)
    held = np.abs(run.current_A) < 14.9
    assert held.any()
    np.testing.assert_allclose(run.voltage_V[held], 4.1, atol=1e-5)
    assert (np.diff(np.abs(run.current_A[held])) < 1e-3).all()


def test_charge_that_cannot_reach_its_target_takes_for_ever():
    run = charge_cccv(make_cell(), -5.0, 3.5, CONDITIONS, target_soc=0.8, step_s=300.0)
    assert run.charge_time_s == np.inf
