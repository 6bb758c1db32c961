"""`packtwin export MODEL` writes a working FMU, or says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from packtwin.fmu.component import FmuComponent
from packtwin.fmu.inspection import describe_fmu, validate
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.cli import app
from packtwin.scenarios.fmu_models import DEFAULT_SURROGATE


def packtwin(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", *arguments])


def test_help_teaches_by_examples() -> None:
    text = packtwin("--help").output
    assert "packtwin export cell --out cell.fmu" in text
    assert "packtwin export ev_fast_charge_day" in text


@pytest.mark.fmu
def test_a_model_becomes_a_valid_fmu_and_the_command_says_what_it_needs(
    tmp_path: Path,
) -> None:
    path = tmp_path / "cooling.fmu"
    done = packtwin("cooling", "--out", str(path))
    assert done.exit_code == 0, done.output
    assert "FMI 2.0 cs, 7 inputs" in done.output
    assert "needs libc.so.6, libm.so.6; glibc 2." in done.output
    assert validate(path) == []
    assert describe_fmu(path)["description"].startswith("Battery coolant loop")


def test_a_surrogate_file_is_exported_as_source(tmp_path: Path) -> None:
    path = tmp_path / "cell.fmu"
    spec = find_path("surrogate", DEFAULT_SURROGATE)
    done = packtwin(str(spec), "--platforms", "none", "--out", str(path))
    assert done.exit_code == 0, done.output
    assert "C source only" in done.output
    found = describe_fmu(path)
    assert found["platforms"] == []
    assert found["has_sources"]
    assert found["certificate"]["held_out_runs"] > 0


@pytest.mark.fmu
@pytest.mark.parametrize("cell", ["lg_m50_chen2020", "Chen2020"])
def test_a_cell_and_a_set_become_valid_fmus(cell: str, tmp_path: Path) -> None:
    pytest.importorskip("pybamm")
    path = tmp_path / "cell.fmu"
    done = packtwin(f"spme:{cell}", "--points", "4", "--out", str(path))
    assert done.exit_code == 0, done.output
    assert validate(path) == []
    described = describe_fmu(path)["description"]
    assert described.startswith(f"SPMe of {cell}, PyBaMM's equations. Steps go on")
    assert "current_A" in FmuComponent(path).interface.input_names


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cel"], "No model `cel`; nearest: `cell`"),
        (["cell", "--platforms", "x86_64-linu"], "nearest: `x86_64-linux`"),
        (["cell", "--kind", "cs,mi"], "No kind `mi`; nearest: `me`"),
        (["cell", "--points", "9"], "`cell` has no mesh"),
        (["cell", "--force"], "`--retrain` and `--force` are for scenarios"),
        (["nowhere.npz"], "there is no"),
        (["no_such.toml"], "no_such.toml"),
    ],
)
def test_what_is_wrong_is_said(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.fmu"
    done = packtwin(*arguments, "--out", str(path))
    assert done.exit_code == 1
    assert words in done.output
    assert not path.exists()


def test_an_unknown_set_is_refused_with_near_names(tmp_path: Path) -> None:
    pytest.importorskip("pybamm")
    path = tmp_path / "cell.fmu"
    done = packtwin("dfn:Chen2021", "--out", str(path))
    assert done.exit_code == 1
    assert "nearest: `Chen2020`" in done.output
    assert not path.exists()


@pytest.mark.fmu
def test_vectors_can_be_left_out(tmp_path: Path) -> None:
    names = {}
    for option in ("--arrays", "--no-arrays"):
        path = tmp_path / f"pack{option}.fmu"
        arguments = ("--fmi", "3.0", "--platforms", "none", "--out", str(path))
        done = packtwin("pack", option, *arguments)
        assert done.exit_code == 0, done.output
        names[option] = {v["name"] for v in describe_fmu(path)["variables"]}
    assert len(names["--no-arrays"]) > len(names["--arrays"])
    assert any(name not in names["--arrays"] for name in names["--no-arrays"])
