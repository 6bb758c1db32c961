"""The Leaf part of the bench, where its records are."""

from __future__ import annotations

import pytest

from packtwin.scenarios.bench_measured import FOLDER_VARIABLE, measured_folder
from packtwin.scenarios.bench_measured_leaf import leaf_rows


@pytest.mark.slow
def test_the_leaf_cell_at_2C_is_better_than_its_baseline() -> None:
    folder = measured_folder()
    if folder is None:
        pytest.skip(f"`{FOLDER_VARIABLE}` names no folder of measured cells")
    found = {row.id: row for row in leaf_rows(folder, lambda _share, _text: None)}
    assert found["leaf.2C.load"].met
    assert found["leaf.HPPC"].value < 4.0
