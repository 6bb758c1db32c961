"""`packtwin bench check` in its quick size: every part meets its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from packtwin.scenarios.bench import BenchOptions, run_bench


@pytest.mark.fmu
@pytest.mark.slow
def test_quick_bench_finds_mutants_and_raises_no_false_alarm(tmp_path: Path) -> None:
    options = BenchOptions(is_quick=True)
    document = run_bench("check", tmp_path / "check.json", options=options)
    rows = {row["id"]: row for row in document["rows"]}
    assert rows["check.false_alarms"]["value"] == 0.0
    assert rows["check.static"]["value"] == 3.0
    assert rows["check.run.2"]["value"] >= 3.0
    assert rows["check.run.3"]["value"] >= 3.0
    assert rows["fmpy.run.3"]["value"] == 0.0
    assert rows["models.cooling"]["value"] == 0.0
    assert all(row["met"] for row in rows.values())
