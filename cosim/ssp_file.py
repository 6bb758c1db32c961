"""`SspFile`: a system structure package on disk, read whole and written back."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, final
from urllib.parse import unquote, urldefrag, urlsplit

from packtwin.cosim.ssp_parameters import ParameterMapping, ParameterSet
from packtwin.cosim.ssp_signals import SignalDictionary, SignalDictionarySource
from packtwin.cosim.ssp_structure import ParameterBinding, SspComponent, SystemStructure
from packtwin.cosim.ssp_version import check_version
from packtwin.cosim.xml_record import read_record, to_element
from packtwin.cosim.xml_text import local_name, parse_xml, serialize
from packtwin.twin.archive import (
    ArchiveKind,
    check_member,
    open_archive,
    read_member,
    write_archive,
)
from packtwin.twin.errors import ScenarioError
from packtwin.twin.variable import nearest_names

__all__ = ["MAIN", "SspFile", "read_document", "write_document"]

MAIN = "SystemStructure.ssd"
"""The description that an SSP must have; others are variants."""

Document = TypeVar("Document")

_SSP = ArchiveKind(noun="SSP", error=ScenarioError)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SspFile:
    """A system structure package: a description and everything it refers to.

    Attributes:
        path: Where it was read.
        members: Content by name, untouched.
        structure: The description of the chosen variant.
        variant: Its name in `members`.
    """

    path: Path
    members: Mapping[str, bytes]
    structure: SystemStructure
    variant: str = MAIN

    @classmethod
    def read(cls, path: Path | str, *, variant: str = MAIN) -> SspFile:
        """Read a package.

        Args:
            path: The file.
            variant: The description to use.

        Raises:
            ScenarioError: It is damaged, dangerous or no SSP; the message says why.
        """
        path = Path(path)
        with open_archive(path, _SSP) as archive:
            names = [i.filename for i in archive.infolist() if not i.is_dir()]
            double = [name for name, count in Counter(names).items() if count > 1]
            if double:
                msg = f"`{path}` contains `{double[0]}` more than once; keep one."
                raise ScenarioError(msg)
            members = {name: read_member(archive, name, path, _SSP) for name in names}
        return cls.of_members(path, members, variant)

    @classmethod
    def of_members(
        cls, path: Path, members: Mapping[str, bytes], variant: str = MAIN
    ) -> SspFile:
        """Make a package of its files."""
        if variant not in members:
            known = [n for n in members if n.endswith(".ssd") and "/" not in n]
            near = nearest_names(variant, known) or "no description at all"
            msg = f"`{path}` contains no `{variant}`; it has {near}. Check the file."
            raise ScenarioError(msg)
        structure = read_document(
            SystemStructure, members[variant], f"{path}/{variant}"
        )
        return cls(
            path=path,
            members=MappingProxyType(dict(members)),
            structure=structure,
            variant=variant,
        )

    def with_structure(self, structure: SystemStructure) -> SspFile:
        """Return the package with another description."""
        if structure == self.structure:
            return self
        members = dict(self.members) | {self.variant: write_document(structure)}
        return replace(self, structure=structure, members=MappingProxyType(members))

    def with_document(self, source: str, document: Any) -> SspFile:
        """Return the package with another parameter set, mapping or dictionary."""
        name = self._member(source, "a document")
        members = dict(self.members) | {name: write_document(document)}
        return replace(self, members=MappingProxyType(members))

    def write(self, path: Path | str) -> None:
        """Write the package, wholly or not at all; what was not changed has its bytes.

        Raises:
            ScenarioError: A file in it has an impossible name.
        """
        write_archive(Path(path), self.members, _SSP)

    def resource(self, source: str, where: str) -> bytes:
        """Return a file that a description refers to by a relative URI.

        Raises:
            ScenarioError: It is not in the package.
        """
        return self.members[self._member(source, where)]

    def component_file(self, component: SspComponent) -> bytes:
        """Return the FMU or package of a component."""
        where = f"the component `{component.name}`"
        return self.resource(component.source or "", where)

    def inner_package(self, component: SspComponent) -> SspFile:
        """Return the package, description or system that a component refers to."""
        source, fragment = urldefrag(component.source or "")
        where = f"the component `{component.name}`"
        if component.type == "application/x-ssp-definition":
            return self.of_members(self.path, self.members, self._member(source, where))
        content = self.resource(source, where)
        path = self.path / source
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for info in archive.infolist():
                    check_member(info.orig_filename, path, _SSP)
                members = {n: archive.read(n) for n in archive.namelist()}
        except zipfile.BadZipFile as error:
            msg = f"`{path}` is not a readable zip file ({error}); correct the SSP."
            raise ScenarioError(msg) from error
        return self.of_members(path, members, fragment or MAIN)

    def parameter_set(
        self, binding: ParameterBinding, component: SspComponent | None, where: str
    ) -> ParameterSet:
        """Return the parameters of a binding, wherever they are."""
        if binding.values is not None:
            return binding.values
        place = (binding.source, binding.source_base, binding.type)
        return self._document(ParameterSet, place, component, where)

    def parameter_mapping(
        self, binding: ParameterBinding, component: SspComponent | None, where: str
    ) -> ParameterMapping | None:
        """Return the mapping of a binding, wherever it is."""
        reference = binding.mapping
        if reference is None or reference.mapping is not None:
            return reference and reference.mapping
        place = (reference.source, reference.source_base, reference.type)
        return self._document(ParameterMapping, place, component, where)

    def signal_dictionary(self, source: SignalDictionarySource) -> SignalDictionary:
        """Return the signals of a dictionary, wherever they are."""
        if source.dictionary is not None:
            return source.dictionary
        place = (source.source, "SSD", source.type)
        where = f"the signal dictionary `{source.name}`"
        return self._document(SignalDictionary, place, None, where)

    def _document(
        self,
        kind: type[Document],
        place: tuple[str | None, str, str],
        component: SspComponent | None,
        where: str,
    ) -> Document:
        source, base, media_type = place
        if source is None or not media_type.startswith("application/x-ssp-"):
            msg = (
                f"`{self.path}`: {where} has the format `{media_type}`"
                f"{'' if source else ' and neither content nor source'}; expected a "
                "document of SSP."
            )
            raise ScenarioError(msg)
        if base == "component" and component is not None:
            content = self._inside(component, source, where)
        else:
            content = self.resource(source, where)
        return read_document(kind, content, f"{self.path}/{source}")

    def _inside(self, component: SspComponent, source: str, where: str) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(self.component_file(component))) as archive:
                return archive.read(unquote(source))
        except (KeyError, zipfile.BadZipFile) as error:
            msg = (
                f"`{self.path}`: {where} refers to `{source}` in "
                f"`{component.source}`, where it is not; add it or correct the source."
            )
            raise ScenarioError(msg) from error

    def _member(self, source: str, where: str) -> str:
        parts = urlsplit(source)
        name = unquote(parts.path).removeprefix("./")
        if parts.scheme or parts.netloc or name.startswith("/") or ".." in name:
            msg = (
                f"`{self.path}`: {where} refers to `{source}`; expected a relative "
                "path inside the SSP, such as `resources/pack.fmu`."
            )
            raise ScenarioError(msg)
        if name not in self.members:
            near = nearest_names(name, list(self.members)) or "nothing"
            msg = (
                f"`{self.path}` has no `{name}`, which {where} refers to; nearest: "
                f"{near}. Add the file or correct the source."
            )
            raise ScenarioError(msg)
        return name


def read_document(kind: type[Document], content: bytes, source: str) -> Document:
    """Return a document of an SSP as its record.

    Args:
        kind: `SystemStructure`, `ParameterSet`, `ParameterMapping` or
            `SignalDictionary`.
        content: XML.
        source: What an error calls the file.

    Raises:
        ScenarioError: It is something else or has an error.
    """
    root = parse_xml(content, source)
    expected: str = kind.tag  # type: ignore[attr-defined]
    if root.tag != expected:
        msg = (
            f"`{source}` begins with `{root.tag}`, expected `{local_name(expected)}` "
            f"in the namespace `{expected[1:].partition('}')[0]}`; check the file."
        )
        raise ScenarioError(msg)
    version = root.get("version", "")
    if not version.startswith(("1.", "2.")):
        msg = f"`{source}` has the version `{version}`; expected 1.0 or 2.0."
        raise ScenarioError(msg)
    return read_record(kind, root, source)


def write_document(document: Any) -> bytes:
    """Return a document as XML.

    Raises:
        ScenarioError: It says version 1.0 and has something of version 2.0.
    """
    check_version(document)
    return serialize(to_element(document, document.tag))
