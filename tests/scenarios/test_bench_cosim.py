from __future__ import annotations

import json

import pytest

from packtwin.scenarios import (
    bench_cosim_drive,
    bench_cosim_gradients,
    bench_cosim_peers,
)
from packtwin.scenarios.bench import BenchOptions, run_bench


def test_the_bench_of_loops_meets_its_targets_and_writes_them(tmp_path):
    path = tmp_path / "cosim.json"
    document = run_bench("cosim", path, options=BenchOptions(only=("loops",)))
    assert json.loads(path.read_text())["rows"] == document["rows"]
    assert len(document["rows"]) == 5
    assert all(row["met"] for row in document["rows"])


@pytest.mark.slow
@pytest.mark.fmu
def test_the_bench_of_gradients_meets_its_targets(monkeypatch):
    monkeypatch.setattr(bench_cosim_gradients, "_STOP_S", 3.0)
    monkeypatch.setattr(bench_cosim_gradients, "_REPEATS", 1)
    options = BenchOptions(only=("gradients",))
    rows = {row["id"]: row for row in run_bench("cosim", options=options)["rows"]}
    for key in ("3", "3.jacobi", "2", "rewound"):
        assert rows[f"gradient.{key}"]["met"], rows[f"gradient.{key}"]["value"]


@pytest.mark.slow
@pytest.mark.fmu
def test_the_bench_of_peers_gives_a_row_for_each_and_the_right_temperature(
    monkeypatch,
):
    monkeypatch.setattr(bench_cosim_peers, "_FINE", (400, 0.05))
    monkeypatch.setattr(bench_cosim_peers, "_REPEATS", 1)
    options = BenchOptions(only=("peers",))
    rows = {row["id"]: row for row in run_bench("cosim", options=options)["rows"]}
    assert rows["degC"]["met"]
    # FMPy is always there; its rows are stamped early and start from zeros.
    assert rows["fmpy_ssp.rms"]["value"] == pytest.approx(8.8e-2, rel=0.01)
    assert rows["packtwin_jacobi.rms"]["value"] == pytest.approx(7.43e-2, rel=0.01)
    for tool in ("ecos", "libcosim", "container"):
        assert f"{tool}.rms" in rows or "not installed" in rows[f"{tool}.none"]["what"]


@pytest.mark.slow
@pytest.mark.fmu
def test_the_bench_of_the_drive_calls_no_python(monkeypatch):
    monkeypatch.setattr(bench_cosim_drive, "_REPEATS", 1)
    options = BenchOptions(only=("drive",))
    rows = {row["id"]: row for row in run_bench("cosim", options=options)["rows"]}
    assert rows["drive.gap"]["met"]
    for name in ("cycle", "charger", "cooling_controller", "vehicle", "pack"):
        assert name in rows["drive.speed"]["what"].partition("in C:")[2]
    assert 0.0 < rows["drive.step"]["value"] < rows["drive.python"]["value"]
