from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from packtwin.pybamm_models.cells import Cell, Mesh
from packtwin.pybamm_models.convergence import (
    CHARGES,
    Charge,
    study,
    write_verdicts,
)

ONE_C = Charge(c_rate=1.0, temperature_K=298.15)


def test_shipped_mesh_agrees_with_doubled_shells_at_1C(oregan: Cell) -> None:
    verdict = study(oregan, charges=(ONE_C,))
    (figures,) = verdict.figures
    assert figures.voltage_max_V <= 1e-3
    assert figures.plating_potential_max_V <= 1e-3
    assert figures.end_time_fraction <= 5e-3
    assert figures.end_time_s == pytest.approx(2499.0, abs=5.0)
    assert verdict.is_met


def test_verdict_sees_a_mesh_that_is_too_coarse(oregan: Cell, tmp_path: Path) -> None:
    coarse = replace(oregan, mesh=Mesh(x_n=6, x_s=3, x_p=6, r_n=8, r_p=6))
    verdict = study(coarse, charges=(ONE_C,))
    assert not verdict.is_met
    path = tmp_path / "verdicts.json"
    write_verdicts([verdict], path)
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert stored["verdicts"][0]["is_met"] is False
    assert stored["verdicts"][0]["mesh"]["r_n"] == 8


@pytest.mark.slow
def test_shipped_mesh_agrees_with_doubled_shells_on_all_charges(oregan: Cell) -> None:
    verdict = study(oregan)
    assert len(verdict.figures) == len(CHARGES)
    assert verdict.is_met


@pytest.mark.slow
def test_pybamm_own_flux_nears_the_integrated_one(oregan: Cell) -> None:
    coarse, fine = (
        study(
            replace(
                oregan,
                mesh=Mesh(r_n=r_n, r_n_stretch=1.5),
                is_flux_integrated=False,
            ),
            finer=oregan,
            charges=(ONE_C,),
        ).figures[0]
        for r_n in (40, 100)
    )
    assert fine.plating_potential_max_V < 0.4 * coarse.plating_potential_max_V
    assert fine.plating_potential_max_V < 3e-3
