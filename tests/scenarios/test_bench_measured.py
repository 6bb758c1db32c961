"""`packtwin bench measured` runs without measured records, and says so."""

from __future__ import annotations

import pytest

from packtwin.scenarios import bench_measured
from packtwin.scenarios.bench import BenchOptions

pytest.importorskip("pybamm")


def test_without_a_folder_the_rows_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(bench_measured.FOLDER_VARIABLE, raising=False)
    monkeypatch.setattr(bench_measured, "_synthetic_rows", list)
    monkeypatch.setattr(bench_measured, "synthetic_rows", list)
    (row,) = bench_measured.rows(lambda _share, _text: None)
    assert row.id == "measured.left_out"
    assert bench_measured.FOLDER_VARIABLE in row.what
    assert not row.met


@pytest.mark.slow
def test_the_pouch_is_identified_on_slow_discharges_and_right_at_1C() -> None:
    if bench_measured.measured_folder() is None:
        pytest.skip(
            f"`{bench_measured.FOLDER_VARIABLE}` names no folder of measured cells"
        )
    options = BenchOptions(only=("pouch",))
    rows = bench_measured.rows(lambda _share, _text: None, options)
    found = {row.id: row for row in rows}
    assert all(row.met for row in found.values())
    assert found["pouch.identified.1C"].value <= 8.0
