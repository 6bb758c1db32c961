"""The ageing part of the bench: a made cell everywhere, measured ones if there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packtwin.scenarios.bench import BenchOptions
from packtwin.scenarios.bench_measured import FOLDER_VARIABLE, measured_folder, rows
from packtwin.scenarios.bench_measured_ageing import (
    open_prediction,
    synthetic_rows,
)
from packtwin.scenarios.catalogue import library_folder
from packtwin.scenarios.identification_file import load_identification
from packtwin.scenarios.synthetic_cells import synthetic_circuit, write_ageing_cell
from packtwin.twin.life_follower import life_of
from packtwin.twin.measurement_cycles import read_cycles


def ignore(_share: float, _text: str) -> None:
    pass


def test_a_made_cell_is_followed_within_the_published_errors() -> None:
    found = {row.id: row.value for row in synthetic_rows(12, 10)}
    # It wanders by 3 mAh of 2 Ah, which no record tells beforehand.
    assert found["synthetic.life.next.soh"] < 1.0
    assert found["synthetic.life.opening.voltage"] < 21.0
    assert found["synthetic.life.opening.temperature"] < 0.3
    assert set(found) >= {f"synthetic.life.next.{k}" for k in ("mean", "covered")}


def test_an_open_prediction_uses_no_later_capacity(tmp_path: Path) -> None:
    path = tmp_path / "made.csv.gz"
    write_ageing_cell(path, 8)
    file = load_identification(library_folder() / "measured_nasa_18650.toml")
    cycles = read_cycles(path, file.columns.column_map(), "cycle")
    life = life_of(cycles, cutoff_V=2.7, opening_Ah=0.1)
    other = life.capacity_Ah.copy()
    other[6:] -= 0.2
    predicted = [
        [
            p.capacity_error_Ah + float(one.capacity_Ah[p.index])
            for p in open_prediction(synthetic_circuit(), one, 6)
        ]
        for one in (life, replace(life, capacity_Ah=other))
    ]
    np.testing.assert_allclose(predicted[0], predicted[1], rtol=0, atol=1e-15)
    assert predicted[0][1] < predicted[0][0] < 2.05


@pytest.mark.slow
def test_ageing_cells_are_followed_better_than_published() -> None:
    if measured_folder() is None:
        pytest.skip(f"`{FOLDER_VARIABLE}` names no folder of measured cells")
    found = {r.id: r for r in rows(ignore, BenchOptions(only=("ageing",)))}
    judged = [r for key, r in found.items() if ".opening." in key and r.target]
    assert len(judged) == 12
    assert all(row.met for row in judged)
