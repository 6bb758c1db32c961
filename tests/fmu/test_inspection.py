"""`describe_fmu` tells all; `validate` finds planted faults."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from packtwin.fmu.archive import write_archive
from packtwin.fmu.inspection import describe_fmu, validate
from packtwin.twin.errors import FmuError

LIBRARY = "binaries/linux64/RcCircuit.so"


def edited(source: Path, target: Path, **changes: bytes | None) -> Path:
    with zipfile.ZipFile(source) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    for key, value in changes.items():
        name = {"library": LIBRARY, "xml": "modelDescription.xml"}[key]
        if value is None:
            del content[name]
        else:
            content[name] = value
    write_archive(target, content)
    return target


@pytest.mark.fmu
def test_description_is_complete_and_serializable(rc_fmu: Path) -> None:
    found = describe_fmu(rc_fmu)
    json.dumps(found)
    assert found["name"] == "RcCircuit"
    assert found["fmi_version"] == "2.0"
    assert found["kinds"] == ["co-simulation"]
    assert found["platforms"] == ["linux64"]
    assert found["has_sources"]
    assert found["capabilities"]["canSerializeFMUstate"]
    assert found["certificate"] == {"voltage_error_V": 1e-3}
    assert found["documentation"] == [
        *("certificate.json", "index.html", "licenses/license.txt"),
    ]
    by_name = {v["name"]: v for v in found["variables"]}
    assert by_name["resistance_Ohm"]["unit"] == "Ohm"
    assert by_name["resistance_Ohm"]["start"] == 2.0
    assert by_name["capacitor_voltage_V"]["description"] == 'At "C" & <ground>.'
    assert by_name["current_A"]["description"] == "(mean over the step)"


@pytest.mark.fmu
def test_damaged_certificate_is_named(rc_fmu: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["documentation/certificate.json"] = b"{"
    write_archive(tmp_path / "x.fmu", content)
    with pytest.raises(FmuError, match=r"certificate.json.*is no JSON"):
        describe_fmu(tmp_path / "x.fmu")


@pytest.mark.fmu
def test_binary_that_is_no_library_is_found(rc_fmu: Path, tmp_path: Path) -> None:
    path = edited(rc_fmu, tmp_path / "x.fmu", library=b"text")
    (problem,) = validate(path)
    assert "is no shared library" in problem


@pytest.mark.fmu
def test_missing_function_is_found(rc_fmu: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        library = archive.read(LIBRARY)
    broken = library.replace(b"fmi2DoStep\0", b"fmi2DoStop\0")
    (problem,) = validate(edited(rc_fmu, tmp_path / "x.fmu", library=broken))
    assert problem.startswith(f"`{LIBRARY}")
    assert "does not export `fmi2DoStep`." in problem


@pytest.mark.fmu
def test_misnamed_binary_is_found(rc_fmu: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["binaries/linux64/Other.so"] = content.pop(LIBRARY)
    write_archive(tmp_path / "x.fmu", content)
    (problem,) = validate(tmp_path / "x.fmu")
    assert "There is no `RcCircuit.so`" in problem
    assert "`Other.so`" in problem


@pytest.mark.fmu
@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ('start="2.0"', 'start="0.0"', "start value is 0"),
        ('canGetAndSetFMUstate="true"', "", "has `canSerializeFMUstate` but not"),
        ('name="current_A"', 'name="capacitance_F"', "name is taken already"),
    ],
)
def test_wrong_description_is_found(
    rc_fmu: Path, tmp_path: Path, old: str, new: str, wanted: str
) -> None:
    with zipfile.ZipFile(rc_fmu) as archive:
        xml = archive.read("modelDescription.xml").decode()
    assert old in xml
    path = edited(rc_fmu, tmp_path / "x.fmu", xml=xml.replace(old, new).encode())
    assert any(wanted in problem for problem in validate(path))


def test_lzma_and_empty_archives_are_found(tmp_path: Path) -> None:
    path = tmp_path / "x.fmu"
    text = (
        '<fmiModelDescription fmiVersion="2.0" modelName="m" guid="g">'
        '<CoSimulation modelIdentifier="m"/><ModelVariables/><ModelStructure/>'
        "</fmiModelDescription>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("modelDescription.xml", text)
    problems = " ".join(validate(path))
    assert "zip method 14" in problems
    assert "neither `binaries/` nor `sources/`" in problems


def test_unreadable_file_is_the_only_problem(tmp_path: Path) -> None:
    (problem,) = validate(tmp_path / "absent.fmu")
    assert "absent.fmu" in problem
