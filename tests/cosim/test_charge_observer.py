"""Claims about the controller's copy of the cell."""

from dataclasses import replace

import numpy as np

from packtwin.cosim.charge_mpc import ChargeMpcConfig
from packtwin.cosim.charge_ports import ControlMode
from packtwin.twin.component import ticks
from tests.cosim.charge_cell import make_cell
from tests.cosim.charge_plant import (
    LIMITS,
    Plant,
    charge,
    make_mpc,
)


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
