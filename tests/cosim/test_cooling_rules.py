"""Claims about the cooling rules, with exact answers."""

import numpy as np
import pytest

from packtwin.cosim.cooling_rules import (
    CoolingRules,
    CoolingRulesConfig,
    CoolingThresholds,
    cooling_rules_step_map,
)
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import InterfaceError

CONFIG = CoolingRulesConfig(
    driving=CoolingThresholds(
        heat_below_K=278.0, cool_above_K=303.0, chill_above_K=311.0
    ),
    charging=CoolingThresholds(
        heat_below_K=293.0, cool_above_K=300.0, chill_above_K=305.0
    ),
    hysteresis_K=2.0,
    proportional_band_K=5.0,
    pump_idle_command=0.1,
    pump_minimum_command=0.4,
    actuator_minimum_command=0.2,
    heater_power_maximum_W=4000.0,
)
MILD = {
    "temperature_max_K": 296.0,
    "temperature_min_K": 295.0,
    "coolant_temperature_K": 298.0,
    "ambient_temperature_K": 290.0,
    "is_charging": 0.0,
}


def make_rules():
    rules = CoolingRules(CONFIG)
    rules.initialize(0, np.zeros(5))
    return rules


def step(rules, second, **changes):
    values = MILD | changes
    u = np.array([values[n] for n in rules.interface.input_names])
    report = rules.step(ticks(float(second)), ticks(second + 1.0), u)
    return dict(zip(rules.interface.output_names, report.outputs, strict=True))


def commands(outputs):
    return tuple(round(float(v), 12) for v in outputs.values())


def test_mild_cell_only_gets_the_idle_flow():
    assert commands(step(make_rules(), 0)) == (0.1, 0.0, 0.0, 0.0)


def test_warm_cell_gets_pump_and_fan_in_proportion():
    rules = make_rules()
    assert commands(step(rules, 0, temperature_max_K=306.0)) == (0.6, 0.6, 0.0, 0.0)
    assert commands(step(rules, 1, temperature_max_K=310.0)) == (1.0, 1.0, 0.0, 0.0)


def test_cooling_stops_only_below_the_hysteresis():
    rules = make_rules()
    assert step(rules, 0, temperature_max_K=303.0)["fan_command"] == 0.0
    assert step(rules, 1, temperature_max_K=303.1)["fan_command"] == 0.2
    assert step(rules, 2, temperature_max_K=301.1)["fan_command"] == 0.2
    assert step(rules, 3, temperature_max_K=301.0)["fan_command"] == 0.0
    assert step(rules, 4, temperature_max_K=302.9)["fan_command"] == 0.0


def test_hot_cell_gets_the_chiller_with_its_own_hysteresis():
    rules = make_rules()
    assert step(rules, 0, temperature_max_K=311.0)["chiller_command"] == 0.0
    assert step(rules, 1, temperature_max_K=313.5)["chiller_command"] == 0.5
    assert step(rules, 2, temperature_max_K=309.5)["chiller_command"] == 0.2
    assert step(rules, 3, temperature_max_K=309.0)["chiller_command"] == 0.0


def test_hot_air_replaces_the_fan_by_the_chiller():
    outputs = step(
        make_rules(), 0, temperature_max_K=306.0, ambient_temperature_K=310.0
    )
    assert commands(outputs) == (0.6, 0.0, 0.6, 0.0)


def test_cold_cell_gets_heat_until_the_hysteresis_and_flow_with_it():
    rules = make_rules()
    assert commands(step(rules, 0, temperature_min_K=275.5)) == (0.5, 0, 0, 2000.0)
    assert commands(step(rules, 1, temperature_min_K=279.9)) == (0.4, 0, 0, 800.0)
    assert commands(step(rules, 2, temperature_min_K=280.0)) == (0.1, 0, 0, 0.0)
    assert commands(step(rules, 3, temperature_min_K=278.5)) == (0.1, 0, 0, 0.0)


def test_charging_uses_its_own_thresholds():
    parked, plugged = make_rules(), make_rules()
    warm = {"temperature_max_K": 301.0}
    assert step(parked, 0, **warm)["pump_command"] == 0.1
    assert step(plugged, 0, is_charging=1.0, **warm)["pump_command"] == 0.4
    cold = {"temperature_min_K": 288.0}
    assert step(parked, 1, **cold)["heater_power_request_W"] == 0.0
    plugged = make_rules()
    outputs = step(plugged, 0, is_charging=1.0, **cold)
    assert outputs["heater_power_request_W"] == 4000.0


def test_cooling_wins_over_heating():
    outputs = step(make_rules(), 0, temperature_max_K=304.0, temperature_min_K=270.0)
    assert outputs["heater_power_request_W"] == 0.0
    assert outputs["fan_command"] == 0.2


def test_coolant_bounds_stop_heater_and_chiller():
    hot, cold = {"coolant_temperature_K": 318.15}, {"coolant_temperature_K": 283.15}
    outputs = step(make_rules(), 0, temperature_min_K=270.0, **hot)
    assert outputs["heater_power_request_W"] == 0.0
    outputs = step(make_rules(), 0, temperature_max_K=320.0, **cold)
    assert outputs["chiller_command"] == 0.0


def test_rewind_restores_the_switches():
    rules = make_rules()
    step(rules, 0, temperature_max_K=304.0)
    saved = rules.save()
    first = commands(step(rules, 1, temperature_max_K=302.0))
    step(rules, 2)
    rules.restore(saved)
    assert commands(step(rules, 1, temperature_max_K=302.0)) == first


def test_thresholds_that_heat_and_cool_at_once_are_refused():
    with pytest.raises(InterfaceError, match="must increase"):
        CoolingThresholds(heat_below_K=300.0, cool_above_K=299.0, chill_above_K=310.0)


def test_the_law_as_a_component_decides_as_the_controller_of_its_period():
    draw = np.random.default_rng(0)
    rules, law = make_rules(), StepMapComponent(cooling_rules_step_map(CONFIG))
    none = np.zeros(5)
    np.testing.assert_array_equal(law.initialize(0, none), rules.initialize(0, none))
    for second in range(200):
        u = np.append(draw.uniform(270.0, 325.0, 4), draw.integers(2))
        span = ticks(float(second)), ticks(second + 1.0)
        outputs = law.step(*span, u).outputs
        np.testing.assert_array_equal(outputs, rules.step(*span, u).outputs)
