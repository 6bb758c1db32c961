"""`packtwin export-physics` writes a working FMU, or says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from packtwin.fmu.component import FmuComponent
from packtwin.fmu.inspection import describe_fmu, validate
from packtwin.scenarios.cli import app

pytest.importorskip("pybamm")


def packtwin(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["export-physics", *arguments])


def test_help_teaches_by_examples() -> None:
    assert "packtwin export-physics Chen2020" in packtwin("--help").output


@pytest.mark.fmu
@pytest.mark.parametrize("cell", ["lg_m50_chen2020", "Chen2020"])
def test_a_cell_and_a_set_become_valid_fmus(cell: str, tmp_path: Path) -> None:
    path = tmp_path / "cell.fmu"
    done = packtwin(cell, "--family", "SPMe", "--points", "4", "--output", str(path))
    assert done.exit_code == 0, done.output
    assert f"SPMe of {cell} with" in done.output
    assert validate(path) == []
    described = describe_fmu(path)["description"]
    assert described.startswith(f"SPMe of {cell}, PyBaMM's equations. Steps go on")
    assert "current_A" in FmuComponent(path).interface.input_names


def test_an_unknown_set_is_refused_with_near_names(tmp_path: Path) -> None:
    path = tmp_path / "cell.fmu"
    done = packtwin("Chen2021", "--output", str(path))
    assert done.exit_code == 1
    assert "nearest: `Chen2020`" in done.output
    assert not path.exists()


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    done = packtwin("Chen2020", "--family", "P2D")
    assert done.exit_code == 2
    for family in ("SPM", "SPMe", "DFN"):
        assert f"'{family}'" in done.output
