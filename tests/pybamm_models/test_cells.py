from __future__ import annotations

import pytest

from packtwin.pybamm_models.cells import CELLS, DEFAULT_CELL, find_cell
from packtwin.twin.errors import ScenarioError


def test_unknown_cell_error_lists_the_known_ones() -> None:
    with pytest.raises(ScenarioError) as caught:
        find_cell("lg_m51")
    assert "`lg_m51`" in str(caught.value)
    assert all(name in str(caught.value) for name in CELLS)
    assert str(caught.value).endswith(".")


def test_default_cell_is_known() -> None:
    assert find_cell(DEFAULT_CELL).name == DEFAULT_CELL


@pytest.mark.parametrize("cell", CELLS.values(), ids=lambda cell: cell.name)
def test_stop_voltages_lie_outside_the_window(cell) -> None:  # type: ignore[no-untyped-def]
    assert cell.stop_voltage_min_V < cell.voltage_min_V
    assert cell.stop_voltage_max_V > cell.voltage_max_V
