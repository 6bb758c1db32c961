"""Rules on the implementations in an FMU: libraries of all systems, and sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import final

from packtwin.fmu.checker.archive import CheckedArchive
from packtwin.fmu.checker.description import Description, Element
from packtwin.fmu.checker.functions import required_functions
from packtwin.fmu.checker.library import SharedLibrary
from packtwin.fmu.checker.mach_o import read_mach_o
from packtwin.fmu.checker.pe import read_pe
from packtwin.fmu.checker.problem import Problem, problem
from packtwin.fmu.checker.reader import parse_xml, schema_errors
from packtwin.fmu.elf import read_elf
from packtwin.fmu.platforms import library_suffix

__all__ = ["check_binaries"]

_FOLDERS_2 = {
    "win32": "x86-windows",
    "win64": "x86_64-windows",
    "linux32": "x86-linux",
    "linux64": "x86_64-linux",
    "darwin32": "x86-darwin",
    "darwin64": "x86_64-darwin",
}
_TUPLE = re.compile(
    r"(aarch32|aarch64|x86|x86_64|riscv32|riscv64|ppc32|ppc64)-"
    r"(darwin|linux|windows)(-[a-z][a-z0-9_]*)?\Z"
)
_SYSTEM_LIBRARIES = re.compile(
    r"lib(c|m|dl|pthread|rt|util)\.so\.\d+\Z|ld-linux.*\.so\.\d+\Z|linux-vdso"
    r"|(kernel32|user32|gdi32|advapi32|shell32|ole32|oleaut32|ws2_32|ntdll|msvcrt"
    r"|ucrtbase|shlwapi|version|psapi|bcrypt|rpcrt4)\.dll\Z|api-ms-win-.*\.dll\Z"
    r"|/usr/lib/libSystem\.B\.dylib\Z|/usr/lib/libobjc.*\Z|/System/Library/.*",
    re.IGNORECASE,
)
_GUID = re.compile(rb"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?")
_EXTERNAL = "documentation/externalDependencies."


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Binary:
    """One library of the FMU, where it should be."""

    member: str
    platform: str
    identifier: str


def check_binaries(
    archive: CheckedArchive, description: Description
) -> Iterator[Problem]:
    """Yield what is wrong with binaries and sources; none of them is run."""
    version = description.version
    folders = _folders(archive)
    has_sources = any(name.startswith("sources/") for name in archive.names)
    if not folders and not has_sources:
        message = "It has neither `binaries/` nor `sources/`."
        yield problem("no-implementation", version, message)
    for folder, files in folders.items():
        platform = _platform(folder, description.is_3)
        if platform is None:
            message = f"Platform `{folder}` is not one of the standard's."
            file = f"binaries/{folder}/"
            yield problem("platform-unknown", version, message, file=file)
            continue
        for identifier in description.identifiers():
            name = identifier + library_suffix(platform)
            if name not in files:
                if any("/" in f or f.endswith((".a", ".lib")) for f in files):
                    continue  # a static library, in a folder of its own
                message = (
                    f"There is no `{name}`; it has "
                    f"{', '.join(f'`{f}`' for f in files[:5])}."
                )
                file = f"binaries/{folder}/"
                yield problem("binary-name", version, message, file=file)
                continue
            member = f"binaries/{folder}/{name}"
            binary = _Binary(member=member, platform=platform, identifier=identifier)
            yield from _check_binary(archive, description, binary)
    yield from _check_sources(archive, description)


def _folders(archive: CheckedArchive) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for name in archive.names:
        parts = name.split("/", 2)
        if len(parts) == 3 and parts[0] == "binaries":
            folders.setdefault(parts[1], []).append(parts[2])
    return folders


def _platform(folder: str, is_3: bool) -> str | None:
    if not is_3 and folder in _FOLDERS_2:
        return _FOLDERS_2[folder]
    return folder if _TUPLE.match(folder) else None


def _check_binary(
    archive: CheckedArchive, description: Description, binary: _Binary
) -> Iterator[Problem]:
    def found(rule: str, message: str, name: str = "") -> Problem:
        version, file = description.version, binary.member
        return problem(rule, version, message, file=file, variable=name)

    data = archive.read(binary.member)
    if data is None:
        return  # reported with the archive
    library = read_elf(data) or read_pe(data) or read_mach_o(data)
    machine, system = binary.platform.split("-")[:2]
    if library is None:
        yield found("binary-format", f"It is no shared library ({len(data)} bytes).")
        return
    if library.system != system:
        message = f"It is a library for {library.system}, expected {system}."
        yield found("binary-format", message)
        return
    if machine not in library.machines:
        has = ", ".join(library.machines)
        yield found("binary-machine", f"It is made for {has}, expected {machine}.")
    kinds = [
        name
        for name, kind in description.kinds.items()
        if kind.get("modelIdentifier") == binary.identifier
    ]
    required = required_functions(description.is_3, kinds)
    missing = [name for name in required if name not in library.functions]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        names = ", ".join(f"`{name}`" for name in missing[:3])
        message = f"It does not export {names}{more}."
        yield found("function-missing", message, missing[0])
    yield from _check_needs(archive, library, binary, description.version)
    yield from _check_token(description, data, binary)


def _check_needs(
    archive: CheckedArchive, library: SharedLibrary, binary: _Binary, version: str
) -> Iterator[Problem]:
    folder = binary.member.rsplit("/", 1)[0]
    is_documented = any(name.startswith(_EXTERNAL) for name in archive.names)
    own = binary.member.rsplit("/", 1)[1]
    for need in library.needed:
        base = PurePosixPath(need).name
        is_shipped = f"{folder}/{base}" in archive.names or base == own
        is_system = _SYSTEM_LIBRARIES.match(need)
        if not (is_system or is_shipped or is_documented):
            message = f"It needs `{need}`, which is not in the FMU."
            yield problem("binary-needs", version, message, file=binary.member)
    for path in library.search_paths:
        if not path.startswith(("$ORIGIN", "${ORIGIN}", "@loader_path", "@rpath")):
            message = f"It looks for libraries in `{path}`, a folder of its maker."
            yield problem("binary-search-path", version, message, file=binary.member)


def _check_token(
    description: Description, data: bytes, binary: _Binary
) -> Iterator[Problem]:
    token = description.token.strip().encode()
    bare = token.strip(b"{}")
    if not bare or bare in data or bare.decode().encode("utf-16-le") in data:
        return
    others = sorted({match.group().decode() for match in _GUID.finditer(data)})
    rule = "token-mismatch" if others else "token-not-found"
    has = f"; it has `{others[0]}`" if others else ""
    message = f"The description's token `{token.decode()}` is not in it{has}."
    yield problem(rule, description.version, message, file=binary.member)


def _check_sources(
    archive: CheckedArchive, description: Description
) -> Iterator[Problem]:
    version = description.version
    names = set(archive.names)
    for element in description.root.iterfind(".//SourceFiles/File"):
        name = element.get("name", "")
        if f"sources/{name}" not in names:
            line = int(element.sourceline or 0)
            message = f"`sources/{name}` is listed, but not in the FMU."
            file = "modelDescription.xml"
            yield problem("source-missing", version, message, file=file, line=line)
    file = "sources/buildDescription.xml"
    content = archive.read(file)
    if content is None:
        has_sources = any(name.startswith("sources/") for name in names)
        if has_sources and description.is_3:
            message = "FMI 3 needs it beside sources."
            yield problem("build-description", version, message, file=file)
        return
    root, reason, line = parse_xml(content)
    if root is None:
        message = f"It cannot be read: {reason}."
        yield problem("build-description", version, message, file=file, line=line)
        return
    for at, text in schema_errors(root, "build"):
        yield problem("build-description", version, text, file=file, line=at)
    yield from _check_build(root, description, names)


def _check_build(
    root: Element, description: Description, names: set[str]
) -> Iterator[Problem]:
    file = "sources/buildDescription.xml"
    version, identifiers = description.version, description.identifiers()
    for configuration in root.iterfind("BuildConfiguration"):
        name = configuration.get("modelIdentifier", "")
        if name not in identifiers:
            known = ", ".join(f"`{identifier}`" for identifier in identifiers)
            message = f"Its model identifier is `{name}`, expected {known}."
            line = int(configuration.sourceline or 0)
            yield problem("build-description", version, message, file=file, line=line)
    for element in root.iterfind(".//SourceFile"):
        name = element.get("name", "")
        if f"sources/{name}" not in names:
            line = int(element.sourceline or 0)
            message = f"`sources/{name}` is listed, but not in the FMU."
            yield problem("source-missing", version, message, file=file, line=line)
