"""Runs on the command line that are recorded, saved, gone on with and paced."""

from __future__ import annotations

from pathlib import Path

import casadi as ca
import numpy as np
import pytest
from typer.testing import CliRunner

from packtwin.cosim.result import read_parquet
from packtwin.fmu.export import export_fmu
from packtwin.scenarios.bench_cosim_fmus import mass_model
from packtwin.scenarios.cli import app
from packtwin.twin.integrate import integrate

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def mass(tmp_path_factory: pytest.TempPathFactory) -> str:
    step_map = integrate(mass_model(), "rk4", symbol=ca.SX)
    folder = tmp_path_factory.mktemp("mass")
    return str(export_fmu(step_map, folder / "mass.fmu", experiment=None))


def run(*arguments: str) -> str:
    shown = CliRunner().invoke(app, ["simulate", *arguments])
    assert shown.exit_code == 0, shown.output
    return shown.output


def test_a_saved_run_goes_on_to_a_later_end(mass: str, tmp_path: Path) -> None:
    saved, first, whole = (str(tmp_path / name) for name in ("a.npz", "a.pq", "b.pq"))
    run(mass, "--stop-s", "1", "--step-s", "0.1", "--checkpoint", saved, "--out", first)
    run(mass, "--stop-s", "3", "--step-s", "0.1", "--resume", saved, "--out", first)
    run(mass, "--stop-s", "3", "--step-s", "0.1", "--out", whole)
    np.testing.assert_array_equal(
        read_parquet(first).values, read_parquet(whole).values
    )


def test_only_every_nth_step_is_kept(mass: str, tmp_path: Path) -> None:
    out = tmp_path / "a.parquet"
    shown = run(
        *(mass, "--stop-s", "1", "--step-s", "0.1", "--out", str(out), "--every", "4")
    )
    assert read_parquet(out).time_s.tolist() == [0.0, 0.4, 0.8, 1.0]
    assert "completed at 1 s: 10 steps" in shown


def test_a_paced_run_says_how_it_kept_up(mass: str) -> None:
    shown = run(mass, "--stop-s", "1", "--step-s", "0.1", "--pace", "10")
    assert "of 10 deadlines missed at 10 times real time" in shown


def test_an_option_without_the_one_it_belongs_to_is_refused(mass: str) -> None:
    shown = CliRunner().invoke(
        app, ["simulate", mass, "--stop-s", "1", "--checkpoint-every", "3"]
    )
    assert shown.exit_code != 0
    assert "`--checkpoint-every` needs `--checkpoint`" in shown.output
