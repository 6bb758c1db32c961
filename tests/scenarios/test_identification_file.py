"""A circuit and its records as a TOML file: read, refused, and run from the docs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from packtwin.scenarios.bench_measured import FOLDER_VARIABLE, measured_folder
from packtwin.scenarios.catalogue import known_names, library_folder
from packtwin.scenarios.command_group import CommandGroup
from packtwin.scenarios.identification_file import load_identification
from packtwin.scenarios.identify_command import identify
from packtwin.scenarios.synthetic_cells import write_ageing_cell, write_pulsed_cell
from packtwin.twin.errors import ScenarioError
from packtwin.twin.measurement_check import check_measurement

DOCS = Path(__file__).parents[2] / "docs" / "measured_cells.md"
SHIPPED = sorted(library_folder().glob("measured_*.toml"))


def example() -> str:
    text = DOCS.read_text(encoding="utf-8")
    (found,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    return str(found)


def run(*arguments: str | Path, code: int = 0) -> Result:
    app = typer.Typer(cls=CommandGroup)
    app.command()(identify)
    app.command(name="other")(lambda: None)
    result = CliRunner().invoke(
        app, ["identify", *(str(a) for a in arguments)], env={"COLUMNS": "200"}
    )
    assert result.exit_code == code, result.output + result.stderr
    return result


def written(folder: Path, text: str) -> Path:
    path = folder / "my_cell.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_example_of_the_docs_predicts_the_rate_that_is_held_out(
    tmp_path: Path,
) -> None:
    write_pulsed_cell(tmp_path)
    path = written(tmp_path, example())
    output, figure = tmp_path / "found.json", tmp_path / "found.png"
    done = run(path, "--output", output, "--figure", figure)
    assert "held out" in done.output
    found = json.loads(output.read_text(encoding="utf-8"))
    # Made with 0.06 Ohm and 60 s, and 1 mV of noise.
    assert found["parameters"]["ohmic_Ohm"]["value"] == pytest.approx(0.06, rel=0.05)
    assert found["parameters"]["pair_1_time_s"]["value"] == pytest.approx(60, rel=0.1)
    (checked,) = (r for r in found["records"] if r["use"] == "held out")
    assert checked["name"] == "2c.csv"
    assert checked["rms_after_V"] < 3e-3 < 0.05 < checked["rms_before_V"]
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_files_make_a_model_with_all_their_unknowns(path: Path) -> None:
    file = load_identification(path)
    model = file.model()
    names = [u.name for u in file.chosen(model)]
    assert len(names) == len(set(names)) > 20
    assert path.stem not in known_names("scenario")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_records_of_shipped_files_pass_the_checks(path: Path) -> None:
    folder = measured_folder()
    if folder is None:
        pytest.skip(f"`{FOLDER_VARIABLE}` names no folder of measured cells")
    file = load_identification(path)
    for record in (*file.records_of(folder, "fit"), *file.records_of(folder, "check")):
        check_measurement(record.measurement)


def test_cycles_bring_their_capacity_and_ambient(tmp_path: Path) -> None:
    (tmp_path / "nasa_pcoe").mkdir()
    name = "nasa_pcoe/B0005_discharge.csv.gz"
    write_ageing_cell(tmp_path / name, 3)
    text = (library_folder() / "measured_nasa_18650.toml").read_text(encoding="utf-8")
    shorter = text.replace("[1, 13, 28, 46, 65, 84]", "[1, 3]")
    file = load_identification(written(tmp_path, shorter))
    first, last = file.records_of(tmp_path, "fit")
    assert first.parameters["capacity_start_Ah"] == pytest.approx(2.0, abs=0.05)
    assert last.inputs["ambient_temperature_K"] == pytest.approx(297.15, abs=0.3)
    with pytest.raises(ScenarioError, match="no cycle 100, expected one from 1 to 3"):
        file.records_of(tmp_path, "check")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ocv_nodes", "ocv_node", "nearest: `ocv_nodes`"),
        ('file = "1c.csv"', 'file = "1c.csv"\nbegin = 3.0', "begin_s"),
        ('use = "check"', 'use = "test"', "'fit' or 'check'"),
        ("n_sample = 40", "n_sample = 3", "expected at least 20"),
        ("ocv_step_*_V", "ocv_stop_*_V", "nearest: `ocv_st"),
        ("[0.1, 0.08, 0.08]", "[0.1, 0.08]", "2 values"),
        ('"1c.csv"', '"1d.csv"', "is no file"),
        ('file = "1c.csv"', 'file = "1c.csv"\nbegin_s = 1e6', "`begin_s`"),
        ("charge_is_positive = true", "", "inverted"),
        ('"Voltage(V)", "V"', '"Voltage(V)", "mV"', "`voltage_V`"),
        ('"Voltage(V)", "V"', '"Voltage", "V"', "no column `Voltage`"),
        ('file = "1c.csv"', 'file = "1c.csv"\nstarts_at_ambient = true', "temperature"),
    ],
)
def test_faults_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    write_pulsed_cell(tmp_path)
    text = example()
    assert old in text
    message = run(written(tmp_path, text.replace(old, new)), code=1).stderr
    assert said in message


def test_one_constant_current_alone_is_refused(tmp_path: Path) -> None:
    write_pulsed_cell(tmp_path)
    path = tmp_path / "1c.csv"
    rows = path.read_text(encoding="utf-8").splitlines()
    under_load = [row for row in rows[1:] if abs(float(row.split(",")[1])) > 1.0]
    path.write_text("\n".join([rows[0], *under_load]), encoding="utf-8")
    text = example().replace('[[records]]\nfile = "pulses.csv"\n\n', "")
    said = run(written(tmp_path, text), code=1).stderr
    assert "expected two different currents or more" in said


def test_a_toml_takes_no_records_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, example())
    said = run(path, tmp_path / "other.csv", code=1).stderr
    assert "names records, columns and unknowns itself" in said
    assert "lacks a record" in run("Chen2020", code=1).stderr
    said = run(path, "--figure", tmp_path / "none" / "x.png", code=1).stderr
    assert "no folder" in said
