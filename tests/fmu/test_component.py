"""`FmuComponent`: our FMUs and a vendor's, good and broken."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.component import FmuComponent
from packtwin.fmu.file import FmuFile
from packtwin.twin.component import Component, ticks
from packtwin.twin.errors import FmuCallError, FmuError

H = ticks(0.1)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def run(component: Component, n: int = 50) -> np.ndarray:
    rng = np.random.default_rng(3)
    rows = []
    component.initialize(0, np.array([1.0]))
    for k in range(n):
        report = component.step(k * H, (k + 1) * H, rng.normal(size=1))
        rows.append(report.outputs)
    return np.array(rows)


@pytest.mark.fmu
def test_interface_comes_back_as_it_went_out(rc_fmu: Path, rc_step_map) -> None:
    fmu = FmuComponent(rc_fmu, parameters={"resistance_Ohm": 4.0})
    wanted = rc_step_map.interface.with_starts({"resistance_Ohm": 4.0})
    assert fmu.interface.inputs == wanted.inputs
    assert fmu.interface.parameters == wanted.parameters
    assert [(v.name, v.unit, v.sampling) for v in fmu.interface.outputs] == [
        (v.name, v.unit, v.sampling) for v in wanted.outputs
    ]
    assert fmu.feedthrough == {("source_voltage_V", "current_A")}
    assert fmu.capabilities.can_rewind
    assert fmu.capabilities.has_variable_step
    assert fmu.initialize(0, np.array([1.0]))[1] == 0.25
    fmu.close()


@pytest.mark.fmu
def test_initialize_again_starts_over(rc_fmu: Path) -> None:
    fmu = FmuComponent(rc_fmu, parameters={"resistance_Ohm": 4.0})
    first, second = run(fmu), run(fmu)
    np.testing.assert_array_equal(first, second)
    fmu.close()


@pytest.mark.fmu
def test_saved_state_can_be_restored_twice(network_fmu: Path) -> None:
    fmu = FmuComponent(network_fmu)
    run(fmu)
    tick, u = 50 * H, np.array([0.3])
    state = fmu.save()
    wanted = fmu.step(tick, tick + H, u).outputs
    for _ in range(2):
        fmu.restore(state)
        np.testing.assert_array_equal(fmu.step(tick, tick + H, u).outputs, wanted)
    fmu.close()
    del state


@pytest.mark.fmu
def test_state_of_another_component_or_from_before_a_close_is_refused(
    network_fmu: Path,
) -> None:
    fmu, other = FmuComponent(network_fmu), FmuComponent(network_fmu, name="other")
    run(fmu)
    run(other)
    state = fmu.save()
    with pytest.raises(FmuError, match=r"`other` .* cannot restore a state"):
        other.restore(state)
    fmu.restore(state)
    fmu.close()
    fmu.initialize(0, np.array([1.0]))
    with pytest.raises(FmuError, match="before a `close`"):
        fmu.restore(state)
    fmu.close()
    other.close()


@pytest.mark.fmu
def test_interleaved_instances_do_not_disturb_each_other(network_fmu: Path) -> None:
    alone = FmuComponent(network_fmu)
    wanted = run(alone)
    one, two = FmuComponent(network_fmu), FmuComponent(network_fmu, name="other")
    rng = np.random.default_rng(3)
    one.initialize(0, np.array([1.0]))
    two.initialize(0, np.array([-9.0]))
    for k in range(50):
        got = one.step(k * H, (k + 1) * H, rng.normal(size=1))
        two.step(k * H, (k + 1) * H, np.array([-9.0]))
        np.testing.assert_array_equal(got.outputs, wanted[k])
    for component in (alone, one, two):
        component.close()


@pytest.mark.fmu
def test_instances_in_threads_give_the_serial_result(
    network_fmu: Path, tmp_path: Path
) -> None:
    # one extracted library, loaded once and shared by all instances
    file = FmuFile(network_fmu, extract_dir=tmp_path)
    fmus = [FmuComponent(file) for _ in range(8)]
    wanted = run(fmus[0])
    results: dict[int, np.ndarray] = {}

    def work(i: int) -> None:
        results[i] = run(fmus[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fmu in fmus:
        fmu.close()
    assert len(results) == 8
    for result in results.values():
        np.testing.assert_array_equal(result, wanted)


@pytest.mark.fmu
def test_cache_folder_is_filled_once_and_kept(rc_fmu: Path, tmp_path: Path) -> None:
    for _ in range(2):
        FmuComponent(FmuFile(rc_fmu, extract_dir=tmp_path)).close()
    (folder,) = tmp_path.iterdir()
    assert (folder / "modelDescription.xml").is_file()


@pytest.mark.fmu
def test_close_is_idempotent_and_removes_the_folder(
    rc_fmu: Path, temporary_folders: Path
) -> None:
    fmu = FmuComponent(rc_fmu)
    assert len(list(temporary_folders.iterdir())) == 1
    fmu.initialize(0, np.array([1.0]))
    fmu.close()
    fmu.close()
    assert list(temporary_folders.iterdir()) == []
    with pytest.raises(FmuError, match="is closed"):
        fmu.step(0, H, np.array([1.0]))
    fmu.initialize(0, np.array([1.0]))
    assert len(list(temporary_folders.iterdir())) == 1
    fmu.close()
    assert list(temporary_folders.iterdir()) == []


@pytest.mark.fmu
def test_losing_the_last_reference_frees_everything(
    rc_fmu: Path, temporary_folders: Path
) -> None:
    fmu = FmuComponent(rc_fmu)
    fmu.initialize(0, np.array([1.0]))
    state = fmu.save()
    del fmu
    assert list(temporary_folders.iterdir()) == []
    del state


@pytest.mark.fmu
def test_wrong_token_is_explained_and_leaves_no_folder(
    rc_fmu: Path, tmp_path: Path, temporary_folders: Path
) -> None:
    content = members(rc_fmu)
    text = content["modelDescription.xml"].decode()
    start = text.index('guid="') + 6
    content["modelDescription.xml"] = (text[:start] + "{0" + text[start + 2 :]).encode()
    path = tmp_path / "edited.fmu"
    write_archive(path, content)
    with pytest.raises(FmuError, match=r"edited.fmu.*same export"):
        FmuComponent(path)
    assert list(temporary_folders.iterdir()) == []


@pytest.mark.fmu
def test_step_before_initialize_is_refused(rc_fmu: Path) -> None:
    fmu = FmuComponent(rc_fmu)
    with pytest.raises(FmuError, match="not initialized"):
        fmu.step(0, H, np.array([1.0]))
    fmu.close()


@pytest.mark.fmu
def test_call_error_carries_status_and_log(rc_fmu: Path) -> None:
    fmu = FmuComponent(rc_fmu, name="circuit")
    fmu.initialize(0, np.array([1.0]))
    with pytest.raises(FmuCallError, match=r"`circuit`.*fmi2Error.*source_voltage_V"):
        fmu.step(0, H, np.array([np.nan]))
    fmu.close()


@pytest.mark.fmu
def test_unknown_parameter_lists_nearest(rc_fmu: Path) -> None:
    with pytest.raises(FmuError, match="nearest: `resistance_Ohm`"):
        FmuComponent(rc_fmu, parameters={"resistanc_Ohm": 1.0})


@pytest.mark.fmu
def test_foreign_platform_is_named(rc_fmu: Path, tmp_path: Path) -> None:
    content = members(rc_fmu)
    content["binaries/win64/RcCircuit.dll"] = content.pop(
        "binaries/linux64/RcCircuit.so"
    )
    path = tmp_path / "windows.fmu"
    write_archive(path, content)
    with pytest.raises(FmuError, match=r"windows.fmu.*linux64.*it has `win64`"):
        FmuComponent(path)


@pytest.mark.fmu
def test_library_that_is_none_is_named(
    rc_fmu: Path, tmp_path: Path, temporary_folders: Path
) -> None:
    content = members(rc_fmu)
    content["binaries/linux64/RcCircuit.so"] = b"not a library"
    path = tmp_path / "broken.fmu"
    write_archive(path, content)
    with pytest.raises(FmuError, match="cannot be loaded"):
        FmuComponent(path)
    assert list(temporary_folders.iterdir()) == []


def test_missing_file_and_corrupt_zip_are_named(tmp_path: Path) -> None:
    with pytest.raises(FmuError, match=r"no FMU file `.*absent.fmu`"):
        FmuComponent(tmp_path / "absent.fmu")
    path = tmp_path / "corrupt.fmu"
    path.write_bytes(b"PK\x03\x04 and then nothing")
    with pytest.raises(FmuError, match=r"corrupt.fmu` is not a readable zip"):
        FmuComponent(path)


def test_missing_description_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.fmu"
    write_archive(path, {"readme.txt": b""})
    with pytest.raises(FmuError, match=r"contains no `modelDescription.xml`"):
        FmuComponent(path)


def test_broken_and_unsupported_descriptions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.fmu"
    write_archive(path, {"modelDescription.xml": b"<fmi"})
    with pytest.raises(FmuError, match="no well-formed XML"):
        FmuComponent(path)
    text = (
        b'<fmiModelDescription fmiVersion="2.0" modelName="m" guid="g">'
        b"<ModelVariables/><ModelStructure/>"
        b"</fmiModelDescription>"
    )
    write_archive(path, {"modelDescription.xml": text})
    with pytest.raises(FmuError, match=r"neither .* expected one of the two"):
        FmuComponent(path)


@pytest.mark.parametrize("name", ["../evil.so", "/etc/evil", "a\\b"])
def test_member_outside_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "slip.fmu"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("modelDescription.xml", "<x/>")
        archive.writestr(name, "evil")
    with pytest.raises(FmuError, match="no relative path inside the FMU"):
        FmuComponent(path)


def test_link_in_the_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "link.fmu"
    entry = zipfile.ZipInfo("resources")
    entry.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, "/etc")
    with pytest.raises(FmuError, match="contains the link `resources`"):
        FmuComponent(path)


@pytest.mark.fmu
def test_vendor_units_and_types_are_converted(vendor_fmu: Path) -> None:
    fmu = FmuComponent(vendor_fmu, parameters={"gain": 5.0})
    assert fmu.interface.input_names == ("air_T_K", "mode", "fail")
    assert fmu.interface.output_names == ("heater_T_K", "signal_V", "next")
    assert fmu.interface.inputs[0].start == 298.15
    y = fmu.initialize(0, np.array([300.0, 2.4, 0.0]))
    # 300 K went in as 26.85 degC; gain 5 came out as 5000 mV; 2.4 was rounded
    np.testing.assert_allclose(y, [300.0, 5.0, 3.0], rtol=1e-15)
    assert not fmu.capabilities.can_rewind
    assert not fmu.capabilities.has_variable_step
    with pytest.raises(FmuError, match="canGetAndSetFMUstate"):
        fmu.save()
    fmu.close()


@pytest.mark.fmu
def test_missing_dependencies_mean_all_inputs(vendor_fmu: Path) -> None:
    fmu = FmuComponent(vendor_fmu, names={"air.T": "air_temperature_K"})
    assert fmu.feedthrough == {
        ("air_temperature_K", "heater_T_K"),
        ("mode", "heater_T_K"),
        ("fail", "heater_T_K"),
        ("mode", "next"),
    }
    fmu.close()


@pytest.mark.fmu
def test_discard_reports_reason_and_time_reached(vendor_fmu: Path) -> None:
    fmu = FmuComponent(vendor_fmu)
    fmu.initialize(0, np.array([300.0, 1.0, 0.0]))
    report = fmu.step(0, H, np.array([300.0, 1.0, 1.0]))
    assert report.status == 1
    assert report.message == "the valve closed"
    assert report.end_tick == H // 2
    fmu.close()
