"""Look into an FMU without running it: what it is, and what is wrong with it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import fmpy.validation

from packtwin.fmu.archive import open_archive, read_member
from packtwin.fmu.description import binary_members, read_description
from packtwin.fmu.elf import exported_functions
from packtwin.fmu.fmi2 import CO_SIMULATION_FUNCTIONS
from packtwin.fmu.platforms import library_suffix
from packtwin.twin.errors import FmuError

__all__ = ["describe_fmu", "validate"]

_KINDS = {
    "coSimulation": "co-simulation",
    "modelExchange": "model exchange",
    "scheduledExecution": "scheduled execution",
}
_FLAGS = (
    "canHandleVariableCommunicationStepSize",
    "canInterpolateInputs",
    "maxOutputDerivativeOrder",
    "canGetAndSetFMUstate",
    "canSerializeFMUstate",
    "providesDirectionalDerivative",
    "canBeInstantiatedOnlyOncePerProcess",
    "needsExecutionTool",
)
_CERTIFICATE = "documentation/certificate.json"
_ENCRYPTED = 1
_ELF_FOLDERS = ("linux64", "x86_64-linux", "aarch64-linux")


def describe_fmu(path: Path) -> dict[str, Any]:
    """Return what an FMU says of itself, ready to print or to write as JSON.

    The keys are `path, name, description, fmi_version, tool, token, kinds, platforms,
    has_sources, capabilities, variables, documentation, certificate`; a variable has
    `name, causality, variability, type, unit, start, minimum, maximum, description`.
    `certificate` is the content of `documentation/certificate.json`, or None.

    Raises:
        FmuError: The file cannot be read.
    """
    path = Path(path)
    description = read_description(path)
    with open_archive(path) as archive:
        members = [m for m in archive.namelist() if not m.endswith("/")]
        certificate = _certificate(archive, path) if _CERTIFICATE in members else None
    flags = description.coSimulation or description.modelExchange
    return {
        "path": str(path),
        "name": description.modelName,
        "description": description.description or "",
        "fmi_version": description.fmiVersion,
        "tool": description.generationTool or "",
        "token": description.guid,
        "kinds": [text for key, text in _KINDS.items() if _has(description, key)],
        "platforms": sorted(binary_members(path)),
        "has_sources": any(m.startswith("sources/") for m in members),
        "capabilities": {
            name: getattr(flags, name) for name in _FLAGS if hasattr(flags, name)
        },
        "variables": [_variable(v) for v in description.modelVariables],
        "documentation": sorted(
            m.removeprefix("documentation/")
            for m in members
            if m.startswith("documentation/")
        ),
        "certificate": certificate,
    }


def _has(description: Any, kind: str) -> bool:
    return getattr(description, kind, None) is not None


def _variable(v: Any) -> dict[str, Any]:
    return {
        "name": v.name,
        "causality": v.causality,
        "variability": v.variability,
        "type": v.type,
        "unit": v.unit or "",
        "start": _value(v.start),
        "minimum": _value(v.min),
        "maximum": _value(v.max),
        "description": v.description or "",
    }


def _value(text: str | float | None) -> float | str | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _certificate(archive: zipfile.ZipFile, path: Path) -> Any:
    try:
        return json.loads(read_member(archive, _CERTIFICATE, path))
    except ValueError as error:
        msg = f"`{_CERTIFICATE}` in `{path}` is no JSON: {error}."
        raise FmuError(msg) from error


def validate(path: Path) -> list[str]:
    """Return what is wrong with an FMU file; an empty list if nothing was found.

    fmpy checks the model description; here the zip file, the binaries' names and their
    exported functions are checked as well. No code of the FMU is run.
    """
    path = Path(path)
    try:
        description = read_description(path)
    except FmuError as error:
        return [str(error)]
    problems = list(fmpy.validation.validate_fmu(str(path)))
    problems += _description_problems(description)
    with open_archive(path) as archive:
        problems += _zip_problems(archive)
        problems += _binary_problems(archive, description, path)
    return problems


def _description_problems(description: Any) -> list[str]:
    problems = []
    for kind in (description.coSimulation, description.modelExchange):
        if kind and kind.canSerializeFMUstate and not kind.canGetAndSetFMUstate:
            problems.append(
                "`canSerializeFMUstate` is true but `canGetAndSetFMUstate` is not."
            )
    for v in description.modelVariables:
        start, low, high = (_value(item) for item in (v.start, v.min, v.max))
        if not isinstance(start, float):
            continue
        is_low = isinstance(low, float) and start < low
        if is_low or (isinstance(high, float) and start > high):
            problems.append(
                f"`{v.name}` starts at {start}, outside its range [{low}, {high}]."
            )
    return problems


def _zip_problems(archive: zipfile.ZipFile) -> list[str]:
    problems = []
    for member in archive.infolist():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            problems.append(
                f"`{member.filename}` uses zip method {member.compress_type}; FMI "
                "allows only 0 (stored) and 8 (deflated)."
            )
        if member.flag_bits & _ENCRYPTED:
            problems.append(f"`{member.filename}` is encrypted.")
    return problems


def _binary_problems(
    archive: zipfile.ZipFile, description: Any, path: Path
) -> list[str]:
    problems: list[str] = []
    kinds = (description.coSimulation, description.modelExchange)
    identifiers = sorted({kind.modelIdentifier for kind in kinds if kind is not None})
    folders = binary_members(path)
    names = archive.namelist()
    if not folders and not any(name.startswith("sources/") for name in names):
        problems.append("It has neither `binaries/` nor `sources/`.")
    for folder, files in sorted(folders.items()):
        for identifier in identifiers:
            file = identifier + library_suffix(folder)
            if file not in files:
                problems.append(
                    f"`binaries/{folder}/` has no `{file}` for model identifier "
                    f"`{identifier}`; it has {', '.join(f'`{f}`' for f in files)}."
                )
            elif folder in _ELF_FOLDERS:
                member = f"binaries/{folder}/{file}"
                content = read_member(archive, member, path)
                problems += _elf_problems(member, content, description)
    return problems


def _elf_problems(member: str, content: bytes, description: Any) -> list[str]:
    exported = exported_functions(content)
    if exported is None:
        return [f"`{member}` is no 64-bit Linux library."]
    if description.fmiVersion != "2.0" or description.coSimulation is None:
        return []
    missing = [name for name in CO_SIMULATION_FUNCTIONS if name not in exported]
    if not missing:
        return []
    return [f"`{member}` does not export {', '.join(f'`{name}`' for name in missing)}."]
