"""One core, two versions of FMI: the same numbers, guards and saved states."""

from __future__ import annotations

import ctypes
import importlib.resources
import pickle
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import casadi as ca
import fmpy
import numpy as np
import pytest

from packtwin.fmu.elf import exported_functions
from packtwin.fmu.export import compile_source, export_fmu
from packtwin.fmu.inspection import validate
from packtwin.fmu.source import render_source
from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.cooling import CoolingParameters, cooling_step_map
from packtwin.twin.errors import InterfaceError
from packtwin.twin.pack import PackLayout, pack_step_map
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate_model import cell_model, cell_step_map
from packtwin.twin.surrogate_spec import load_spec
from packtwin.twin.variable import Interface, Variable
from packtwin.twin.vehicle import load_vehicle, vehicle_step_map
from tests.fmu.raw_fmu import RawFmu, made

pytestmark = pytest.mark.fmu

VERSIONS = ("2.0", "3.0")
N_STEPS = 10_000


@pytest.fixture(scope="module")
def cell(synthetic_spec) -> StepMap:
    return cell_step_map(synthetic_spec)


@pytest.fixture(scope="module")
def libraries(network_step_map, root_step_map, tmp_path_factory):
    folder = tmp_path_factory.mktemp("versions")
    subjects = {"network": network_step_map, "root": root_step_map}
    return {
        (name, version): made(subject, folder, version)
        for name, subject in subjects.items()
        for version in VERSIONS
    }


@pytest.fixture(scope="module")
def cell_libraries(cell, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cell")
    return {v: made(cell, folder, v) for v in VERSIONS}


def functions_of_fmi3() -> set[str]:
    """Names from the standard's header, which FMPy carries."""
    header = Path(fmpy.__file__).parent / "c-code" / "fmi3Functions.h"
    return {
        line.split()[-1].rstrip(";")
        for line in header.read_text().splitlines()
        if line.startswith("FMI3_Export ")
    }


@pytest.mark.parametrize("kinds", [("cs",), ("me",), ("cs", "me")])
@pytest.mark.parametrize("version", VERSIONS)
def test_source_is_strict_c_and_exports_only_what_the_standard_names(
    network_step_map, version, kinds
):
    steps = network_step_map
    subject = steps.equations if kinds == ("me",) else steps
    source = render_source(subject, fmi_version=version, kinds=kinds)
    strict = Compiler(
        command=find_compiler().command, extra_flags=(*STRICT_FLAGS, "-O0")
    )
    found = exported_functions(compile_source(source, strict))
    if version == "3.0":
        assert len(found) == 75
        assert found == functions_of_fmi3()
    else:
        assert len(found) == 25 + 9 * ("cs" in kinds) + 10 * ("me" in kinds)
    if kinds != ("cs", "me"):
        return
    prefix = Compiler(
        command=find_compiler().command,
        extra_flags=("-O0", f"-UFMI{version[0]}_OVERRIDE_FUNCTION_PREFIX"),
    )
    prefixed = exported_functions(compile_source(source, prefix))
    assert prefixed == {f"{source.identifier}_{name}" for name in found}


def worst_difference(step_map, libraries, n):
    """Run both versions and the step map beside each other with random inputs."""
    interface = step_map.interface
    rng = np.random.default_rng(3)
    u0 = np.array([v.start for v in interface.inputs])
    p = np.array([v.start for v in interface.parameters])
    outputs = [k for k in interface.output_names if "[" not in k]
    columns = [interface.output_names.index(k) for k in outputs]
    fmus = [RawFmu(*library).start().exit() for library in libraries]
    memory, _ = step_map.start(u0, p)
    worst, t = 0.0, 0.0
    for _ in range(n):
        h = float(10.0 ** rng.uniform(-3, -1.2))
        u = u0 + rng.normal(size=u0.size)
        memory, y, _ = step_map.advance(memory, t, h, u, p)
        for fmu in fmus:
            fmu.set(interface.input_names, u)
            assert fmu.step(t, h) == 0
        got = [fmu.get(outputs) for fmu in fmus]
        np.testing.assert_array_equal(got[0], got[-1])
        scale = np.maximum(np.abs(y[columns]), 1.0)
        worst = max(worst, float((np.abs(got[0] - y[columns]) / scale).max()))
        t += h
    for fmu in fmus:
        fmu.free()
    return worst


def test_both_versions_equal_the_step_map_over_many_steps(libraries, network_step_map):
    both = [libraries["network", v] for v in VERSIONS]
    assert worst_difference(network_step_map, both, 2000) <= 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cell", "vehicle", "cooling", "pack", "network"])
def test_shipped_models_equal_their_step_maps_over_ten_thousand_steps(
    name, network_step_map, tmp_path
):
    subject = network_step_map if name == "network" else shipped(name)
    both = [made(subject, tmp_path, v, has_derivatives=False) for v in VERSIONS]
    assert worst_difference(subject, both, N_STEPS) <= 1e-12


def shipped(name):
    folder = importlib.resources.files("packtwin.scenarios.library")
    if name == "vehicle":
        return vehicle_step_map(
            load_vehicle(Path(str(folder / "vehicle_chevrolet_bolt.toml")))
        )
    if name == "cooling":
        return cooling_step_map(CoolingParameters())
    spec = load_spec(Path(str(folder / "lg_m50_oregan2022.npz")))
    if name == "pack":
        return pack_step_map(spec, PackLayout())
    return cell_step_map(spec)


REPLAY = """
import sys
sys.path.insert(0, sys.argv[4])
import pickle
import numpy as np
from pathlib import Path
from tests.fmu.raw_fmu import RawFmu

source, saved, inputs, points = pickle.loads(Path(sys.argv[2]).read_bytes())
fmu = RawFmu(Path(sys.argv[1]), source)
status, state = fmu.deserialize(saved)
assert status == 0, fmu.log
fmu.restore(state)
for t, h, u in points:
    fmu.set(inputs, u)
    assert fmu.step(t, h) == 0
    outputs = fmu.get(sys.argv[3].split())
    print(*[float(v).hex() for v in outputs])
"""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_state_replays_bit_by_bit_in_a_new_process(
    libraries, network_step_map, version, tmp_path
):
    library, source = libraries["network", version]
    step_map = network_step_map
    rng = np.random.default_rng(5)
    inputs = step_map.interface.input_names
    outputs = [k for k in step_map.interface.output_names if "[" not in k]
    u0 = np.array([v.start for v in step_map.interface.inputs])
    fmu = RawFmu(library, source).start().exit()
    t, points, want = 0.0, [], []
    for k in range(1100):
        h, u = float(rng.uniform(1e-3, 0.2)), u0 + rng.normal(size=u0.size)
        if k == 100:
            state = fmu.save()
            saved = fmu.serialize(state)
            fmu.forget(state)
        fmu.set(inputs, u)
        assert fmu.step(t, h) == 0
        if k >= 100:
            points.append((t, h, u))
            want.append(" ".join(float(v).hex() for v in fmu.get(outputs)))
        t += h
    path = tmp_path / "state"
    path.write_bytes(pickle.dumps((source, saved, inputs, points)))
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", REPLAY, library, path, " ".join(outputs), root],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == want


@pytest.mark.parametrize("version", VERSIONS)
def test_foreign_and_damaged_states_are_refused(libraries, version):
    fmu = RawFmu(*libraries["network", version]).start().exit()
    other = RawFmu(*libraries["root", version]).start().exit()
    state = fmu.save()
    good = fmu.serialize(state)
    assert fmu.deserialize(good)[0] == 0
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 1
    foreign = other.serialize(other.save())
    for data in (bytes(damaged), good[:-1], good + b"x", foreign, b""):
        status, handle = fmu.deserialize(data)
        assert status == 3
        assert handle.value is None
        assert "no state of this FMU, or they are damaged" in fmu.log[-1]
    fmu.forget(state)
    fmu.free()
    other.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_eight_threads_of_eight_instances_equal_one_alone(
    libraries, network_step_map, version
):
    def run(seed):
        rng = np.random.default_rng(seed)
        fmu = RawFmu(*libraries["network", version]).start().exit()
        rows = []
        for k in range(60):
            fmu.set("current_A", float(rng.normal()))
            assert fmu.step(0.1 * k, 0.1) == 0
            rows.append(fmu.get(["power_W", "energy_J"]))
        fmu.free()
        return np.array(rows)

    alone = {seed: run(seed) for seed in range(8)}
    found: dict[tuple[int, int], np.ndarray] = {}

    def work(thread):
        for seed in range(8):
            found[thread, seed] = run(seed)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 64
    for (_, seed), rows in found.items():
        np.testing.assert_array_equal(rows, alone[seed])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_refused_step_changes_nothing_and_says_when_it_stands(libraries, version):
    fmu = RawFmu(*libraries["root", version]).start().exit()
    fmu.set("outflow", 0.5)
    assert fmu.step(0.0, 1.0) == 0
    state = fmu.serialize(fmu.save())
    assert fmu.step(1.0, 5.0) == 2
    assert "nothing was changed" in fmu.log[-1]
    after = bytearray(fmu.serialize(fmu.save()))
    different = [k for k, (a, b) in enumerate(zip(state, after, strict=True)) if a != b]
    assert len(different) <= 9  # the status of the last step and the checksum
    if version == "3.0":
        assert fmu.last_s == 1.0
    assert fmu.step(1.0, 0.5) == 0
    fmu.free()


def test_a_refused_step_of_an_asking_fmu_keeps_its_inputs(libraries):
    fmu = None

    def update(env, time, sets, gets, done, can, early, when):
        if sets:
            assert fmu.set("outflow", 2.0 + time) == 0

    fmu = RawFmu(*libraries["root", "3.0"], update=update).start().exit()
    fmu.set("outflow", 0.25)
    assert fmu.step(0.0, 10.0) == 2
    assert fmu.get("outflow")[0] == 0.25
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_calls_out_of_order_are_refused_with_a_message(libraries, version):
    fmu = RawFmu(*libraries["network", version])
    assert fmu.step(0.0, 1.0) == 3
    assert "must not be called while the instance is instantiated" in fmu.log[-1]
    with pytest.raises(AssertionError, match="must not be called"):
        fmu.get("power_W")
    fmu.start().exit()
    for t, h in ((0.5, 0.1), (0.0, 0.0), (0.0, -1.0), (0.0, np.inf), (0.0, np.nan)):
        assert fmu.step(t, h) == 3
    assert fmu.set("current_A", np.nan) == 3
    assert "expected a finite value in A" in fmu.log[-1]
    assert fmu.call("ExitInitializationMode") == 3
    assert fmu.call("Terminate") == 0
    assert fmu.call("Reset") == 0
    fmu.start().exit()
    assert fmu.step(0.0, 0.1) == 0
    fmu.free()


@pytest.mark.slow
def test_wrong_number_of_values_is_refused(cell_libraries):
    fmu = RawFmu(*cell_libraries["3.0"]).start().exit()
    values = np.zeros(40)
    where = values.ctypes.data_as(ctypes.c_void_p)
    reference = (ctypes.c_uint32 * 1)(fmu.reference["state.stoichiometry_negative"])
    one = ctypes.c_size_t(1)
    n = fmu.size["state.stoichiometry_negative"]
    assert n == 7
    assert fmu.call("GetFloat64", reference, one, where, ctypes.c_size_t(n)) == 0
    assert fmu.call("GetFloat64", reference, one, where, ctypes.c_size_t(n - 1)) == 3
    assert "6 values were given, the variables have 7" in fmu.log[-1]
    big = (ctypes.c_uint32 * 1)(10_000)
    assert fmu.call("GetFloat64", big, one, where, one) == 3
    assert fmu.call("GetInt32", big, one, where, one) == 3
    assert "all are Float64" in fmu.log[-1]
    zero = ctypes.c_size_t(0)
    assert fmu.call("GetInt32", big, zero, where, zero) == 0
    fmu.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_log_categories_can_be_switched(libraries, version):
    fmu = RawFmu(*libraries["network", version]).start().exit()

    def switch(on, *names):
        list_ = (ctypes.c_char_p * max(1, len(names)))(*[n.encode() for n in names])
        flag = on if version == "3.0" else int(on)
        return fmu.call("SetDebugLogging", flag, ctypes.c_size_t(len(names)), list_)

    assert fmu.step(0.0, 0.1) == 0
    assert fmu.log == []
    assert switch(True, "logStepping") == 0
    assert fmu.step(0.1, 0.1) == 0
    assert "stepped by 0.1 s" in fmu.log[-1]
    assert switch(False) == 0
    n = len(fmu.log)
    assert fmu.step(0.2, -1.0) == 3
    assert len(fmu.log) == n
    assert switch(True, "logStatusError") == 0
    assert switch(True, "none") == 3
    assert "no log category none" in fmu.log[-1]
    fmu.free()


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_the_shown_files_are_valid_and_simulate(
    cell, synthetic_spec, version, tmp_path
):
    both = replace(cell, equations=cell_model(synthetic_spec))
    path = export_fmu(both, tmp_path / "c.fmu", fmi_version=version, kinds=("cs", "me"))
    assert validate(path) == []
    options = {"stop_time": 60.0, "start_values": {"current_A": 2.0}}
    steps = fmpy.simulate_fmu(
        str(path), fmi_type="CoSimulation", output_interval=0.5, **options
    )
    exchanged = fmpy.simulate_fmu(
        str(path), fmi_type="ModelExchange", relative_tolerance=1e-6, **options
    )
    assert steps["voltage_V"][-1] == pytest.approx(exchanged["voltage_V"][-1], abs=2e-4)


def test_terminals_name_the_pins_and_the_heat(cell):
    source = render_source(cell, fmi_version="3.0")
    root = ET.fromstring(source.terminals)
    found = {
        terminal.get("name"): [m.get("variableName") for m in terminal]
        for terminal in root.find("Terminals")
    }
    assert found == {
        "electrical": ["voltage_V", "current_A"],
        "coolant_heat": ["coolant_temperature_K", "heat_cell_to_coolant_W"],
    }


def counter(period_s=0.1) -> StepMap:
    """A controller with a period: it counts ticks and holds its output between."""
    memory = (Variable(name="ticks_count"), Variable(name="held_W"))
    m, t, h, u, p = (
        ca.SX.sym(n, k) for n, k in (("m", 2), ("t", 1), ("h", 1), ("u", 1), ("p", 1))
    )
    due = ca.floor((t + h) / period_s + 1e-9)
    is_due = due > m[0]
    held = ca.if_else(is_due, p * u, m[1])
    start = ca.vertcat(0.0, p * u)
    return StepMap(
        name="counter",
        interface=Interface(
            inputs=(Variable(name="error_K"),),
            outputs=(Variable(name="command_W"),),
            parameters=(Variable(name="gain_W_per_K", start=3.0),),
        ),
        memory=memory,
        initialize=ca.Function("i", [u, p], [start, p * u]),
        step=ca.Function(
            "s", [m, t, h, u, p], [ca.vertcat(ca.fmax(due, m[0]), held), held]
        ),
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_a_controller_with_a_period_is_a_step_map(tmp_path, version):
    fmu = RawFmu(*made(counter(), tmp_path, version)).start().exit()
    outputs = []
    for k in range(30):
        fmu.set("error_K", float(k))
        assert fmu.step(0.03 * k, 0.03) == 0
        outputs.append(fmu.get("command_W")[0])
    ticks = [k for k in range(1, 30) if outputs[k] != outputs[k - 1]]
    due = [int(0.03 * (k + 1) / 0.1 + 1e-9) for k in range(30)]
    assert ticks == [k for k in range(1, 30) if due[k] != due[k - 1]]
    assert all(outputs[k] == 3.0 * k for k in ticks)
    fmu.free()


def test_bad_subjects_are_refused_by_name(heat_step_map):
    with pytest.raises(InterfaceError, match="`int` cannot be a model identifier"):
        render_source(replace(heat_step_map, name="int"))
    with pytest.raises(InterfaceError, match="cannot be a model identifier"):
        render_source(replace(heat_step_map, name="a b"))
    with pytest.raises(InterfaceError, match="expected `cs`, `me` or both"):
        render_source(heat_step_map, kinds=())
    with pytest.raises(InterfaceError, match=r"`heat_W` starts at nan"):
        Variable(name="heat_W", start=float("nan"))
    endless = replace(
        heat_step_map.interface,
        inputs=(
            Variable(name="heat_W", start=float("inf")),
            *heat_step_map.interface.inputs[1:],
        ),
    )
    with pytest.raises(InterfaceError, match="`heat_W` has the start value inf"):
        render_source(replace(heat_step_map, interface=endless))
    taken = replace(
        heat_step_map.interface, outputs=(Variable(name="time", start=300.0),)
    )
    with pytest.raises(InterfaceError, match="`time` is used twice"):
        render_source(replace(heat_step_map, interface=taken), fmi_version="3.0")
    memory = (Variable(name="x"),) * 2
    with pytest.raises(InterfaceError, match=r"`state\.x` is used twice"):
        render_source(
            StepMap(
                name="twins",
                interface=Interface(outputs=(Variable(name="y"),)),
                memory=memory,
                initialize=ca.Function(
                    "i", [ca.SX(0, 1), ca.SX(0, 1)], [ca.SX.zeros(2), ca.SX(0)]
                ),
                step=ca.Function(
                    "s",
                    [
                        ca.SX.sym("m", 2),
                        ca.SX.sym("t"),
                        ca.SX.sym("h"),
                        ca.SX(0, 1),
                        ca.SX(0, 1),
                    ],
                    [ca.SX.zeros(2), ca.SX(0)],
                ),
            )
        )
