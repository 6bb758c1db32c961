"""Packages come back as they were; damaged ones are refused with one error."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from packtwin.cosim.ssp_file import MAIN, SspFile, read_document
from packtwin.cosim.ssp_parameters import ParameterSet
from packtwin.cosim.ssp_structure import SspComponent
from packtwin.twin.errors import ScenarioError
from tests.cosim import ssp_documents as documents


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def example(tmp_path: Path) -> Path:
    members = {
        MAIN: documents.OLD,
        "Other.ssd": documents.NEW,
        "resources/one.fmu": b"not looked at",
        "extra/org.example/notes.txt": b"keep me",
        "documentation/index.html": b"<html/>",
    }
    return write_zip(tmp_path / "example.ssp", members)


def test_unchanged_package_is_written_with_its_bytes(example, tmp_path):
    package = SspFile.read(example)
    package.with_structure(package.structure).write(tmp_path / "again.ssp")
    with zipfile.ZipFile(example) as a, zipfile.ZipFile(tmp_path / "again.ssp") as b:
        assert a.namelist() == b.namelist()
        assert all(a.read(name) == b.read(name) for name in a.namelist())


def test_only_the_edited_description_changes(example, tmp_path):
    package = SspFile.read(example)
    edited = package.with_structure(replace(package.structure, name="renamed"))
    edited.write(tmp_path / "again.ssp")
    again = SspFile.read(tmp_path / "again.ssp")
    assert again.structure.name == "renamed"
    assert again.structure.system == package.structure.system
    assert {n for n in package.members if package.members[n] != again.members[n]} == {
        MAIN
    }


def test_variants_are_chosen_by_name(example):
    assert SspFile.read(example, variant="Other.ssd").structure.version == "2.0"
    with pytest.raises(ScenarioError, match=r"contains no `Othr\.ssd`; it has `Other"):
        SspFile.read(example, variant="Othr.ssd")


def test_file_inside_a_component_is_found(tmp_path):
    values = documents.binding("a=Real:1.5").partition("<ssd:ParameterValues>")[2]
    content = values.partition("</ssd:ParameterValues>")[0].replace(
        "<ssv:ParameterSet ", f"<ssv:ParameterSet {documents.NAMESPACES} "
    )
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("resources/own.ssv", content)
    bound = (
        '<ssd:ParameterBindings><ssd:ParameterBinding sourceBase="component" '
        'source="resources/own.ssv"/></ssd:ParameterBindings>'
    )
    system = f"<ssd:Elements>{documents.component('a', '', bound)}</ssd:Elements>"
    path = write_zip(
        tmp_path / "a.ssp",
        {MAIN: documents.description(system), "resources/a.fmu": inner.getvalue()},
    )
    package = SspFile.read(path)
    component = package.structure.system.elements[0]
    assert isinstance(component, SspComponent)
    found = package.parameter_set(component.bindings[0], component, "here")
    assert found == read_document(ParameterSet, content.encode(), "alone")
    lost = replace(component.bindings[0], source="resources/lost.ssv")
    with pytest.raises(ScenarioError, match=r"`resources/lost\.ssv` in `resources/a"):
        package.parameter_set(lost, component, "here")


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a\\b", "C:evil"])
def test_member_outside_the_package_is_refused(tmp_path, name):
    path = write_zip(tmp_path / "a.ssp", {MAIN: documents.OLD, name: b"x"})
    with pytest.raises(ScenarioError, match="no relative path inside the SSP"):
        SspFile.read(path)


def test_link_is_refused(tmp_path):
    info = zipfile.ZipInfo("resources/a.fmu")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.ssp", "w") as archive:
        archive.writestr(MAIN, documents.OLD)
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ScenarioError, match=r"the link `resources/a\.fmu`"):
        SspFile.read(tmp_path / "a.ssp")


def test_double_name_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.ssp", "w") as archive:
        archive.writestr(MAIN, documents.OLD)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(MAIN, documents.NEW)
    with pytest.raises(ScenarioError, match=f"contains `{MAIN}` more than once"):
        SspFile.read(tmp_path / "a.ssp")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.999])
def test_truncated_package_is_refused(example, tmp_path, share):
    content = example.read_bytes()
    path = tmp_path / "short.ssp"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ScenarioError, match="not a readable zip file"):
        SspFile.read(path)


def test_flipped_bits_are_noticed(example, tmp_path):
    content = bytearray(example.read_bytes())
    at = content.index(b"everything of version") + 5
    content[at] ^= 0xFF
    (tmp_path / "bad.ssp").write_bytes(content)
    with pytest.raises(ScenarioError, match=f"`{MAIN}` in .* is damaged"):
        SspFile.read(tmp_path / "bad.ssp")


def test_package_without_description_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.ssp", {"resources/a.fmu": b""})
    with pytest.raises(ScenarioError, match=f"no `{MAIN}`; it has no description"):
        SspFile.read(path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("resources/on.fmu", r"nearest: `resources/one\.fmu`"),
        ("../one.fmu", "expected a relative path inside the SSP"),
        ("https://example.org/one.fmu", "expected a relative path inside the SSP"),
        ("/one.fmu", "expected a relative path inside the SSP"),
    ],
)
def test_resource_that_is_not_there_is_named(example, source, message):
    with pytest.raises(ScenarioError, match=message):
        SspFile.read(example).resource(source, "the component `one`")


def test_resource_with_escaped_name_is_found(tmp_path):
    members = {MAIN: documents.OLD, "resources/my pack.fmu": b"here"}
    package = SspFile.read(write_zip(tmp_path / "a.ssp", members))
    assert package.resource("resources/my%20pack.fmu", "it") == b"here"
