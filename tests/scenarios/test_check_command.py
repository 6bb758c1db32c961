"""`packtwin check`: a table, JSON, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from packtwin.fmu.export import export_fmu
from packtwin.scenarios.bench_check_model import good_step_map
from packtwin.scenarios.bench_check_mutants import STATIC_MUTANTS, write_static_mutant
from packtwin.scenarios.check_command import check

pytestmark = pytest.mark.fmu

APP = typer.Typer()
APP.command()(check)


@pytest.fixture(scope="module")
def good_fmu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_fmu(good_step_map(), tmp_path_factory.mktemp("check") / "good.fmu")


def test_good_fmu_ends_with_success(good_fmu: Path) -> None:
    done = CliRunner().invoke(APP, [str(good_fmu)])
    assert done.exit_code == 0
    assert "0 errors, 0 warnings" in done.output
    assert "probes of the binary were run" in done.output


def test_fault_is_shown_and_ends_with_1(good_fmu: Path, tmp_path: Path) -> None:
    mutant = next(m for m in STATIC_MUTANTS if m.rule == "unit-undefined")
    path = write_static_mutant(good_fmu, mutant, tmp_path / "m.fmu")
    done = CliRunner().invoke(APP, [str(path), "--no-run"])
    assert done.exit_code == 1
    assert "1 error, 0 warnings" in done.output
    assert "unit-undefined (FMI 2.0.5, 2.2.2): Define the unit" in done.output
    assert "The binary was not run: not asked for." in done.output


def test_json_holds_all(good_fmu: Path, tmp_path: Path) -> None:
    mutant = next(m for m in STATIC_MUTANTS if m.rule == "start-range")
    path = write_static_mutant(good_fmu, mutant, tmp_path / "m.fmu")
    done = CliRunner().invoke(APP, [str(path), "--no-run", "--json"])
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert document["n_errors"] == 1
    (found,) = document["problems"]
    assert found["rule"] == "start-range"
    assert found["variable"] == "resistance_Ohm"
    assert found["section"] == "FMI 2.0.5, 2.2.7"
