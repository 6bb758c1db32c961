"""A sampled law as FMU: the same samples, at the same instants, in every mode."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import fmpy
import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Iterated
from packtwin.cosim.simulate import simulate
from packtwin.cosim.system import System
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import compile_source, export_fmu
from packtwin.fmu.inspection import validate
from packtwin.fmu.source import render_source
from packtwin.scenarios.bench_cosim_linear import LinearComponent
from packtwin.twin.compiler import STRICT_FLAGS, Compiler, find_compiler
from packtwin.twin.component import ticks
from packtwin.twin.step_map import StepStatus
from packtwin.twin.variable import Variable
from tests.fmu.raw_fmu import RawFmu, made
from tests.twin.sampled_models import adder, damper

pytestmark = pytest.mark.fmu

VERSIONS = ("2.0", "3.0")
KINDS = (("cs",), ("me",), ("cs", "me"))
U, P = np.array([4.0, 1.0]), np.array([2.0])
INPUTS = ("measured_K", "offset_K")
OUTPUTS = ("total_K", "when_s", "shown_K")


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adder")
    return {v: made(adder(), folder, v, ("cs", "me")) for v in VERSIONS}


@pytest.fixture(scope="module")
def paths(fmu_folder: Path) -> dict[str, Path]:
    return {
        v: export_fmu(
            adder(), fmu_folder / f"adder{v[0]}.fmu", fmi_version=v, kinds=("cs", "me")
        )
        for v in VERSIONS
    }


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_source_is_strict_c(version: str, kinds: tuple[str, ...]) -> None:
    compiler = Compiler(
        command=find_compiler().command, extra_flags=(*STRICT_FLAGS, "-O1")
    )
    assert compile_source(
        render_source(adder(), fmi_version=version, kinds=kinds), compiler
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_steps_of_any_length_equal_the_step_map_and_replay(libraries, version) -> None:
    subject, fmu = adder(), RawFmu(*libraries[version]).start().exit()
    rng = np.random.default_rng(4)
    memory, _ = subject.start(np.zeros(2), P)
    t, worst = 0.0, 0
    for _ in range(400):
        h = float(10.0 ** rng.uniform(-3.0, np.log10(60.0)))
        u = rng.uniform([0.0, -1.0], [2.0, 1.0])
        memory, y, _ = subject.advance(memory, t, h, u, P)
        assert fmu.set(INPUTS, u) == 0
        state = fmu.save()
        assert fmu.step(t, h) == 0
        np.testing.assert_array_equal(fmu.get(OUTPUTS), y)
        data = fmu.serialize(state)
        fmu.restore(state)
        assert fmu.set(INPUTS, u) == 0
        assert fmu.step(t, h) == 0
        np.testing.assert_array_equal(fmu.get(OUTPUTS), y)
        fmu.forget(state)
        if worst % 40 == 0:
            status, again = fmu.deserialize(data)
            assert status == 0
            fmu.restore(again)
            assert fmu.step(t, h) == 0
            np.testing.assert_array_equal(fmu.get(OUTPUTS), y)
            fmu.forget(again)
        worst, t = worst + 1, t + h
    assert fmu.set(INPUTS, [-1.0, 0.0]) == 0
    assert fmu.step(t, 1.0) == 2
    assert "nothing was changed" in fmu.log[-1]
    np.testing.assert_array_equal(fmu.get(OUTPUTS), y)
    fmu.free()


def test_event_mode_returns_early_at_the_exact_instants(libraries) -> None:
    fmu = RawFmu(*libraries["3.0"], has_events=True, is_early=True)
    fmu.start({"measured_K": 4.0, "offset_K": 1.0}).exit()
    assert fmu.get("when_s") == -1.0  # idle until the discrete states are updated
    assert fmu.settle() == 0.5
    assert fmu.get(OUTPUTS).tolist() == [8.0, 0.0, 3.0]
    assert fmu.call("EnterStepMode") == 0
    assert fmu.step_until(0.0, 0.25) == (0, (False, False, False), 0.25)
    status, flags, reached = fmu.step_until(0.25, 1.75)
    assert (status, flags, reached) == (0, (True, False, True), 0.5)
    assert fmu.get(OUTPUTS).tolist() == [8.0, 0.0, 3.0]
    assert fmu.call("EnterEventMode") == 0
    assert fmu.set("measured_K", 9.0) == 0
    assert fmu.settle() == 1.0
    assert fmu.settle() == 1.0  # nothing more is due
    assert fmu.get(OUTPUTS).tolist() == [26.0, 0.5, 4.0]
    assert fmu.call("EnterStepMode") == 0
    # A sample at the very end is an event, but no early return.
    assert fmu.step_until(0.5, 0.5) == (0, (True, False, False), 1.0)
    # Whom events do not interest gets the sample inside the next step.
    assert fmu.step_until(1.0, 0.4) == (0, (False, False, False), 1.4)
    assert fmu.get("when_s") == 1.0
    fmu.free()


def test_event_mode_without_early_return_samples_inside(libraries) -> None:
    fmu = RawFmu(*libraries["3.0"], has_events=True)
    fmu.start({"measured_K": 4.0, "offset_K": 1.0}).exit()
    assert fmu.settle() == 0.5
    assert fmu.call("EnterStepMode") == 0
    assert fmu.step_until(0.0, 1.2) == (0, (False, False, False), 1.2)
    assert fmu.get("when_s") == 1.0
    assert fmu.step_until(1.2, 0.3) == (0, (True, False, False), 1.5)
    assert fmu.call("EnterContinuousTimeMode") == 3
    assert fmu.call("EnterEventMode") == 0
    assert fmu.settle() == 2.0
    assert fmu.get("when_s") == 1.5
    fmu.free()
    plain = RawFmu(*libraries["3.0"]).start().exit()
    assert plain.call("EnterEventMode") == 3
    assert "eventModeUsed" in plain.log[-1]
    plain.free()


@pytest.mark.parametrize("version", VERSIONS)
def test_model_exchange_samples_at_time_events(libraries, version) -> None:
    fmu = RawFmu(*libraries[version], kind="me")
    fmu.start({"measured_K": 4.0, "offset_K": 1.0}, time=3.0).exit()
    next_s = fmu.settle()
    for k in range(1, 5):
        assert next_s == 3.0 + 0.5 * k
        assert fmu.call("EnterContinuousTimeMode") == 0
        assert fmu.get(OUTPUTS).tolist() == [8.0 * k, next_s - 0.5, 3.0]
        assert fmu.call("SetTime", np.ctypeslib.ctypes.c_double(next_s)) == 0
        assert fmu.get("when_s") == next_s - 0.5
        assert fmu.call("EnterEventMode") == 0
        next_s = fmu.settle()
    fmu.free()


@pytest.mark.parametrize("kind", ["CoSimulation", "ModelExchange"])
@pytest.mark.parametrize("version", VERSIONS)
def test_fmpy_runs_it(paths, version: str, kind: str) -> None:
    validate(paths[version])
    result = fmpy.simulate_fmu(
        str(paths[version]),
        fmi_type=kind,
        stop_time=3.1,
        step_size=0.1,
        output_interval=0.1,
        start_values={"measured_K": 4.0, "offset_K": 1.0},
        output=list(OUTPUTS),
    )
    count = np.floor(result["time"] / 0.5 + 1e-9) + 1
    if (version, kind) == ("2.0", "CoSimulation"):
        # A sample at a communication point waits for the next step.
        count = np.ceil(result["time"] / 0.5 - 1e-9)
    last = result["time"][-1]
    assert last == pytest.approx(3.1)
    assert result["total_K"][-1] == 8.0 * count[-1] == 56.0
    for total, wanted in zip(result["total_K"], 8.0 * count, strict=True):
        assert total in (wanted, wanted - 8.0)  # just before or after the event


def test_a_component_reports_the_instants_and_handles_them(paths) -> None:
    fmu = FmuComponent(paths["3.0"], kind="co-simulation", reports_events=True)
    assert fmu.capabilities.has_events
    assert fmu.initialize(0, U).tolist() == [8.0, 0.0, 3.0]
    report = fmu.step(0, ticks(1.7), U)
    assert (report.status, report.end_tick) == (StepStatus.EVENT, ticks(0.5))
    assert fmu.handle_event(ticks(0.5), np.array([9.0, 1.0])).tolist() == [26.0, 0.5, 4]
    assert fmu.step(ticks(0.5), ticks(0.9), U).status is StepStatus.OK
    fmu.close()
    quiet = FmuComponent(paths["3.0"], kind="co-simulation")
    quiet.initialize(0, U)
    assert quiet.step(0, ticks(1.7), U).outputs.tolist() == [32.0, 1.5, 3.0]
    assert quiet.event_count == 3
    quiet.close()


def test_a_coupled_run_meets_every_instant_exactly(fmu_folder: Path) -> None:
    path = export_fmu(
        damper(0.3, 2.0), fmu_folder / "damper.fmu", fmi_version="3.0", kinds=("cs",)
    )
    controller = FmuComponent(path, reports_events=True)
    plant = LinearComponent(
        "plant",
        (0.0, 1.0, 1.0, 0.0),
        [1.0],
        (Variable(name="rate_m_per_s"),),
        (Variable(name="level_m"),),
    )
    system = System(
        [plant, controller],
        [
            Connection("plant.level_m", "damper.level_m"),
            Connection("damper.rate_m_per_s", "plant.rate_m_per_s"),
        ],
    )
    # Steps of 0.2 s and samples every 0.3 s: x((k + 1) T) = (1 - 2 T) x(k T).
    result = simulate(system, stop_s=6.0, step_s=0.2, master=Iterated())
    level = result["plant.level_m"]
    k = np.floor(result.time_s / 0.3 + 1e-9)
    wanted = 0.4**k * (1.0 - 2.0 * (result.time_s - 0.3 * k))
    np.testing.assert_allclose(level, wanted, atol=1e-12)
    controller.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_flags_and_dependencies_are_those_of_a_sampled_block(version: str) -> None:
    source = render_source(adder(), fmi_version=version, kinds=("cs",))
    root = ET.fromstring(source.model_description)
    flags = root.find("CoSimulation").attrib
    outputs = [v for v in root.find("ModelVariables") if v.get("causality") == "output"]
    assert {v.get("variability") for v in outputs} == {"discrete"}
    structure = root.find("ModelStructure")
    if version == "2.0":
        found = [u.get("dependencies") for u in structure.find("Outputs")]
        assert found == ["", "", ""]
        return
    assert flags["hasEventMode"] == "true"
    assert "canReturnEarlyAfterIntermediateUpdate" not in flags
    assert "providesDirectionalDerivatives" not in flags
    found = [u.get("dependencies") for u in structure.findall("Output")]
    assert found == ["0", "", "0 1"]
    initial = [u.get("dependencies") for u in structure.findall("InitialUnknown")]
    assert initial == ["", "", ""]


def test_the_checker_finds_nothing(fmu_folder: Path) -> None:
    path = export_fmu(damper(0.3, 2.0), fmu_folder / "plain_damper.fmu")
    checked = check_fmu(path)
    assert checked.problems == ()
