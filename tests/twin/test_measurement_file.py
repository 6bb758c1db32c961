"""Records are read from CSV, BDF and MATLAB files, or one sentence says why not."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement_file import BDF, Column, ColumnMap, read_measurement

COLUMNS = ColumnMap(
    time=Column(name="Time [h]", unit="h"),
    current=Column(name="I", unit="mA"),
    voltage=Column(name="U", unit="mV"),
    temperature=Column(name="T", unit="degC"),
    charge_is_positive=True,
    labels={"Cyc": "cycle"},
)
TEXT = "cycler X\nTime [h];I;U;T;Cyc\n0;0;4100;25;1\n0.5;-2000;3900;26.5;1\n"


def written(folder: Path, text: str, name: str = "cell.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, columns: ColumnMap = COLUMNS) -> str:
    with pytest.raises(ScenarioError) as caught:
        read_measurement(path, columns)
    text = str(caught.value)
    assert text.endswith(".")
    return text


def test_columns_are_converted_and_the_current_turned(tmp_path: Path) -> None:
    made = read_measurement(written(tmp_path, TEXT), COLUMNS)
    assert made.name == "cell.csv"
    assert made.time_s.tolist() == [0.0, 1800.0]
    assert made.current_A.tolist() == [0.0, 2.0]
    np.testing.assert_allclose(made.voltage_V, [4.1, 3.9], rtol=1e-15)
    assert made.temperature_K is not None
    np.testing.assert_allclose(made.temperature_K, [298.15, 299.65], rtol=1e-15)
    assert made.label("cycle").tolist() == [1.0, 1.0]


def test_a_compressed_file_reads_the_same(tmp_path: Path) -> None:
    path = tmp_path / "cell.csv.gz"
    path.write_bytes(gzip.compress(TEXT.encode()))
    assert read_measurement(path, COLUMNS).current_A.tolist() == [0.0, 2.0]


def test_bdf_is_read_without_a_map(tmp_path: Path) -> None:
    text = (
        "Test Time / s,Voltage / V,Current / A,Surface Temperature / degC,"
        "Cycle Count / 1\n0,4.1,0,25,1\n10,4.0,-2,25,1\n"
    )
    made = read_measurement(written(tmp_path, text), BDF)
    assert made.current_A.tolist() == [0.0, 2.0]
    assert made.temperature_K is not None
    assert made.temperature_K[0] == pytest.approx(298.15)
    assert made.label("cycle").tolist() == [1.0, 1.0]


def test_bdf_needs_no_temperature(tmp_path: Path) -> None:
    text = "Test Time / s,Voltage / V,Current / A\n0,4.1,0\n10,4.0,-2\n"
    assert read_measurement(written(tmp_path, text), BDF).temperature_K is None


def test_matlab_vectors_and_structures_are_read(tmp_path: Path) -> None:
    io = pytest.importorskip("scipy.io")
    path = tmp_path / "cell.mat"
    io.savemat(path, {"d": {"t": [0.0, 1.0], "i": [0.0, -2.0]}, "u": [4.1, 4.0]})
    columns = ColumnMap(
        time=Column(name="d.t", unit="min"),
        current=Column(name="d.i", unit="A"),
        voltage=Column(name="u", unit="V"),
        charge_is_positive=True,
    )
    made = read_measurement(path, columns)
    assert made.time_s.tolist() == [0.0, 60.0]
    assert made.current_A.tolist() == [0.0, 2.0]
    wrong = replace(columns, voltage=Column(name="d.u", unit="V"))
    assert "nearest: `d.t`" in refusal(path, wrong) or "`d.i`" in refusal(path, wrong)


def test_a_damaged_matlab_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("scipy.io")
    assert "cannot be read" in refusal(written(tmp_path, "x" * 200, "cell.mat"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("nothing\nhere\n", "no line with columns"),
        ("Time [h];I;U;T;Cyc\n", "a header but no samples"),
        (TEXT.replace(";U;", ";Us;"), "no column `U`; nearest: `Us`"),
        (TEXT.replace(";U;", ";I;"), "`I` more than once"),
        (TEXT.replace("3900", "3,9"), "line 4: `U` is `3,9`"),
        (TEXT.replace("3900", "nan"), "line 4: `U` is `nan`, expected a finite"),
        (TEXT.replace("3900", ""), "line 4: `U` is `empty`"),
        (TEXT.replace("0.5;", "0;"), "from 0 s to 0 s at sample 1"),
    ],
)
def test_a_bad_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(written(tmp_path, text))


def test_a_missing_file_and_a_wrong_unit_are_refused(tmp_path: Path) -> None:
    assert "is no file" in refusal(tmp_path / "none.csv")
    wrong = replace(COLUMNS, voltage=Column(name="U", unit="A"))
    text = refusal(written(tmp_path, TEXT), wrong)
    assert "expected one of `V`, `mV`" in text


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = "Time [h];I;U;T;Cyc;U\n0;0;4100;25;1;1\n"
    assert "more than once" in refusal(written(tmp_path, text))
