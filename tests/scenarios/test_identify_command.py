"""`packtwin identify` reads records, identifies and says what it found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from packtwin.scenarios.bench_measured import synthetic_case
from packtwin.scenarios.command_group import CommandGroup
from packtwin.scenarios.identify_command import columns_of, identify
from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement_file import BDF

COLUMNS = "time=t:s,current=I:mA,voltage=U:V"


def run(*arguments: str | Path, code: int = 0) -> Result:
    app = typer.Typer(cls=CommandGroup)
    app.command()(identify)
    app.command(name="other")(lambda: None)
    result = CliRunner().invoke(
        app, ["identify", *(str(a) for a in arguments)], env={"COLUMNS": "200"}
    )
    assert result.exit_code == code, result.output + result.stderr
    return result


def written(folder: Path) -> list[Path]:
    _, records, _ = synthetic_case()
    paths = []
    for record in records:
        m = record.measurement
        path = folder / f"{m.name.replace(' ', '')}.csv"
        table = np.column_stack([m.time_s, -1e3 * m.current_A, m.voltage_V])
        np.savetxt(path, table, delimiter=",", header="t,I,U", comments="")
        paths.append(path)
    return paths


def test_columns_are_read_and_bdf_is_the_default() -> None:
    columns = columns_of(COLUMNS, charge_is_positive=True)
    assert columns.current.unit == "mA"
    assert columns.charge_is_positive
    assert columns_of("", charge_is_positive=False) is BDF


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time=t:s,curent=I:A", "`current`"),
        ("time=t", "expected `SERIES=NAME:UNIT`"),
        ("time=t:s,current=I:A", "lacks `voltage`"),
    ],
)
def test_a_wrong_map_says_what_is_missing(text: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        columns_of(text, charge_is_positive=False)
    assert said in str(caught.value)


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "none.csv"
    unknown = ("--unknown", "Contact resistance [Ohm]")
    assert "is no file" in run("Chen2020", path, *unknown, code=1).stderr
    said = run("Chen2020", path, *unknown, "--family", "DFM", code=1).stderr
    assert "`SPMe`" in said
    said = run("Chen2020", path, *unknown, "--soc-start", "2", code=1).stderr
    assert "expected 0 to 1" in said


@pytest.mark.slow
def test_identify_recovers_what_made_the_records(tmp_path: Path) -> None:
    pytest.importorskip("pybamm")
    slow, fast = written(tmp_path)
    output = tmp_path / "found.json"
    name = "Negative electrode active material volume fraction"
    done = run(
        *("Chen2020", slow, fast, "--columns", COLUMNS, "--charge-positive"),
        *("--unknown", name, "--soc-start", "0.9", "--samples", "60"),
        *("--unknown", "Negative electrode exchange-current density factor"),
        *("--check", fast, "--output", output),
    )
    assert "held out" in done.output
    found = json.loads(output.read_text(encoding="utf-8"))
    entry = found["parameters"]["negative_electrode_active_material_volume_fraction"]
    assert entry["pybamm_name"] == name
    # The records were made on a coarser mesh.
    assert entry["value"] == pytest.approx(0.72, rel=0.01)
    assert found["records"][1]["rms_after_V"] < 3e-3


@pytest.mark.slow
def test_an_inverted_current_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("pybamm")
    slow, fast = written(tmp_path)
    unknown = ("--unknown", "Negative electrode exchange-current density factor")
    said = run("Chen2020", slow, fast, "--columns", COLUMNS, *unknown, code=1).stderr
    assert "inverted" in said
