from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from packtwin.pybamm_models.cells import CELLS, Cell, Mesh
from packtwin.pybamm_models.verdicts import (
    COUNTS,
    VERDICTS_PATH,
    Comparison,
    Figures,
    Limits,
    Verdict,
    doubled,
    read_verdicts,
    verdict_of,
    verdict_record,
    write_verdicts,
)
from packtwin.twin.errors import ModelError


def figures(**values: Any) -> Figures:
    plain: dict[str, Any] = {
        "load": "charge 1C 25 °C",
        "c_rate": -1.0,
        "temperature_K": 298.15,
        "voltage_max_V": 5e-4,
        "voltage_rms_V": 1e-4,
        "plating_potential_max_V": 2e-4,
        "end_time_fraction": 1e-3,
        "end_time_s": 2499.0,
        "end_plating_potential_V": 0.011,
    }
    return Figures(**{**plain, **values})


def verdict(cell: Cell, finer: Mesh | None = None, **values: Any) -> Verdict:
    return Verdict(
        cell=cell.name,
        parameter_set=cell.parameter_set,
        is_flux_integrated=cell.is_flux_integrated,
        voltage_min_V=cell.voltage_min_V,
        voltage_max_V=cell.voltage_max_V,
        mesh=cell.mesh,
        comparisons=(
            Comparison(
                finer_mesh=finer or doubled(cell.mesh, *COUNTS),
                finer_is_flux_integrated=cell.is_flux_integrated,
                figures=(figures(**values),),
            ),
        ),
    )


def test_score_is_the_largest_multiple_of_a_limit(coarse: Cell) -> None:
    assert verdict(coarse).score == pytest.approx(0.5, rel=1e-12)
    assert verdict(coarse, end_time_fraction=4e-3).score == pytest.approx(0.8)
    assert verdict(coarse, plating_potential_max_V=9e-4).score == pytest.approx(0.9)
    assert not verdict(coarse, voltage_max_V=1.01e-3).is_met


def test_a_model_without_plating_potential_is_judged_without(coarse: Cell) -> None:
    assert verdict(coarse, plating_potential_max_V=None).score == pytest.approx(0.5)


def test_no_comparison_is_no_agreement(coarse: Cell) -> None:
    assert not replace(verdict(coarse), comparisons=()).is_met


def test_verdicts_are_read_as_they_were_written(coarse: Cell, tmp_path: Path) -> None:
    path = tmp_path / "cell.mesh.json"
    made = replace(
        verdict(coarse, plating_potential_max_V=None),
        time_per_step_s=1.25e-4,
        provenance={"command": "packtwin converge"},
    )
    write_verdicts([made], path)
    assert read_verdicts(path) == (made,)
    assert verdict_of(coarse, path) == made


def test_a_new_verdict_replaces_the_cell_s_old_one(
    coarse: Cell, oregan: Cell, tmp_path: Path
) -> None:
    path = tmp_path / "verdicts.json"
    other = verdict(oregan)
    stock = verdict(replace(oregan, is_flux_integrated=False), finer=oregan.mesh)
    write_verdicts([verdict(coarse), other, stock], path)
    finer = replace(coarse, mesh=doubled(coarse.mesh, "x_n"))
    write_verdicts([verdict(finer)], path)
    assert read_verdicts(path) == (verdict(finer), other, stock)


def test_a_verdict_is_about_equations_mesh_and_window(
    coarse: Cell, tmp_path: Path
) -> None:
    path = tmp_path / "verdicts.json"
    write_verdicts([verdict(coarse)], path)
    assert verdict_of(replace(coarse, name="mine"), path) is not None
    for change in (
        {"mesh": doubled(coarse.mesh)},
        {"voltage_max_V": 4.1},
        {"parameter_set": "Marquis2019"},
    ):
        assert verdict_of(replace(coarse, **change), path) is None


def test_a_mesh_doubled_on_one_axis_only_is_no_verdict(
    coarse: Cell, tmp_path: Path
) -> None:
    path = tmp_path / "verdicts.json"
    write_verdicts([verdict(coarse, finer=doubled(coarse.mesh))], path)
    assert verdict_of(coarse, path) is None


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    for text in ("[]", "{", '{"format": "other", "verdicts": []}'):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ModelError, match=r"`packtwin converge` wrote.*\.$"):
            read_verdicts(path)


@pytest.mark.parametrize("cell", CELLS.values(), ids=lambda cell: cell.name)
def test_shipped_mesh_was_compared_with_the_doubled_one(cell: Cell) -> None:
    found = verdict_of(cell)
    assert found is not None
    assert found.limits == Limits()
    assert verdict_record(cell)["is_met"] == found.is_met
    assert verdict_record(cell)["score"] == pytest.approx(found.score, rel=1e-3)


def test_record_of_an_unjudged_mesh_says_so(coarse: Cell) -> None:
    assert verdict_record(coarse) == {
        "is_met": False,
        "reason": "the mesh was never judged",
    }


def test_stock_flux_of_the_default_cell_is_on_record_as_far_off() -> None:
    stock = [
        v
        for v in read_verdicts(VERDICTS_PATH)
        if v.parameter_set == "ORegan2022" and not v.is_flux_integrated
    ]
    assert len(stock) == 3
    assert max(v.score for v in stock) > 100.0
