"""Implicit step maps as FMUs: the same steps, states that travel, small stacks."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import casadi as ca
import fmpy
import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.fmu.archive import extract
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.elf import exported_functions
from packtwin.fmu.export import compile_source, export_fmu
from packtwin.fmu.fmi2 import CO_SIMULATION_FUNCTIONS
from packtwin.fmu.inspection import validate
from packtwin.fmu.source import render_source
from packtwin.twin.compiled import compile_step_map
from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.component import StepMapComponent, ticks
from packtwin.twin.errors import FmuCallError
from packtwin.twin.implicit import ImplicitSource, implicit_source
from packtwin.twin.step_map import StepMap, StepStatus
from packtwin.twin.steppable import SteppableCode
from tests.twin.implicit_models import circuit, falling, make_model, nonlinear_dae

pytestmark = pytest.mark.fmu


@pytest.fixture(scope="module")
def source() -> ImplicitSource:
    return implicit_source(circuit())


@pytest.fixture(scope="module")
def path(source: ImplicitSource, fmu_folder: Path) -> Path:
    return export_fmu(source, fmu_folder / "circuit.fmu", description="Two stores.")


def description_of(path: Path) -> ET.Element:
    with zipfile.ZipFile(path) as archive:
        return ET.fromstring(archive.read("modelDescription.xml"))


def random_inputs(n: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(-2.0, 2.0, (n, 1))


def test_both_kinds_of_step_map_play_the_role(
    source: ImplicitSource, rc_step_map: StepMap
) -> None:
    assert isinstance(source, SteppableCode)
    assert isinstance(rc_step_map, SteppableCode)


def test_fmu_equals_compiled_step_map_bit_by_bit(
    source: ImplicitSource, path: Path
) -> None:
    ours, fmu = StepMapComponent(compile_step_map(source)), FmuComponent(path)
    u = np.array([0.5])
    np.testing.assert_array_equal(fmu.initialize(0, u), ours.initialize(0, u))
    rng, tick = np.random.default_rng(1), 0
    for u in random_inputs(300):
        end = tick + ticks(float(10.0 ** rng.uniform(-3.0, 1.7)))
        got, want = fmu.step(tick, end, u), ours.step(tick, end, u)
        np.testing.assert_array_equal(got.outputs, want.outputs)
        tick = end
    fmu.close()


def test_validation_finds_nothing(path: Path) -> None:
    assert validate(path) == []


def test_source_compiles_without_warnings_and_exports_only_fmi(
    source: ImplicitSource,
) -> None:
    compiler = find_compiler()
    strict = Compiler(command=compiler.command, extra_flags=STRICT_FLAGS)
    library = compile_source(render_source(source), strict)
    assert exported_functions(library) == set(CO_SIMULATION_FUNCTIONS)


def test_dependencies_go_through_algebraic_states_and_the_start(
    fmu_folder: Path,
) -> None:
    model = make_model(
        "through",
        x=[1.0, 1.0],
        z=[0.0, 0.0],
        u=[1.0, 1.0],
        p=[3.0],
        initial=lambda u, p: [p[0], 1.0],
        rhs=lambda t, x, z, u, p: [z[0], u[1]],
        algebraic=lambda t, x, z, u, p: [z[0] - u[0], z[1] - x[0]],
        outputs=lambda t, x, z, u, p: [z[0], z[1], u[1] + x[1], ca.sin(x[0]) + u[0]],
    )
    fmu = export_fmu(implicit_source(model), fmu_folder / "t.fmu", platforms=())
    root = description_of(fmu)
    rows = {
        kind: [u.get("dependencies") for u in root.iter("Unknown") if u in list(part)]
        for kind in ("Outputs", "InitialUnknowns")
        for part in [root.find(f"ModelStructure/{kind}")]
        if part is not None
    }
    # inputs are variables 1 and 2, outputs 3 to 6, the parameter is 7
    assert rows["Outputs"] == ["1", "", "2", "1"]
    assert rows["InitialUnknowns"] == ["1", "7", "2", "1 7"]


def test_a_step_goes_on_through_an_event_and_the_description_says_so(
    fmu_folder: Path,
) -> None:
    path = export_fmu(implicit_source(falling(0.5)), fmu_folder / "falling.fmu")
    result = fmpy.simulate_fmu(str(path), stop_time=3.0, output_interval=0.75)
    np.testing.assert_allclose(
        result["y[0]"], 1.2345 - result["time"], rtol=1e-12, atol=1e-12
    )
    text = description_of(path).get("description")
    assert text == "Steps go on through the events `e[0]`, except in event mode."


def test_description_is_the_callers_alone_without_events(path: Path) -> None:
    assert description_of(path).get("description") == "Two stores."


def test_a_refused_step_is_discarded_and_changes_nothing(fmu_folder: Path) -> None:
    # z = sqrt(1 - 2 t / 3) is no number after 1.5 s
    path = export_fmu(implicit_source(nonlinear_dae()), fmu_folder / "dae.fmu")
    fmu, none = FmuComponent(path), np.zeros(0)
    fmu.initialize(0, none)
    report = fmu.step(0, ticks(2.0), none)
    assert report.status is StepStatus.REFUSED
    assert report.end_tick == 0
    assert "cannot be computed" in report.message
    after = fmu.step(0, ticks(0.5), none)
    fmu.initialize(0, none)
    np.testing.assert_array_equal(fmu.step(0, ticks(0.5), none).outputs, after.outputs)
    fmu.close()


def test_an_inconsistent_start_is_refused_with_the_reason(fmu_folder: Path) -> None:
    model = make_model(
        "nowhere",
        x=[0.0],
        z=[1.0],
        rhs=lambda t, x, z, u, p: [z[0]],
        algebraic=lambda t, x, z, u, p: [z[0] ** 2 + 1.0],
        outputs=lambda t, x, z, u, p: [z[0]],
    )
    fmu = FmuComponent(export_fmu(implicit_source(model), fmu_folder / "nowhere.fmu"))
    with pytest.raises(FmuCallError, match="no consistent start state"):
        fmu.initialize(0, np.zeros(0))


REPLAY = """
import ctypes, sys
from pathlib import Path
library = ctypes.CDLL(sys.argv[1])
class Callbacks(ctypes.Structure):
    _fields_ = [(k, ctypes.c_void_p) for k in ("log", "new", "free", "done", "data")]
library.fmi2Instantiate.restype = ctypes.c_void_p
handle = ctypes.c_void_p(library.fmi2Instantiate(
    b"again", 1, sys.argv[2].encode(), b"", ctypes.byref(Callbacks()), 0, 0))
saved = Path(sys.argv[3]).read_bytes()
state = ctypes.c_void_p()
assert library.fmi2DeSerializeFMUstate(
    handle, saved, ctypes.c_size_t(len(saved)), ctypes.byref(state)) == 0
assert library.fmi2SetFMUstate(handle, state) == 0
y, row = ctypes.c_double(), (ctypes.c_uint * 1)(1)
for k in range(40):
    u = ctypes.c_double(0.1 * (k % 7))
    assert library.fmi2SetReal(handle, (ctypes.c_uint * 1)(0), ctypes.c_size_t(1),
                               ctypes.byref(u)) == 0
    assert library.fmi2DoStep(handle, ctypes.c_double(5.0 + k), ctypes.c_double(1.0),
                              0) == 0
    assert library.fmi2GetReal(handle, row, ctypes.c_size_t(1), ctypes.byref(y)) == 0
    print(y.value.hex())
"""


def test_a_saved_state_replays_bit_by_bit_in_a_new_process(
    path: Path, tmp_path: Path
) -> None:
    fmu = FmuComponent(path)
    fmu.initialize(0, np.array([0.5]))
    for k, u in enumerate(random_inputs(5)):
        fmu.step(ticks(float(k)), ticks(k + 1.0), u)
    instance, saved = fmu._instance, fmu.save()
    size = ctypes.c_size_t()
    pointer = saved.saved.pointer
    instance.call("fmi2SerializedFMUstateSize", pointer, ctypes.byref(size))
    assert size.value < 1024  # no scratch memory in it
    data = ctypes.create_string_buffer(size.value)
    instance.call("fmi2SerializeFMUstate", pointer, data, size)
    (tmp_path / "state").write_bytes(data.raw)
    here = []
    for k in range(40):
        span = ticks(5.0 + k), ticks(6.0 + k)
        here.append(float(fmu.step(*span, np.array([0.1 * (k % 7)])).outputs[0]).hex())
    fmu.close()
    extract(path, tmp_path / "fmu")
    (library,) = (tmp_path / "fmu" / "binaries" / "linux64").iterdir()
    token = description_of(path).attrib["guid"]
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, library, token, tmp_path / "state"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == here


def test_instances_in_parallel_threads_agree_with_one_alone(path: Path) -> None:
    u = random_inputs(400)

    def run() -> list[float]:
        fmu = FmuComponent(path)
        fmu.initialize(0, u[0])
        outputs = [
            fmu.step(ticks(float(k)), ticks(k + 1.0), row).outputs.tolist()
            for k, row in enumerate(u)
        ]
        fmu.close()
        return outputs

    alone = run()
    found: list[list[float]] = []
    threads = [threading.Thread(target=lambda: found.append(run())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


def test_it_runs_in_a_co_simulation(source: ImplicitSource, path: Path) -> None:
    u = random_inputs(21)
    drive = SignalSource("drive", np.arange(21.0), {"level": u[:, 0]}, mean=["level"])
    fmu = FmuComponent(path, names={"u[0]": "load"})
    system = System([drive, fmu], [Connection("drive.level", "circuit.load")])
    result = simulate(system, stop_s=20.0, step_s=1.0)
    step_map = compile_step_map(source)
    p = np.array([2.0])
    memory, _ = step_map.start(u[0], p)
    for k in range(20):
        mean = 0.5 * (u[k] + u[k + 1])
        memory, y, _ = step_map.advance(memory, float(k), 1.0, mean, p)
        assert result["circuit.y[0]"][k + 1] == pytest.approx(y[0], rel=1e-12)
