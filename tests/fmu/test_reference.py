"""Reference results: exact, complete, compared with the binary, tampering is found."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import casadi as ca
import fmpy
import numpy as np
import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.export import Experiment, export_fmu
from packtwin.fmu.reference import REFERENCE_FOLDER, make_reference
from packtwin.scenarios.bench_check_model import good_vector_step_map
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

OUT = f"{REFERENCE_FOLDER}/RcCircuit_out.csv"
MANIFEST = f"{REFERENCE_FOLDER}/fmi-ls-manifest.xml"


def table(data: bytes) -> dict[str, np.ndarray]:
    head, *rows = list(csv.reader(io.StringIO(data.decode())))
    values = np.array(rows, dtype=float)
    return {name: values[:, k] for k, name in enumerate(head)}


def changed(path: Path, member: str, data: bytes, target: Path) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    write_archive(target, {**members, member: data})
    return target


def test_reference_follows_the_closed_form(rc_step_map: StepMap) -> None:
    files = make_reference(rc_step_map, Experiment(step_s=0.5, n_steps=40)).files
    inputs = table(files[f"{REFERENCE_FOLDER}/RcCircuit_in.csv"])
    outputs = table(files[OUT])
    np.testing.assert_array_equal(inputs["time"], 0.5 * np.arange(41))
    assert len(np.unique(inputs["source_voltage_V"])) > 3
    voltage = 0.0
    for k in range(40):
        u, before = inputs["source_voltage_V"][k], voltage
        voltage = u + (before - u) * np.exp(-0.5 / 6.0)
        assert outputs["capacitor_voltage_V"][k + 1] == pytest.approx(
            voltage, abs=1e-14
        )
        assert 0.5 * outputs["current_A"][k + 1] == pytest.approx(
            3.0 * (voltage - before), abs=1e-14
        )


@pytest.mark.fmu
def test_another_importer_gets_the_reference_results(rc_fmu: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        want = table(archive.read(OUT))
        inputs = table(archive.read(f"{REFERENCE_FOLDER}/RcCircuit_in.csv"))
    rows = [*zip(inputs["time"], inputs["source_voltage_V"], strict=True)]
    signal = np.array(rows, dtype=[("time", float), ("source_voltage_V", float)])
    got = fmpy.simulate_fmu(
        str(rc_fmu), input=signal, stop_time=60.0, output_interval=1.0
    )
    np.testing.assert_allclose(
        got["capacitor_voltage_V"], want["capacitor_voltage_V"], rtol=1e-13
    )


@pytest.mark.fmu
def test_the_manifest_names_files_that_exist(rc_fmu: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        root = ET.fromstring(archive.read(MANIFEST))
        sources = [item.attrib["source"] for item in root.iter("Related")]
        for source in sources:
            assert archive.read(f"{REFERENCE_FOLDER}/{source}")
    spaces = "{http://fmi-standard.org/fmi-ls-manifest}"
    assert root.tag == "fmiReferences"
    assert root.attrib[f"{spaces}fmi-ls-name"] == "org.fmi-standard.fmi-ls-ref"
    assert sources == ["RcCircuit_in.csv", "RcCircuit_out.csv"]


@pytest.mark.fmu
def test_the_checker_finds_a_tampered_result(rc_fmu: Path, tmp_path: Path) -> None:
    assert check_fmu(rc_fmu, budget_s=0.1).probes[
        "CoSimulation: reference results"
    ] == ("passed")
    with zipfile.ZipFile(rc_fmu) as archive:
        lines = archive.read(OUT).decode().splitlines()
    cells = lines[30].split(",")
    cells[1] = repr(float(cells[1]) * (1.0 + 1e-6))
    lines[30] = ",".join(cells)
    bad = changed(rc_fmu, OUT, "\n".join(lines).encode(), tmp_path / "bad.fmu")
    (found,) = check_fmu(bad, budget_s=0.1).problems
    assert found.rule == "reference-differs"
    assert found.variable == "capacitor_voltage_V"
    assert "At 29 s" in found.message


@pytest.mark.fmu
@pytest.mark.parametrize(
    ("member", "data", "where"),
    [
        (MANIFEST, b"<fmiReferences", MANIFEST),
        (MANIFEST, b'<a><Related source="none.csv" role="result"/></a>', MANIFEST),
        (OUT, b"time,current_A\n0.0,nan\n", OUT),
        (OUT, b"time,current_A\n1.0,1.0\n0.0,1.0\n", OUT),
        (OUT, b"\xff\xfe", OUT),
        (OUT, b"", OUT),
    ],
)
def test_the_checker_finds_a_damaged_file(
    rc_fmu: Path, tmp_path: Path, member: str, data: bytes, where: str
) -> None:
    bad = changed(rc_fmu, member, data, tmp_path / "bad.fmu")
    (found,) = check_fmu(bad, is_run=False).problems
    assert (found.rule, found.file) == ("reference-file", where)


def test_inputs_shrink_until_the_steps_succeed() -> None:
    m, t, h, u, p = (
        ca.SX.sym(n, k) for n, k in zip("mthup", (1, 1, 1, 1, 0), strict=True)
    )
    root = ca.sqrt(0.2 - ca.fabs(u))
    step_map = StepMap(
        name="Narrow",
        interface=Interface(
            inputs=(Variable(name="force_N"),), outputs=(Variable(name="root"),)
        ),
        memory=(Variable(name="age"),),
        initialize=ca.Function("i", [u, p], [ca.SX(0), root]),
        step=ca.Function("s", [m, t, h, u, p], [m + h, root]),
    )
    files = make_reference(step_map, Experiment(n_steps=30)).files
    force = table(files[f"{REFERENCE_FOLDER}/Narrow_in.csv"])["force_N"]
    assert 0.0 < np.abs(force).max() < 0.2


def test_without_an_experiment_there_are_no_results(
    rc_step_map: StepMap, tmp_path: Path
) -> None:
    path = export_fmu(rc_step_map, tmp_path / "rc.fmu", platforms=(), experiment=None)
    with zipfile.ZipFile(path) as archive:
        assert not [n for n in archive.namelist() if n.startswith("extra/")]


@pytest.mark.fmu
def test_vectors_stand_in_one_column_and_are_compared(tmp_path: Path) -> None:
    step_map = good_vector_step_map()
    path = export_fmu(step_map, tmp_path / "row.fmu", fmi_version="3.0")
    member = f"{REFERENCE_FOLDER}/{step_map.name}_out.csv"
    with zipfile.ZipFile(path) as archive:
        head, *rows = archive.read(member).decode().splitlines()
    assert head == "time,temperature_K"
    scalars = make_reference(step_map, Experiment()).files[member].decode()
    assert [row.replace(" ", ",") for row in rows] == scalars.splitlines()[1:]
    cells = rows[30].split(" ")
    rows[30] = " ".join([cells[0], f"{float(cells[1]) * (1 + 1e-6)!r}", cells[2]])
    spoilt = "\n".join([head, *rows]).encode()
    report = check_fmu(changed(path, member, spoilt, tmp_path / "spoilt.fmu"))
    assert [p.rule for p in report.problems] == ["reference-differs"]
    assert report.problems[0].variable == "temperature_K"
