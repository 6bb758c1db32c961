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
