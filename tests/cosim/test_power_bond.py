from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Adaptive, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.power_bond import PowerBond
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.scenarios.bench_cosim_cases import exact_quarter_car, quarter_car
from packtwin.scenarios.bench_cosim_linear import CUBIC, LinearComponent
from packtwin.twin.errors import StepError, WiringError
from packtwin.twin.variable import Variable
from tests.fakes import Accumulator, Fake

BOND = PowerBond("leg", effort="chassis.force_N", flow="wheel.speed_m_per_s")


def run(master, step_s: float):
    return simulate(
        quarter_car(), stop_s=1.0, step_s=step_s, master=master, bonds=[BOND]
    )


def test_a_held_signal_loses_what_it_hides():
    # A ramp of 2 V/s across a constant 3 A: held at the start of the step, 3 J is lost.
    source = Fake("source", lambda t, u: [2.0 * t], inputs=("i_A",), outputs=("x_V",))
    sink = Fake("sink", lambda t, u: [3.0], inputs=("v_V",), outputs=("y_A",))
    system = System(
        [source, sink],
        [Connection("source.x_V", "sink.v_V"), Connection("sink.y_A", "source.i_A")],
    )
    bond = PowerBond("wire", effort="source.x_V", flow="sink.y_A")
    result = simulate(
        system, stop_s=2.0, step_s=1.0, master=Jacobi(), bonds=[bond], record=()
    )
    assert result.names == ("wire.energy_J", "wire.residual_J")
    assert result.units == ("J", "J")
    np.testing.assert_allclose(result["wire.energy_J"], [0.0, 3.0, 12.0])
    np.testing.assert_allclose(result["wire.residual_J"], [0.0, 3.0, 6.0])


def test_what_iterated_components_exchange_arrives():
    result = run(Iterated(), 0.005)
    time_s = np.linspace(0.0, 1.0, 20_001)
    exact = exact_quarter_car(time_s)
    power_W = exact[:, 4] * exact[:, 1]
    exact_J = np.sum(power_W[1:] + power_W[:-1]) / 2.0 * (time_s[1] - time_s[0])
    assert result["leg.energy_J"][-1] == pytest.approx(exact_J, rel=1e-4)
    assert np.abs(result["leg.residual_J"]).max() < 1e-6 * abs(exact_J)
    adaptive = run(Adaptive(tolerance=1e-5), 0.05)
    assert adaptive["leg.energy_J"][-1] == pytest.approx(exact_J, rel=1e-4)


def test_explicit_masters_make_energy_of_first_order():
    lost = [np.abs(run(GaussSeidel(), h)["leg.residual_J"]).max() for h in (2e-3, 1e-3)]
    assert lost[0] / lost[1] == pytest.approx(2.0, rel=0.2)


def test_accounts_change_no_result():
    plain = simulate(quarter_car(), stop_s=0.1, step_s=0.005, master=Jacobi())
    booked = simulate(
        quarter_car(), stop_s=0.1, step_s=0.005, master=Jacobi(), bonds=[BOND]
    )
    np.testing.assert_array_equal(plain.values, booked.values[:, :-2])


def test_a_coupling_that_makes_ever_more_energy_is_said_to_be_unstable():
    with pytest.raises(StepError, match="unstable") as info:
        run(Jacobi(), 0.02)
    assert "`leg`" in info.value.reason
    assert 0.2 < info.value.time_s < 1.0
    assert np.isfinite(info.value.result.values).all()
    run(Iterated(), 0.02)


def test_a_physical_growth_is_not_taken_for_an_unstable_coupling():
    # x' = 3 x between two components, in steps that resolve it: 1e13 in 10 s.
    grow = LinearComponent(
        "grow",
        (0.0, 3.0, 1.0, 0.0),
        [1.0],
        (Variable(name="i_A"),),
        (Variable(name="x_V"),),
        replace(CUBIC, can_rewind=True),
    )
    law = LinearComponent(
        "law",
        (0.0, 0.0, 0.0, 1.0),
        [0.0],
        (Variable(name="v_V"),),
        (Variable(name="y_A"),),
    )
    system = System(
        [law, grow],
        [Connection("grow.x_V", "law.v_V"), Connection("law.y_A", "grow.i_A")],
    )
    bond = PowerBond("wire", effort="grow.x_V", flow="law.y_A")
    for master in (GaussSeidel(), Iterated()):
        result = simulate(system, stop_s=10.0, step_s=0.05, master=master, bonds=[bond])
        assert result.status.kind == "completed"


def test_a_bond_whose_ports_do_not_feed_each_other_is_refused():
    meter = Accumulator("meter")
    source = Fake("source", lambda t, u: [1.0], outputs=("x_A",))
    system = System([source, meter], [Connection("source.x_A", "meter.input_A")])
    bond = PowerBond("wire", effort="source.x_A", flow="meter.charge_Ah")
    with pytest.raises(WiringError, match=r"needs `meter\.charge_Ah` to feed `source`"):
        simulate(system, stop_s=1.0, step_s=0.1, bonds=[bond])
