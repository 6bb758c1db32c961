"""What `export_fmu` promises: FMU = step map, complete, small, safe, reproducible."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import casadi as ca
import fmpy
import numpy as np
import pytest

from packtwin.fmu import cross
from packtwin.fmu.archive import extract
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.elf import exported_functions
from packtwin.fmu.export import compile_source, export_fmu
from packtwin.fmu.fmi2 import CO_SIMULATION_FUNCTIONS
from packtwin.fmu.inspection import validate
from packtwin.fmu.source import render_source
from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import CompilerError, FmuError, InterfaceError
from packtwin.twin.step_map import StepMap
from packtwin.twin.variable import Interface, Variable

pytestmark = pytest.mark.fmu


def test_rc_circuit_follows_closed_form_under_fmpy(rc_fmu: Path) -> None:
    result = fmpy.simulate_fmu(str(rc_fmu), stop_time=12.0, output_interval=0.5)
    voltage = 1.0 - np.exp(-result["time"] / 6.0)
    np.testing.assert_allclose(result["capacitor_voltage_V"], voltage, atol=1e-14)
    charge = 3.0 * np.diff(voltage)
    np.testing.assert_allclose(result["current_A"][1:] * 0.5, charge, atol=1e-14)


def test_lumped_heat_follows_closed_form_under_fmpy(heat_fmu: Path) -> None:
    result = fmpy.simulate_fmu(
        str(heat_fmu),
        stop_time=1000.0,
        output_interval=50.0,
        start_values={"heat_W": 80.0, "conductance_W_per_K": 4.0},
    )
    closed = 320.0 - 10.0 * np.exp(-result["time"] * 4.0 / 500.0)
    np.testing.assert_allclose(result["temperature_K"], closed, atol=1e-9)
    warm = fmpy.simulate_fmu(str(heat_fmu), stop_time=1000.0, output_interval=50.0)
    closed = 300.0 + 10.0 * np.exp(-warm["time"] * 2.0 / 500.0)
    np.testing.assert_allclose(warm["temperature_K"], closed, atol=1e-9)


@pytest.mark.parametrize("name", ["rc", "heat", "network"])
def test_fmu_equals_step_map(name: str, request: pytest.FixtureRequest) -> None:
    step_map: StepMap = request.getfixturevalue(f"{name}_step_map")
    path: Path = request.getfixturevalue(f"{name}_fmu")
    rng = np.random.default_rng(1)
    model, fmu = StepMapComponent(step_map), FmuComponent(path)
    starts = np.array([v.start for v in step_map.interface.inputs])
    np.testing.assert_allclose(
        fmu.initialize(0, starts), model.initialize(0, starts), rtol=1e-12, atol=1e-12
    )
    tick = 0
    for _ in range(200):
        end_tick = tick + ticks(float(rng.uniform(1e-3, 0.4)))
        u = starts + rng.normal(size=starts.size)
        got, want = fmu.step(tick, end_tick, u), model.step(tick, end_tick, u)
        np.testing.assert_allclose(got.outputs, want.outputs, rtol=1e-12, atol=1e-12)
        tick = end_tick
    fmu.close()


@pytest.mark.parametrize("name", ["rc", "heat", "network", "root"])
def test_validation_finds_nothing(name: str, request: pytest.FixtureRequest) -> None:
    assert validate(request.getfixturevalue(f"{name}_fmu")) == []


@pytest.mark.parametrize("name", ["rc", "network"])
def test_library_exports_the_34_functions_and_nothing_else(
    name: str, request: pytest.FixtureRequest
) -> None:
    with zipfile.ZipFile(request.getfixturevalue(f"{name}_fmu")) as archive:
        (member,) = [n for n in archive.namelist() if n.endswith(".so")]
        exported = exported_functions(archive.read(member))
    assert exported == set(CO_SIMULATION_FUNCTIONS)
    assert len(CO_SIMULATION_FUNCTIONS) == 34


@pytest.mark.parametrize("name", ["rc", "network"])
def test_source_compiles_without_warnings(
    name: str, request: pytest.FixtureRequest
) -> None:
    source = render_source(request.getfixturevalue(f"{name}_step_map"))
    strict = Compiler(command=find_compiler().command, extra_flags=STRICT_FLAGS)
    assert compile_source(source, strict)[:4] == b"\x7fELF"


def test_source_alone_has_prefixed_functions(
    rc_step_map: StepMap, tmp_path: Path
) -> None:
    source = render_source(rc_step_map)
    undefine = ("-UFMI2_OVERRIDE_FUNCTION_PREFIX",)
    compiler = Compiler(command=find_compiler().command, extra_flags=undefine)
    exported = exported_functions(compile_source(source, compiler))
    assert exported == {f"RcCircuit_{name}" for name in CO_SIMULATION_FUNCTIONS}


def test_no_global_is_writable(rc_step_map: StepMap) -> None:
    source = render_source(rc_step_map).c_source
    statics = [
        line
        for line in source.splitlines()
        if line.startswith("static ") and line.rstrip().endswith(("=", ";", "{"))
    ]
    data = [line for line in statics if "(" not in line]
    assert data
    assert all(line.startswith("static const ") for line in data)


def test_same_step_map_gives_same_bytes(rc_step_map: StepMap, tmp_path: Path) -> None:
    one = export_fmu(rc_step_map, tmp_path / "one.fmu").read_bytes()
    two = export_fmu(rc_step_map, tmp_path / "two.fmu").read_bytes()
    assert one == two


def test_token_changes_with_a_start_value(rc_step_map: StepMap) -> None:
    other = StepMap(
        name=rc_step_map.name,
        interface=rc_step_map.interface.with_starts({"resistance_Ohm": 2.5}),
        memory=rc_step_map.memory,
        initialize=rc_step_map.initialize,
        step=rc_step_map.step,
    )
    assert render_source(rc_step_map).token != render_source(other).token


def test_dependencies_are_exact(rc_fmu: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        root = ET.fromstring(archive.read("modelDescription.xml"))
    rows = {
        path: [
            (u.get("index"), u.get("dependencies"))
            for u in root.findall(f"ModelStructure/{path}/Unknown")
        ]
        for path in ("Outputs", "InitialUnknowns")
    }
    # the start voltage is zero; the current is (u - 0) / R, R being variable 4
    assert rows["Outputs"] == [("2", ""), ("3", "1")]
    assert rows["InitialUnknowns"] == [("2", ""), ("3", "1 4")]


def test_units_carry_exponents(rc_fmu: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        root = ET.fromstring(archive.read("modelDescription.xml"))
    ohm = root.find("UnitDefinitions/Unit[@name='Ohm']/BaseUnit")
    assert ohm is not None
    assert ohm.attrib == {"kg": "1", "m": "2", "s": "-3", "A": "-2"}


def test_archive_holds_sources_licence_documentation_and_resources(
    rc_fmu: Path,
) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        assert set(archive.namelist()) == {
            "modelDescription.xml",
            "binaries/linux64/RcCircuit.so",
            "sources/RcCircuit.c",
            "sources/buildDescription.xml",
            "documentation/index.html",
            "documentation/licenses/license.txt",
            "documentation/certificate.json",
            "extra/org.fmi-standard.fmi-ls-ref/fmi-ls-manifest.xml",
            "extra/org.fmi-standard.fmi-ls-ref/RcCircuit_in.csv",
            "extra/org.fmi-standard.fmi-ls-ref/RcCircuit_out.csv",
            "resources/table.csv",
        }
        methods = {m.compress_type for m in archive.infolist()}
    assert methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}


def test_documentation_outside_the_fmu_is_refused(
    rc_step_map: StepMap, tmp_path: Path
) -> None:
    path = tmp_path / "rc.fmu"
    with pytest.raises(FmuError, match="relative path"):
        export_fmu(rc_step_map, path, documentation={"../x": "y"}, platforms=())
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler_the_source_fmu_is_written_and_the_error_says_so(
    rc_step_map: StepMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(cross, "find_spec", lambda _name: None)
    monkeypatch.setattr(cross, "cross_version", lambda: "")
    path = tmp_path / "rc.fmu"
    with pytest.raises(CompilerError) as caught:
        export_fmu(rc_step_map, path)
    message = str(caught.value)
    assert f"`{path}` was written with its C source only" in message
    assert "apt-get install gcc" in message
    assert "packtwin[cross]" in message
    assert validate(path) == []
    with pytest.raises(FmuError, match="no binaries at all"):
        FmuComponent(path)
    with_message = path.read_bytes()
    export_fmu(rc_step_map, path, platforms=())
    assert path.read_bytes() == with_message


def test_shipped_source_compiles_to_a_working_library(
    network_fmu: Path, tmp_path: Path
) -> None:
    extract(network_fmu, tmp_path)
    library = tmp_path / "binaries" / "linux64" / "Network.so"
    before = library.read_bytes()
    find_compiler().compile_library(tmp_path / "sources" / "Network.c", library)
    assert library.read_bytes() == before


def test_step_map_without_outputs_is_refused(rc_step_map: StepMap) -> None:
    m, t, h, u, p = (
        ca.SX.sym(n, k) for n, k in zip("mthup", (1, 1, 1, 0, 0), strict=True)
    )
    empty = ca.SX(0, 1)
    step_map = StepMap(
        name="Mute",
        interface=Interface(),
        memory=rc_step_map.memory,
        initialize=ca.Function("i", [u, p], [ca.SX(0), empty]),
        step=ca.Function("s", [m, t, h, u, p], [m, empty]),
    )
    with pytest.raises(InterfaceError, match="at least one"):
        render_source(step_map)


def test_step_without_finite_result_is_discarded_and_changes_nothing(
    root_fmu: Path,
) -> None:
    # level 1 falls to -1 within the step and its root is no number there
    fmu = FmuComponent(root_fmu)
    outputs = fmu.initialize(0, np.array([2.0]))
    assert outputs[0] == math.sqrt(1.0)
    report = fmu.step(0, ticks(1.0), np.array([2.0]))
    assert report.status == 1
    assert "not finite" in report.message
    assert report.end_tick == 0
    assert report.outputs[0] == 1.0
    # nothing was changed: a shorter step from the same time succeeds
    again = fmu.step(0, ticks(0.375), np.array([2.0]))
    assert again.outputs[0] == pytest.approx(0.5, abs=1e-15)
    fmu.close()


def test_bad_value_in_a_substep_is_refused_in_the_mean(tmp_path: Path) -> None:
    m, t, h, u, p = (
        ca.SX.sym(n, k) for n, k in zip("mthup", (1, 1, 1, 0, 0), strict=True)
    )
    step_map = StepMap(
        name="Pole",
        interface=Interface(outputs=(Variable(name="pole", sampling="mean"),)),
        memory=(Variable(name="age"),),
        initialize=ca.Function("i", [u, p], [ca.SX(0), ca.SX(0)]),
        step=ca.Function("s", [m, t, h, u, p], [m + h, 1.0 / (t - 0.25)]),
        substep_s=0.25,
    )
    fmu = FmuComponent(export_fmu(step_map, tmp_path / "pole.fmu"))
    for component in (StepMapComponent(step_map), fmu):
        component.initialize(0, np.zeros(0))
        assert component.step(0, ticks(1.0), np.zeros(0)).status == 1
        assert component.step(0, ticks(0.25), np.zeros(0)).outputs[0] == -4.0
    fmu.close()
