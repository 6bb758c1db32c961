from __future__ import annotations

import numpy as np
import pytest

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.crude_cell import CrudeCell
from packtwin.pybamm_models.facts import cell_facts


def test_charge_is_counted_and_temperature_relaxes(oregan: Cell) -> None:
    facts = cell_facts(oregan)
    cell = CrudeCell(oregan, facts, 0.5, 298.15)
    cell.advance(0.0, 100.0, 288.15, 30.0)
    rate_per_s = 30.0 * facts.cooling_area_m2 / facts.heat_capacity_J_per_K
    assert cell.soc == 0.5
    assert cell.temperature_K - 288.15 == pytest.approx(
        10.0 * np.exp(-100.0 * rate_per_s), rel=1e-12
    )
    cell.advance(2.0, 90.0, 288.15, 30.0)
    assert cell.soc == pytest.approx(0.5 - 0.05 / facts.capacity_Ah, rel=1e-14)


def test_empty_bears_no_discharge_and_full_no_charge(oregan: Cell) -> None:
    facts = cell_facts(oregan)
    for soc, sign in ((0.02, 1), (0.99, -1)):
        cell = CrudeCell(oregan, facts, soc, 298.15)
        assert cell.limit_A(sign, 30.0) == 0.0
        assert cell.limit_A(-sign, 30.0) > 0.0


def test_hot_cell_bears_three_tenths_of_1C(oregan: Cell) -> None:
    cell = CrudeCell(oregan, cell_facts(oregan), 0.5, 335.0)
    step_A = oregan.current_max_c_rate * oregan.nominal_capacity_Ah / 60
    limit_A = 0.3 * oregan.nominal_capacity_Ah
    assert limit_A - step_A <= cell.limit_A(1, 30.0) <= limit_A
