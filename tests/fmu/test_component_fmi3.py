"""A vendor's FMI 3.0 FMU as a component: types, arrays, event mode, early returns."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.file import FmuFile
from packtwin.scenarios.bench_check_mutants import read_members
from packtwin.twin.component import ticks
from packtwin.twin.component_roles import EventComponent
from packtwin.twin.errors import FmuError
from packtwin.twin.step_map import StepStatus

pytestmark = pytest.mark.fmu

U = np.array([300.0, 310.0, 1.5, 0.0])
H = ticks(0.7)


@pytest.fixture
def stairs(stairs_fmu: Path) -> Iterator[FmuComponent]:
    component = FmuComponent(stairs_fmu)
    yield component
    component.close()


def test_arrays_are_taken_apart_and_converted(stairs: FmuComponent) -> None:
    assert stairs.interface.input_names == (
        "cell_T_K[1]",
        "cell_T_K[2]",
        "gain",
        "valve",
    )
    assert [v.start for v in stairs.interface.inputs] == [293.15, 298.15, 1.0, 0.0]
    assert stairs.interface.output_names == (
        "cell_T_out_K[1]",
        "cell_T_out_K[2]",
        "twice",
        "valve_out",
        "counter",
    )
    y = stairs.initialize(0, U)
    np.testing.assert_allclose(y, [300.0, 310.0, 3.0, 0.0, 1.0], rtol=1e-15)


def test_dependencies_hold_for_every_element(stairs: FmuComponent) -> None:
    pairs = stairs.feedthrough
    assert {a for a, b in pairs if b == "cell_T_out_K[2]"} == {
        "cell_T_K[1]",
        "cell_T_K[2]",
    }
    assert {a for a, b in pairs if b == "valve_out"} == {"valve"}
    assert not {a for a, b in pairs if b == "counter"}


def test_events_inside_a_step_are_handled_and_the_step_goes_on(
    stairs: FmuComponent,
) -> None:
    stairs.initialize(0, U)
    counters = []
    for k in range(7):  # to 4.9 s, through the events at 1, 2, 3 and 4 s
        report = stairs.step(k * H, (k + 1) * H, U)
        assert report.status is StepStatus.OK
        assert report.end_tick == (k + 1) * H
        counters.append(report.outputs[4])
    assert counters == [1.0, 2.0, 3.0, 3.0, 4.0, 5.0, 5.0]
    assert stairs.event_count == 4


def test_discrete_inputs_change_at_an_event_of_their_own(stairs: FmuComponent) -> None:
    stairs.initialize(0, U)
    opened = U + np.array([0.0, 0.0, 0.0, 1.0])
    assert stairs.step(0, H, opened).outputs[3] == 1.0
    assert stairs.step(H, ticks(0.8), U).outputs[3] == 0.0


def test_end_that_the_fmu_asks_for_is_reached_and_then_said(
    stairs: FmuComponent,
) -> None:
    stairs.initialize(0, U)
    second = ticks(1.0)
    for k in range(5):
        assert stairs.step(k * second, (k + 1) * second, U).status is StepStatus.OK
    report = stairs.step(5 * second, 6 * second, U)
    assert report.status is StepStatus.ENDED
    assert report.end_tick == 5 * second
    assert stairs.initialize(0, U)[4] == 1.0
    assert stairs.step(0, second, U).status is StepStatus.OK


def test_reported_event_ends_the_step_where_it_is(stairs_fmu: Path) -> None:
    component = FmuComponent(stairs_fmu, reports_events=True)
    assert component.capabilities.has_events
    assert isinstance(component, EventComponent)
    component.initialize(0, U)
    report = component.step(0, ticks(1.5), U)
    assert report.status is StepStatus.EVENT
    assert report.end_tick == ticks(1.0)
    assert report.outputs[4] == 1.0  # just before the event
    assert component.handle_event(ticks(1.0), U)[4] == 2.0
    report = component.step(ticks(1.0), ticks(1.5), U)
    assert report.status is StepStatus.OK
    assert component.event_count == 1
    component.close()


@pytest.fixture
def rewinding(stairs_fmu: Path, tmp_path: Path) -> Iterator[FmuComponent]:
    """The same with a description that admits to copies of the state."""
    members = read_members(stairs_fmu)
    text, flag = members["modelDescription.xml"], b'hasEventMode="true"'
    assert text.count(flag) == 1
    members["modelDescription.xml"] = text.replace(
        flag, flag + b' canGetAndSetFMUState="true"'
    )
    path = tmp_path / "rewinding.fmu"
    write_archive(path, members)
    component = FmuComponent(path)
    yield component
    component.close()


def test_rewinding_brings_discrete_inputs_back(rewinding: FmuComponent) -> None:
    opened = U + np.array([0.0, 0.0, 0.0, 1.0])
    rewinding.initialize(0, U)
    before = rewinding.save()
    assert rewinding.step(0, H, opened).outputs[3] == 1.0
    rewinding.restore(before)
    assert rewinding.step(0, H, opened).outputs[3] == 1.0
    rewinding.restore(before)
    assert rewinding.step(0, H, U).outputs[3] == 0.0


def test_rewinding_takes_back_events_and_an_asked_for_end(
    rewinding: FmuComponent,
) -> None:
    second = ticks(1.0)
    rewinding.initialize(0, U)
    for k in range(4):
        rewinding.step(k * second, (k + 1) * second, U)
    before = rewinding.save()
    assert rewinding.event_count == 4
    for _ in range(2):
        report = rewinding.step(4 * second, 5 * second, U)
        assert report.status is StepStatus.OK
        assert rewinding.event_count == 5
        report = rewinding.step(5 * second, 6 * second, U)
        assert report.status is StepStatus.ENDED
        rewinding.restore(before)
    assert rewinding.event_count == 4


def test_more_rows_than_the_fmu_takes_are_refused(stairs: FmuComponent) -> None:
    stairs.initialize(0, U)
    with pytest.raises(FmuError, match="up to order 0, got 1; give fewer rows"):
        stairs.step(0, H, np.stack([U, np.ones(4)]))


def test_wrong_kind_and_missing_state_copies_are_explained(stairs_fmu: Path) -> None:
    with pytest.raises(FmuError, match=r"for co-simulation; expected model-exchange"):
        FmuComponent(stairs_fmu, kind="model-exchange")
    component = FmuComponent(stairs_fmu)
    component.initialize(0, U)
    with pytest.raises(FmuError, match="canGetAndSetFMUState"):
        component.save()
    component.close()


def test_kept_file_is_extracted_once_and_serves_many(
    stairs_fmu: Path, temporary_folders: Path
) -> None:
    file = FmuFile(stairs_fmu)
    first, second = FmuComponent(file, name="a"), FmuComponent(file, name="b")
    assert len(list(temporary_folders.iterdir())) == 1
    first.initialize(0, U)
    second.initialize(0, 2.0 * U)
    assert first.step(0, H, U).outputs[0] == pytest.approx(300.0, rel=1e-15)
    assert second.step(0, H, 2.0 * U).outputs[0] == pytest.approx(600.0, rel=1e-15)
    first.close()
    second.close()
    assert len(list(temporary_folders.iterdir())) == 1
    file.close()
    file.close()
    assert list(temporary_folders.iterdir()) == []


def test_clocks_and_what_they_touch_are_left_out_and_said(
    stairs_fmu: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with zipfile.ZipFile(stairs_fmu) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["modelDescription.xml"] = members["modelDescription.xml"].replace(
        b'<Int32 name="counter" valueReference="9"',
        b'<Clock name="beat" valueReference="8" causality="input" '
        b'intervalVariability="constant" intervalDecimal="1"/>'
        b'<Int32 name="counter" valueReference="9" clocks="8"',
    )
    path = tmp_path / "clocked.fmu"
    write_archive(path, members)
    component = FmuComponent(path, name="clocked")
    assert component.left_out == ("beat", "counter")
    assert "counter" not in component.interface.output_names
    assert "`clocked` (" in caplog.text
    assert "runs without `beat`, `counter`." in caplog.text
    component.initialize(0, U)
    assert component.step(0, H, U).status is StepStatus.OK
    component.close()
    assert FmuComponent(stairs_fmu).left_out == ()
