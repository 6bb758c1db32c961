"""Bugs found in other tools that import FMUs, and that packtwin must not have.

Each docstring names the tool and, where there is one, the issue; the others were found
by running the tool or reading its source. Those that need no FMU are in
`tests/cosim/test_bugs_of_others.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from packtwin.cosim.connection import Connection
from packtwin.cosim.masters import Adaptive, GaussSeidel, Iterated, Jacobi
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.cosim.sources import SignalSource
from packtwin.cosim.system import System
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.export import export_fmu
from packtwin.fmu.file import FmuFile
from packtwin.twin.component import ticks
from packtwin.twin.errors import FmuCallError, StepError
from packtwin.twin.step_map import StepStatus

pytestmark = pytest.mark.fmu

FAULTS = {
    "good": 0.0,
    "never steps": 1.0,
    "fails to enter": 2.0,
    "fails to exit": 3.0,
    "talks": 4.0,
    "only warns": 5.0,
}
FREE = {"air_T_K": 300.0, "level": 0.0, "gear": 1.0}


def stubborn(path: Path, fault: str = "good", name: str = "a", **names: str):
    return FmuComponent(
        path, name=name, parameters={"fault": FAULTS[fault]}, names=names
    )


def alone(component: FmuComponent, **options) -> Result:
    constants = {f"{component.name}.{k}": v for k, v in FREE.items()}
    settings = {"stop_s": 1.0, "step_s": 0.1, "master": Jacobi()} | options
    return simulate(System([component], constants=constants), **settings)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_an_fmu_that_discards_every_step_is_asked_once(
    stubborn_fmu: Path, is_compiled: bool
) -> None:
    """FMPy: `fmi2Discard` without a wish to end loops for ever at one time (run)."""
    master = Jacobi(is_compiled=is_compiled)
    with pytest.raises(StepError, match="stuck, call 1") as caught:
        alone(stubborn(stubborn_fmu, "never steps"), master=master)
    assert caught.value.time_s == 0.0
    assert len(caught.value.result.time_s) == 1


@pytest.mark.parametrize("fault", ["never steps", "fails to enter", "fails to exit"])
def test_no_folder_is_left_when_a_run_fails(
    stubborn_fmu: Path, temporary_folders: Path, fault: str
) -> None:
    """FMPy: the temporary folder and the instance leak on any exception (run)."""
    with pytest.raises(StepError):
        alone(stubborn(stubborn_fmu, fault))
    assert list(temporary_folders.iterdir()) == []


def test_a_file_extracted_to_a_relative_folder_runs(
    rc_fmu: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FMPy: the relative path of an extracted FMI 2 FMU raises ValueError (run)."""
    monkeypatch.chdir(tmp_path)
    file = FmuFile(rc_fmu, extract_dir=Path("extracted"))
    component = FmuComponent(file, name="rc")
    system = System([component], constants={"rc.source_voltage_V": 1.0})
    result = simulate(system, stop_s=1.0, step_s=0.1)
    assert result["rc.capacitor_voltage_V"][-1] == pytest.approx(
        1.0 - np.exp(-1.0 / 6.0), rel=1e-6
    )
    file.close()


def test_the_folder_of_the_caller_and_what_is_in_it_stay(
    rc_fmu: Path, tmp_path: Path
) -> None:
    """FMPy: `create_container_fmu` deletes the folder it is given (source)."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("keep me")
    file = FmuFile(rc_fmu, extract_dir=folder)
    component = FmuComponent(file)
    component.initialize(0, np.array([1.0]))
    component.close()
    file.close()
    assert (folder / "notes.txt").read_text() == "keep me"
    assert list(folder.rglob("*.so"))


def test_a_step_that_an_fmi3_fmu_discards_does_not_advance_time(
    root_step_map, tmp_path: Path
) -> None:
    """OMSimulator: `fmi3Discard` advances the time and ends the run (source)."""
    path = export_fmu(root_step_map, tmp_path / "root.fmu", fmi_version="3.0")
    root = FmuComponent(path, name="root")
    u = np.array([1.0])
    root.initialize(0, u)
    report = root.step(0, ticks(2.0), u)  # the level would be -1
    assert report.status is StepStatus.REFUSED
    assert report.end_tick == 0
    report = root.step(0, ticks(0.75), u)
    assert report.status is StepStatus.OK
    assert report.outputs[0] == pytest.approx(0.5, rel=1e-12)
    root.close()
    system = System([root], constants={"root.outflow": 1.0})
    with pytest.raises(StepError) as caught:
        simulate(system, stop_s=3.0, step_s=0.4)
    assert caught.value.result.time_s[-1] == 0.8  # the last good time, not the next


@pytest.mark.parametrize("name", ["room_degC", "room_T_K"])
def test_a_temperature_in_degc_arrives_in_kelvin(stubborn_fmu: Path, name: str) -> None:
    """OMSimulator drops the offset of units: 25 degC arrives as 25 K (source).

    OMSimulator#942. The importer converts (`room_T_K`), or the connection does.
    """
    names = {"room.T": name}
    first = FmuComponent(stubborn_fmu, name="a", names=names)
    second = FmuComponent(stubborn_fmu, name="b")
    wire = Connection(f"a.{name}", "b.air_T_K")
    constants = {f"a.{k}": v for k, v in FREE.items()}
    constants |= {"b.level": 0.0, "b.gear": 1.0}
    system = System([first, second], [wire], constants=constants)
    result = simulate(system, stop_s=1.0, step_s=0.5)
    np.testing.assert_array_equal(result["b.heard_T_K"], [298.15] * 3)


@pytest.mark.parametrize("master", [GaussSeidel(), Jacobi(), Iterated()])
def test_enumerations_are_carried_between_fmus(stubborn_fmu: Path, master) -> None:
    """libcosim panics on connected enumerations (source), CoFMuPy sends reals."""
    source = SignalSource(
        "driver", [0.0, 0.5, 1.0], {"gear": [1.0, 9.0, 2.0]}, stepwise=["gear"]
    )
    parts = [stubborn(stubborn_fmu, name=name) for name in ("a", "b")]
    wires = [Connection("driver.gear", "a.gear"), Connection("a.gear_out", "b.gear")]
    constants = {f"{n}.{k}": FREE[k] for n in "ab" for k in ("air_T_K", "level")}
    system = System([source, *parts], wires, constants=constants)
    result = simulate(system, stop_s=0.9, step_s=0.1, master=master)
    assert result["b.gear_out"][-1] == 9.0
    assert set(result["b.gear_out"]) == {1.0, 9.0}


def test_a_coupled_staircase_reports_its_nine_events(nine_stairs_fmu: Path) -> None:
    """OMSimulator#1609: events of FMI 3 in co-simulation are lost, 0 of 9 are found.

    CoFMuPy cannot load such FMUs. A second one listens, at steps that meet no event.
    """
    file = FmuFile(nine_stairs_fmu)
    first, second = (FmuComponent(file, name=name) for name in ("a", "b"))
    constants = {f"{n}.cell_T_K[{k}]": 300.0 for n in "ab" for k in (1, 2)}
    constants |= {"a.gain": 1.0, "a.valve": 0.0, "b.valve": 0.0}
    wire = Connection("a.twice", "b.gain")
    system = System([first, second], [wire], constants=constants)
    result = simulate(system, stop_s=9.1, step_s=0.35, master=Jacobi())
    assert first.event_count == second.event_count == 9
    np.testing.assert_array_equal(
        result["a.counter"], 1.0 + np.floor(result.time_s + 1e-9)
    )
    file.close()


@pytest.mark.parametrize("master", [GaussSeidel(), Jacobi(is_compiled=True)])
def test_an_fmu_is_told_the_start_time_of_the_run(stubborn_fmu: Path, master) -> None:
    """CoFMuPy: the start time is always 0 (run)."""
    component = stubborn(stubborn_fmu)
    result = alone(component, start_s=3600.0, stop_s=3601.0, master=master)
    np.testing.assert_array_equal(result["a.began"], [3600.0] * 11)
    assert (result.time_s[0], result.time_s[-1]) == (3600.0, 3601.0)


def test_values_set_during_a_run_reach_the_fmu_in_their_step(
    stubborn_fmu: Path,
) -> None:
    """CoFMuPy: variables can be set before the initialization only (run)."""
    source = SignalSource("table", [0.0, 1.0], {"level": [0.0, 1.0]})
    system = System(
        [source, stubborn(stubborn_fmu)],
        [Connection("table.level", "a.level")],
        constants={"a.air_T_K": 300.0, "a.gear": 1.0},
    )
    result = simulate(system, stop_s=1.0, step_s=0.25)
    np.testing.assert_array_equal(result["a.level_out"], result.time_s)


@pytest.mark.parametrize(
    ("fault", "function", "reason"),
    [
        ("fails to enter", "fmi2EnterInitializationMode", "no key, call 0"),
        ("fails to exit", "fmi2ExitInitializationMode", "no fuel, call 0"),
    ],
)
def test_a_failed_initialization_is_found_where_it_fails(
    stubborn_fmu: Path, fault: str, function: str, reason: str
) -> None:
    """OMSimulator checks another variable than the status of this call (source)."""
    component = stubborn(stubborn_fmu, fault)
    with pytest.raises(FmuCallError, match=f"`{function}`.*fmi2Error: {reason}"):
        component.initialize(0, np.array([300.0, 0.0, 1.0]))
    component.close()


def test_a_warning_is_no_failure(stubborn_fmu: Path) -> None:
    """Tools that compare a status with OK end a run at a mere warning."""
    result = alone(stubborn(stubborn_fmu, "only warns"))
    assert result.status.kind == "completed"


def test_a_flood_of_log_messages_is_bounded_and_passes(stubborn_fmu: Path) -> None:
    """FMPy#880: very slow and ever larger with an FMU that logs."""
    component = stubborn(stubborn_fmu, "talks")
    component.initialize(0, np.array([300.0, 0.0, 1.0]))
    component.step(0, ticks(0.1), np.array([300.0, 0.0, 1.0]))
    assert len(component._instance.log._entries) <= 50
    component.close()


def test_missing_functions_that_nobody_calls_do_no_harm(stairs_fmu: Path) -> None:
    """FMPy#700, #552: FMUs for co-simulation alone, without the symbols of others."""
    component = FmuComponent(stairs_fmu)
    assert component._instance.function("fmi3InstantiateModelExchange") is None
    component.close()


def test_string_parameters_are_left_out_and_the_fmu_runs(stubborn_fmu: Path) -> None:
    """CoFMuPy: an FMU with strings raises ValueError (run)."""
    component = stubborn(stubborn_fmu)
    assert component.interface.parameter_names == ("fault",)
    assert alone(component).status.kind == "completed"


def test_a_master_that_rewinds_says_so_of_an_fmu_that_cannot(
    stubborn_fmu: Path,
) -> None:
    """unifmu#83: how is a rejected step rolled back?

    None is rejected: an FMU without saved states is named, and so is what is done.
    """
    result = alone(stubborn(stubborn_fmu), master=Adaptive())
    assert result.provenance["steps"].endswith("none repeated: no way back for a")
    assert result.stats.counts["steps found too long"] == 0
