from __future__ import annotations

import numpy as np
import pytest

from packtwin.pybamm_models.cells import CELLS, Cell
from packtwin.pybamm_models.facts import cell_facts
from packtwin.pybamm_models.run import Run
from packtwin.pybamm_models.stepping import replay

H_W_PER_M2_K = 30.0


@pytest.fixture(scope="module")
def pulses(oregan: Cell) -> Run:
    """300 s of pulses of both signs with a drifting coolant."""
    rng = np.random.default_rng(3)
    start_s = np.arange(0.0, 300.0, 30.0)
    level_A = np.repeat(rng.uniform(-8.0, 8.0, len(start_s)), 2)
    time_s = np.column_stack([start_s + 1.0, start_s + 30.0]).ravel()
    time_s = np.concatenate([[0.0], time_s])
    return replay(
        oregan,
        time_s,
        np.concatenate([[0.0], level_A]),
        0.5,
        305.0,
        np.interp(time_s, [0.0, 300.0], [290.0, 310.0]),
        H_W_PER_M2_K,
    )


@pytest.mark.parametrize("cell", CELLS.values(), ids=lambda cell: cell.name)
def test_window_voltages_belong_to_soc_zero_and_one(cell: Cell) -> None:
    facts = cell_facts(cell)
    assert facts.ocv_V([0.0, 1.0]) == pytest.approx([2.5, 4.2], abs=2e-3)
    assert 0 < facts.x0 < facts.x100 < 1
    assert 0 < facts.y100 < facts.y0 < 1
    assert facts.capacity_Ah == pytest.approx(cell.nominal_capacity_Ah, rel=0.05)


def test_voltage_at_rest_is_difference_of_tables(oregan: Cell) -> None:
    facts = cell_facts(oregan)
    run = replay(
        oregan, np.array([0.0, 60.0]), np.zeros(2), 0.4, 310.0, 310.0, H_W_PER_M2_K
    )
    x, y = run.stoichiometry_negative_mean, run.stoichiometry_positive_mean
    negative_V = np.interp(x, facts.x, facts.ocp_negative_V)
    positive_V = np.interp(y, facts.y, facts.ocp_positive_V)
    slope_V_per_K = np.interp(y, facts.y, facts.entropic_positive_V_per_K) - np.interp(
        x, facts.x, facts.entropic_negative_V_per_K
    )
    dT_K = run.temperature_K - facts.reference_temperature_K
    rest_V = positive_V - negative_V + dT_K * slope_V_per_K
    assert np.abs(run.voltage_V - rest_V).max() < 1e-4
    assert np.abs(run.ocv_V - rest_V).max() < 1e-4
    assert run.soc == pytest.approx(0.4, abs=1e-9)


def test_mean_stoichiometries_count_charge(oregan: Cell, pulses: Run) -> None:
    facts = cell_facts(oregan)
    mean_A = (pulses.current_A[1:] + pulses.current_A[:-1]) / 2.0
    passed_Ah = np.concatenate([[0.0], np.cumsum(mean_A)]) / 3600.0
    x, y = facts.stoichiometries(0.5)
    expected_x = x - passed_Ah / facts.capacity_negative_Ah
    expected_y = y + passed_Ah / facts.capacity_positive_Ah
    assert np.abs(pulses.stoichiometry_negative_mean - expected_x).max() < 1e-6
    assert np.abs(pulses.stoichiometry_positive_mean - expected_y).max() < 1e-6
    assert np.abs(pulses.soc - (0.5 - passed_Ah / facts.capacity_Ah)).max() < 1e-6


def test_lumped_heat_balance_closes(oregan: Cell, pulses: Run) -> None:
    facts = cell_facts(oregan)
    capacity_J_per_K = np.interp(
        pulses.temperature_K,
        facts.heat_capacity_temperature_K,
        facts.heat_capacity_table_J_per_K,
    )
    cooling_W = (
        H_W_PER_M2_K
        * facts.cooling_area_m2
        * (pulses.temperature_K - pulses.coolant_temperature_K)
    )
    warming_W = capacity_J_per_K[1:-1] * (
        (pulses.temperature_K[2:] - pulses.temperature_K[:-2]) / 2.0
    )
    rest_W = (warming_W - (pulses.heat_total_W - cooling_W)[1:-1])[
        np.abs(pulses.current_A[2:] - pulses.current_A[:-2]) < 1e-9
    ]
    assert np.abs(rest_W).max() < 0.01
    parts_W = pulses.heat_irreversible_W + pulses.heat_reversible_W
    assert pulses.heat_total_W == pytest.approx(parts_W, abs=1e-12)


def test_discharge_lowers_soc_and_voltage_below_ocv(coarse: Cell) -> None:
    run = replay(
        coarse, np.array([0.0, 1.0, 60.0]), np.array([0.0, 5.0, 5.0]), 0.5, 298.15,
        298.15, H_W_PER_M2_K,
    )  # fmt: skip
    assert run.soc[-1] < run.soc[0]
    assert run.voltage_V[-1] < run.ocv_V[-1]
    assert run.heat_irreversible_W[-1] > 0
