from __future__ import annotations

import json

import pytest

from packtwin.scenarios.bench import BenchOptions, run_bench


def test_the_bench_of_loops_meets_its_targets_and_writes_them(tmp_path):
    path = tmp_path / "cosim.json"
    document = run_bench("cosim", path, options=BenchOptions(only=("loops",)))
    assert json.loads(path.read_text())["rows"] == document["rows"]
    assert len(document["rows"]) == 5
    assert all(row["met"] for row in document["rows"])


@pytest.mark.fmu
def test_the_bench_of_gradients_meets_its_targets():
    options = BenchOptions(only=("gradients",))
    rows = {row["id"]: row for row in run_bench("cosim", options=options)["rows"]}
    for key in ("3", "3.jacobi", "2", "rewound"):
        assert rows[f"gradient.{key}"]["met"], rows[f"gradient.{key}"]["value"]


@pytest.mark.slow
@pytest.mark.fmu
def test_the_bench_of_peers_gives_a_row_for_each_and_the_right_temperature():
    options = BenchOptions(only=("peers",))
    rows = {row["id"]: row for row in run_bench("cosim", options=options)["rows"]}
    assert rows["degC"]["met"]
    # FMPy is always there; its rows are stamped early and start from zeros.
    assert rows["fmpy_ssp.rms"]["value"] == pytest.approx(8.8e-2, rel=0.01)
    assert rows["packtwin_jacobi.rms"]["value"] == pytest.approx(7.43e-2, rel=0.01)
    for tool in ("ecos", "libcosim", "container"):
        assert f"{tool}.rms" in rows or "not installed" in rows[f"{tool}.none"]["what"]
