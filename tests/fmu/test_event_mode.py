"""Event mode and early return of FMI 3.0 co-simulation, where the model has events."""

from __future__ import annotations

import math
from pathlib import Path

import fmpy
import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Iterated
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.inspection import validate
from packtwin.twin.compiled import compile_step_map
from packtwin.twin.component import ticks
from packtwin.twin.implicit import ImplicitSource, implicit_source
from packtwin.twin.step_map import StepStatus
from tests.fmu.raw_fmu import RawFmu, description_of, made
from tests.twin.implicit_models import make_model

pytestmark = pytest.mark.fmu


def tank() -> ImplicitSource:
    """A level that falls with the outflow, two marks on its way and its mean."""
    return implicit_source(
        make_model(
            "tank",
            x=[1.0],
            u=[0.1],
            rhs=lambda t, x, z, u, p: [-u[0]],
            outputs=lambda t, x, z, u, p: [x[0], x[0], 2.0 * u[0]],
            events=lambda t, x, z, u, p: [x[0] - 0.7, x[0] - 0.25],
            mean=[1],
        )
    )


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return made(tank(), tmp_path_factory.mktemp("tank"), "3.0")


@pytest.fixture(scope="module")
def path(fmu_folder: Path) -> Path:
    return export_fmu(tank(), fmu_folder / "tank.fmu", fmi_version="3.0")


def test_steps_end_at_the_events_of_the_step_map_bit_by_bit(library) -> None:
    ours = compile_step_map(tank())
    u, p = np.array([0.1]), np.zeros(0)
    memory, _ = ours.start(u, p)
    fmu = RawFmu(*library, has_events=True, is_early=True).start({"u[0]": u}).exit()
    assert fmu.settle() == math.inf
    assert fmu.call("EnterStepMode") == 0
    t, times = 0.0, []
    while t < 10.0:
        outcome = ours.step_until_event(memory, t, 10.0 - t, u, p)
        memory = outcome.memory
        status, (needs, ends, early), t = fmu.step_until(t, 10.0 - t)
        assert (status, ends, t) == (0, False, outcome.end_time_s)
        assert needs == early == (outcome.status is StepStatus.EVENT)
        np.testing.assert_array_equal(fmu.get("y"), outcome.outputs)
        if needs:
            times.append(t)
            assert fmu.call("EnterEventMode") == 0
            assert fmu.settle() == math.inf
            assert fmu.call("EnterStepMode") == 0
    np.testing.assert_allclose(times, [3.0, 7.5], atol=1e-9)
    fmu.free()


def test_without_early_return_steps_go_on_through_events(library) -> None:
    fmu = RawFmu(*library, has_events=True).start({"u[0]": [0.1]}).exit()
    assert fmu.call("EnterStepMode") == 0
    assert fmu.step_until(0.0, 4.0) == (0, (False, False, False), 4.0)
    assert fmu.get("y")[0] == pytest.approx(0.6, abs=1e-12)
    fmu.free()


def test_in_event_mode_outputs_follow_inputs_at_once(library) -> None:
    fmu = RawFmu(*library, has_events=True, is_early=True).start({"u[0]": [0.1]}).exit()
    assert fmu.call("EnterStepMode") == 0
    assert fmu.step_until(0.0, 1.0)[0] == 0
    assert fmu.set("u[0]", [0.3]) == 0
    assert fmu.get("y")[2] == 0.2  # in step mode a step comes first
    assert fmu.call("EnterEventMode") == 0
    np.testing.assert_allclose(fmu.get("y"), [0.9, 0.95, 0.6], atol=1e-12)
    assert fmu.set("u[0]", [0.4]) == 0
    assert fmu.get("y")[2] == 0.8
    fmu.free()


def test_an_input_that_jumps_into_a_limit_is_met_in_event_mode(tmp_path: Path) -> None:
    limited = implicit_source(
        make_model(
            "limited",
            x=[1.0],
            u=[0.0],
            rhs=lambda t, x, z, u, p: [0.0 * x[0]],
            outputs=lambda t, x, z, u, p: [x[0] - u[0], x[0]],
            events=lambda t, x, z, u, p: [x[0] - u[0]],
        )
    )
    fmu = RawFmu(*made(limited, tmp_path, "3.0"), has_events=True, is_early=True)
    fmu.start({"u[0]": [0.0]}).exit()
    assert fmu.set("u[0]", [2.0]) == 0
    assert fmu.settle() == math.inf
    assert fmu.get("y")[0] == -1.0
    assert fmu.call("EnterStepMode") == 0
    assert fmu.step_until(0.0, 1.0) == (0, (False, False, False), 1.0)
    fmu.free()


def test_cubic_inputs_are_followed_to_the_event(tmp_path: Path) -> None:
    """With an outflow of 3 t^2 the level is 1 - t^3."""

    def cubic(environment, time, asks, *_: object) -> None:
        if asks:
            assert fmu.set("u[0]", [3.0 * time**2]) == 0

    library = made(tank(), tmp_path, "3.0")
    fmu = RawFmu(*library, update=cubic, has_events=True, is_early=True)
    fmu.start({"u[0]": [0.0]}).exit()
    assert fmu.call("EnterStepMode") == 0
    status, flags, t = fmu.step_until(0.0, 0.8)
    assert (status, flags) == (0, (True, False, True))
    # A quadratic is met by lines on four substeps: second order.
    assert t == pytest.approx(0.3 ** (1 / 3), abs=2e-3)
    assert fmu.get("y")[0] == pytest.approx(0.7, abs=1e-9)
    fmu.free()


def test_a_component_reports_its_events_and_fmpy_runs_it(path: Path) -> None:
    validate(path)
    flags = description_of(path).find("CoSimulation").attrib
    assert flags["hasEventMode"] == "true"
    fmu, u = FmuComponent(path, reports_events=True), np.array([0.1])
    fmu.initialize(0, u)
    report = fmu.step(0, ticks(20.0), u)
    assert (report.status, report.end_tick) == (StepStatus.EVENT, ticks(3.0))
    fmu.close()
    result = fmpy.simulate_fmu(
        str(path), stop_time=9.0, step_size=1.0, output_interval=1.0, output=["y"]
    )
    level = result["y"][:, 0]
    np.testing.assert_allclose(level, 1.0 - 0.1 * result["time"], atol=1e-9)


def test_a_coupled_run_meets_the_events_exactly(path: Path) -> None:
    """The outflow is t / 10, so that the level is 1 - t^2 / 20."""
    tank = FmuComponent(path, reports_events=True, name="tank")
    handled: list[int] = []
    handle = tank.handle_event

    def note(tick: int, u: np.ndarray) -> np.ndarray:
        handled.append(tick)
        return handle(tick, u)

    tank.handle_event = note  # type: ignore[method-assign]
    outflow = SignalSource("valve", [0.0, 10.0], {"flow": [0.0, 1.0]})
    system = System([tank, outflow], [Connection("valve.flow", "tank.u[0]")])
    result = simulate(system, stop_s=4.4, step_s=0.4, master=Iterated())
    level = 1.0 - result.time_s**2 / 20.0
    np.testing.assert_allclose(result["tank.y[1]"], level, atol=1e-9)
    wanted = [ticks(math.sqrt(6.0)), ticks(math.sqrt(15.0))]
    np.testing.assert_allclose(sorted(set(handled)), wanted, rtol=0, atol=2)
    tank.close()
