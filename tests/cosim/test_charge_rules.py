"""Claims about CC-CV charging, with exact answers."""

import numpy as np
import pytest

from packtwin.cosim.charge_ports import ControlMode
from packtwin.cosim.charge_rules import (
    CcCvCharger,
    CcCvConfig,
    ChargePhase,
    cccv_step_map,
)
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import InterfaceError, StepError

CONFIG = CcCvConfig(
    n_series=96,
    n_parallel=2,
    cell_capacity_Ah=5.0,
    c_rate=1.5,
    cell_voltage_limit_V=4.2,
    taper_c_rate=0.1,
    target_soc=0.9,
    derate_temperature_K=(273.15, 283.15, 313.15, 323.15),
    derate_factor=(0.0, 1.0, 1.0, 0.2),
)
PARKED = {
    "is_driving": 0.0,
    "current_A": -15.0,
    "voltage_V": 380.0,
    "soc": 0.3,
    "cell_voltage_max_V": 4.0,
    "temperature_min_K": 298.15,
    "temperature_max_K": 298.15,
    "plating_potential_min_V": 0.1,
    "coolant_temperature_K": 298.15,
    "heat_transfer_coefficient_W_per_m2K": 100.0,
}


def make_charger(config=CONFIG):
    charger = CcCvCharger(config)
    charger.initialize(0, np.zeros(len(charger.interface.inputs)))
    return charger


def step(charger, second, **changes):
    values = PARKED | changes
    u = np.array([values[n] for n in charger.interface.input_names])
    report = charger.step(ticks(float(second)), ticks(second + 1.0), u)
    assert report.end_tick == ticks(second + 1.0)
    return dict(zip(charger.interface.output_names, report.outputs, strict=True))


@pytest.mark.parametrize(
    ("coldest_K", "hottest_K", "factor"),
    [
        (298.15, 298.15, 1.0),
        (273.15, 298.15, 0.0),
        (283.15, 298.15, 1.0),
        (278.15, 298.15, 0.5),
        (260.0, 298.15, 0.0),
        (298.15, 313.15, 1.0),
        (298.15, 318.15, 0.6),
        (298.15, 323.15, 0.2),
        (298.15, 330.0, 0.2),
        (278.15, 318.15, 0.5),
    ],
)
def test_current_follows_the_derating_table(coldest_K, hottest_K, factor):
    outputs = step(
        make_charger(), 0, temperature_min_K=coldest_K, temperature_max_K=hottest_K
    )
    assert outputs["control_mode"] == ControlMode.CURRENT
    assert outputs["is_charging"] == 1.0
    assert outputs["current_request_A"] == pytest.approx(-15.0 * factor, abs=1e-12)


def test_idle_outputs_do_not_depend_on_inputs():
    charger = CcCvCharger(CONFIG)
    n = len(charger.interface.inputs)
    first = charger.initialize(0, np.zeros(n))
    np.testing.assert_array_equal(first, charger.initialize(0, np.ones(n)))
    assert charger.feedthrough == frozenset()
    assert first[0] == ControlMode.POWER


def test_driving_leaves_the_pack_to_the_power_request():
    charger = make_charger()
    step(charger, 0)
    outputs = step(charger, 1, is_driving=1.0)
    assert outputs["control_mode"] == ControlMode.POWER
    assert outputs["is_charging"] == 0.0
    assert outputs["current_request_A"] == 0.0


def test_constant_voltage_holds_the_highest_cell_at_its_limit():
    charger = make_charger()
    assert step(charger, 0)["control_mode"] == ControlMode.CURRENT
    outputs = step(charger, 1, cell_voltage_max_V=4.2, voltage_V=398.0)
    assert outputs["control_mode"] == ControlMode.VOLTAGE
    assert outputs["voltage_request_V"] == 398.0
    # 10 mV above its limit: 96 cells come down by as much.
    outputs = step(charger, 2, cell_voltage_max_V=4.21, voltage_V=398.0)
    assert outputs["voltage_request_V"] == pytest.approx(398.0 - 0.96, abs=1e-9)


def test_constant_voltage_yields_to_a_falling_derate_and_returns():
    charger = make_charger()
    step(charger, 0, cell_voltage_max_V=4.2)
    outputs = step(charger, 1, cell_voltage_max_V=4.2, temperature_max_K=318.15)
    assert outputs["control_mode"] == ControlMode.CURRENT
    assert outputs["current_request_A"] == pytest.approx(-9.0)
    outputs = step(charger, 2, cell_voltage_max_V=4.15, current_A=-9.0)
    assert outputs["control_mode"] == ControlMode.CURRENT
    outputs = step(charger, 3, cell_voltage_max_V=4.2, current_A=-9.0)
    assert outputs["control_mode"] == ControlMode.VOLTAGE


def test_taper_current_ends_the_charge():
    charger = make_charger()
    step(charger, 0, cell_voltage_max_V=4.2)
    still = step(charger, 1, cell_voltage_max_V=4.2, current_A=-1.001)
    assert still["is_charging"] == 1.0
    done = step(charger, 2, cell_voltage_max_V=4.2, current_A=-1.0)
    assert done["is_charging"] == 0.0
    assert done["control_mode"] == ControlMode.CURRENT
    assert done["current_request_A"] == 0.0


def test_target_ends_the_charge_at_once_and_hysteresis_restarts_it():
    charger = make_charger(
        CcCvConfig(
            n_series=1,
            n_parallel=1,
            cell_capacity_Ah=5.0,
            c_rate=1.0,
            cell_voltage_limit_V=4.2,
            period_s=60.0,
        )
    )
    assert step(charger, 0, soc=0.79)["is_charging"] == 1.0
    assert step(charger, 1, soc=0.8)["is_charging"] == 0.0
    assert step(charger, 61, soc=0.781)["is_charging"] == 0.0
    assert step(charger, 121, soc=0.779)["is_charging"] == 1.0


def test_outputs_are_held_between_decisions():
    charger = make_charger(
        CcCvConfig(
            n_series=1,
            n_parallel=1,
            cell_capacity_Ah=5.0,
            c_rate=1.0,
            cell_voltage_limit_V=4.2,
            period_s=10.0,
        )
    )
    step(charger, 0)
    for second in range(1, 10):
        outputs = step(charger, second, temperature_max_K=330.0)
        assert outputs["current_request_A"] == -5.0
    assert step(charger, 10, temperature_max_K=330.0)["current_request_A"] == 0.0


def test_rewind_repeats_the_same_outputs():
    charger = make_charger()
    step(charger, 0)
    saved = charger.save()
    first = [step(charger, s, cell_voltage_max_V=4.2) for s in range(1, 4)]
    charger.restore(saved)
    assert charger.save()[0].tolist() == [ChargePhase.CONSTANT_CURRENT]
    assert [step(charger, s, cell_voltage_max_V=4.2) for s in range(1, 4)] == first
    charger.close()
    charger.close()


def test_input_that_is_not_finite_is_named():
    charger = make_charger()
    with pytest.raises(StepError, match="`soc`"):
        step(charger, 0, soc=float("nan"))


def test_decreasing_derating_table_is_refused():
    with pytest.raises(InterfaceError, match="derate_temperature_K"):
        CcCvConfig(
            n_series=1,
            n_parallel=1,
            cell_capacity_Ah=5.0,
            c_rate=1.0,
            cell_voltage_limit_V=4.2,
            derate_temperature_K=(300.0, 290.0),
            derate_factor=(1.0, 0.0),
        )


def test_the_law_as_a_component_decides_as_the_controller_of_its_period():
    draw = np.random.default_rng(1)
    charger, law = make_charger(), StepMapComponent(cccv_step_map(CONFIG))
    names = charger.interface.input_names
    none = np.zeros(len(names))
    np.testing.assert_array_equal(law.initialize(0, none), charger.initialize(0, none))
    for second in range(300):
        values = PARKED | {
            "is_driving": float(draw.random() < 0.05),
            "current_A": draw.uniform(-16.0, 0.0),
            "soc": draw.choice([0.3, 0.87, 0.9]),
            "cell_voltage_max_V": draw.choice([4.0, 4.2, 4.21]),
            "temperature_max_K": draw.uniform(298.0, 325.0),
        }
        u = np.array([values[n] for n in names])
        span = ticks(float(second)), ticks(second + 1.0)
        outputs = law.step(*span, u).outputs
        np.testing.assert_array_equal(outputs, charger.step(*span, u).outputs)
