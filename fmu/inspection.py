"""Look into an FMU without running it: what it is, and what is wrong with it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from packtwin.fmu.archive import open_archive, read_member
from packtwin.fmu.checker.check import check_fmu
from packtwin.fmu.description import binary_members, read_description
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

    These are the static rules of `check_fmu`. No code of the FMU is run.
    """
    path = Path(path)
    try:
        report = check_fmu(path, is_run=False)
    except FmuError as error:
        return [str(error)]
    return [
        f"`{found.where}`: {found.message}" if found.where else found.message
        for found in report.problems
    ]
