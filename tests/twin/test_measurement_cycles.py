"""Discharges in one file come out one by one, in our units, and are checked alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement_check import check_measurement
from packtwin.twin.measurement_cycles import capacity_to, read_cycles
from packtwin.twin.measurement_file import Column, ColumnMap

COLUMNS = ColumnMap(
    time=Column(name="t", unit="s"),
    current=Column(name="i", unit="A"),
    voltage=Column(name="u", unit="V"),
    temperature=Column(name="temp", unit="degC"),
    charge_is_positive=True,
    labels={"n": "cycle"},
)


def written(folder: Path, lines: list[str]) -> Path:
    path = folder / "cycles.csv"
    path.write_text("\n".join(["n,t,i,u,temp", *lines]) + "\n", encoding="utf-8")
    return path


def discharge(n: int, current_A: float = -2.0) -> list[str]:
    times = range(0, 3601, 100)
    return [f"{n},{t},{current_A if t else 0},{4.0 - t / 3600:.6f},25" for t in times]


def test_each_cycle_is_a_record_with_its_own_time_and_sign(tmp_path: Path) -> None:
    path = written(tmp_path, discharge(1) + discharge(3))
    first, second = read_cycles(path, COLUMNS, "cycle")
    assert second.name == "cycles.csv, cycle 3"
    assert second.time_s[0] == 0.0
    assert first.current_A[-1] == 2.0
    assert first.temperature_K is not None
    assert first.temperature_K[0] == pytest.approx(298.15)
    check_measurement(first)


def test_the_capacity_is_interpolated_at_the_limit(tmp_path: Path) -> None:
    first, _ = read_cycles(
        written(tmp_path, discharge(1) + discharge(2)), COLUMNS, "cycle"
    )
    # 3.25 V is reached at 2700 s; the first 100 s ramp up and count half.
    assert capacity_to(first, 3.25) == pytest.approx(2.0 * 2650.0 / 3600.0, rel=1e-6)
    with pytest.raises(ScenarioError, match="expected it to cross 2 V"):
        capacity_to(first, 2.0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda rows: [*rows, rows[3]], "in two places"),
        (lambda rows: [rows[0], *rows], "expected increasing times"),
        (lambda rows: [rows[0].replace("4.000000", "nan"), *rows[1:]], "line 2"),
        (lambda rows: [rows[0].replace("4.000000", ""), *rows[1:]], "`u`"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, spoil: object, said: str) -> None:
    assert callable(spoil)
    path = written(tmp_path, spoil(discharge(1) + discharge(2)))
    with pytest.raises(ScenarioError, match=said):
        read_cycles(path, COLUMNS, "cycle")


def test_a_cycle_without_its_label_or_with_inverted_current_is_refused(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, discharge(1, current_A=2.0))
    with pytest.raises(ScenarioError, match="no label `step`"):
        read_cycles(path, COLUMNS, "step")
    (inverted,) = read_cycles(path, COLUMNS, "cycle")
    with pytest.raises(ScenarioError, match="inverted"):
        check_measurement(inverted)


def test_a_gap_in_a_cycle_is_refused(tmp_path: Path) -> None:
    rows = discharge(1)
    (gappy,) = read_cycles(written(tmp_path, rows[:5] + rows[25:]), COLUMNS, "cycle")
    assert np.max(np.diff(gappy.time_s)) > 2000.0
    with pytest.raises(ScenarioError, match="gap"):
        check_measurement(gappy)
