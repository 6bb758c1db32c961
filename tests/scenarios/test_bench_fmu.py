"""`packtwin bench fmu` in its quick size: every part measures, targets are judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.scenarios.bench import BenchOptions, run_bench
from packtwin.scenarios.bench_fmu_cases import excitation, quick_cases
from packtwin.scenarios.fmu_models import find_fmu_model


@pytest.mark.fmu
def test_quick_bench_measures_every_cheap_part(tmp_path: Path) -> None:
    parts = ("agreement", "speed", "replay", "threads", "leak", "isolation")
    options = BenchOptions(is_quick=True, only=parts)
    document = run_bench("fmu", tmp_path / "fmu.json", options=options)
    rows = {row["id"]: row for row in document["rows"]}
    assert rows["agreement.cooling.2"]["value"] <= 1e-12
    assert rows["step.cooling.2"]["value"] > 0.0
    for key in ("replay.cooling.2", "threads.cooling.2", "isolation.needs"):
        assert rows[key]["value"] == 0.0
    assert all(row["met"] for row in rows.values())
    assert {f"bench.{part}" for part in parts} <= set(rows)


def test_random_inputs_repeat_and_keep_their_ranges() -> None:
    (case,) = quick_cases()
    made = find_fmu_model(case.name)
    interface, experiment = made.subject.interface, made.experiment
    table = excitation(interface, 50, experiment)
    np.testing.assert_array_equal(table, excitation(interface, 50, experiment))
    for column, v in enumerate(interface.inputs):
        assert (table[:, column] >= v.minimum).all()
        assert (table[:, column] <= v.maximum).all()
        low, high = experiment.spans.get(v.name, (-np.inf, np.inf))
        assert (table[:, column] >= low).all()
        assert (table[:, column] <= high).all()
    assert len(np.unique(table[:, 0])) == 50
