"""The circuit against closed forms: voltage, charge, heat and ageing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from packtwin.twin.ageing_circuit import CircuitNodes, ageing_circuit
from packtwin.twin.errors import InterfaceError
from packtwin.twin.identification import Record, model_traces
from packtwin.twin.measurement import Measurement
from packtwin.twin.model import Model

NODES = CircuitNodes(ocv=(0.0, 0.5, 1.0), resistance=(0.0, 1.0))
STRAIGHT = {
    "ocv_start_V": 3.0,
    "ocv_step_1_V": 0.5,
    "ocv_step_2_V": 0.5,
    "resistance_0_Ohm": 0.03,
    "resistance_1_Ohm": 0.03,
    "ohmic_Ohm": 0.02,
    "pair_share": 1.0,
    "pair_1_time_s": 50.0,
    "cooling_W_per_K": 1e-9,
    "fade_charge_Ah": 1e12,
}


def outputs(
    model: Model, current_A: float, *, series: str, hold_s: float = 600.0
) -> np.ndarray:
    time_s = np.linspace(0.0, hold_s, 61)
    made = Measurement(
        name="made",
        time_s=time_s,
        current_A=np.full(len(time_s), current_A),
        voltage_V=np.zeros(len(time_s)),
    )
    inputs = {"ambient_temperature_K": 298.15}
    record = Record(measurement=made, inputs=inputs)
    ((_, _, found),) = model_traces(model, [record], None, [series], refinement=4)
    return found[:, 0]


def test_voltage_is_the_closed_form_of_a_straight_cell() -> None:
    model = ageing_circuit(NODES, STRAIGHT)
    t = np.linspace(0.0, 600.0, 61)
    lagged_A = 2.0 * (1.0 - np.exp(-t / 50.0))
    expected = 4.0 - 2.0 * t / 7200.0 - 0.02 * 2.0 - 0.03 * lagged_A
    found = outputs(model, 2.0, series="voltage_V")
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


def test_the_prompt_drop_bends_as_an_area_sine() -> None:
    model = ageing_circuit(NODES, STRAIGHT | {"kinetic_current_A": 1.0})
    found = outputs(model, 2.0, series="voltage_V")[0]
    assert found == pytest.approx(4.0 - 0.02 * 2.0 * np.arcsinh(1.0), abs=1e-12)


def test_energy_taken_from_the_open_circuit_becomes_work_and_heat() -> None:
    model = ageing_circuit(NODES, STRAIGHT | {"heat_capacity_J_per_K": 10.0})
    warmed_K = outputs(model, 2.0, series="temperature_K")[-1] - 298.15
    t = np.linspace(0.0, 600.0, 6001)
    drop_V = 0.04 + 0.03 * 2.0 * (1.0 - np.exp(-t / 50.0))
    assert warmed_K == pytest.approx(np.trapezoid(2.0 * drop_V, t) / 10.0, rel=2e-4)


def test_entropy_cools_where_it_is_positive() -> None:
    nodes = replace(NODES, entropy=(0.0, 1.0))
    slope = {"entropy_0_V_per_K": 1e-4, "entropy_1_V_per_K": 1e-4}
    heat_W = outputs(ageing_circuit(nodes, STRAIGHT | slope), 2.0, series="heat_W")
    plain_W = outputs(ageing_circuit(NODES, STRAIGHT), 2.0, series="heat_W")
    assert (heat_W - plain_W)[0] == pytest.approx(-2.0 * 298.15 * 1e-4, rel=1e-9)


def test_capacity_fades_as_a_reaction_of_first_order() -> None:
    changes = {"fade_charge_Ah": 4.0, "capacity_floor_Ah": 1.0}
    model = ageing_circuit(NODES, STRAIGHT | changes)
    found = outputs(model, 2.0, series="capacity_Ah")
    through_Ah = 2.0 * np.linspace(0.0, 600.0, 61) / 3600.0
    np.testing.assert_allclose(found, 1.0 + np.exp(-through_Ah / 4.0), rtol=1e-6)


def test_loss_raises_the_resistance_and_shrinks_the_inventory_by_its_share() -> None:
    aged = STRAIGHT | {
        "capacity_start_Ah": 1.5,
        "growth_0_Ohm": 0.4,
        "growth_1_Ohm": 0.4,
        "inventory_share": 0.5,
    }
    t = 600.0
    found = outputs(ageing_circuit(NODES, aged), 2.0, series="voltage_V")[-1]
    bulk = 1.0 - 2.0 * t / 3600.0 / (2.0 * (1.0 - 0.5 * 0.25))
    lagged_A = 2.0 * (1.0 - np.exp(-t / 50.0))
    expected = 3.0 + bulk - 0.04 - (0.03 + 0.25 * 0.4) * lagged_A
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_missing_surface_charge_lowers_the_open_circuit_voltage() -> None:
    slow = {"pair_2_time_s": 1.0, "surface_delay_s": 36.0}
    found = outputs(ageing_circuit(NODES, STRAIGHT | slow), 2.0, series="ocv_V")[-1]
    # 72 A s of 7200 A s, at 1 V per state of charge.
    assert found == pytest.approx(4.0 - 1200.0 / 7200.0 - 0.01, abs=1e-6)


@pytest.mark.parametrize("wrong", [(0.5,), (0.0, 0.0), (1.0, 0.0)])
def test_nodes_that_make_no_spline_are_refused(wrong: tuple[float, ...]) -> None:
    with pytest.raises(InterfaceError, match="`ocv`"):
        CircuitNodes(ocv=wrong, resistance=(0.0, 1.0))
