"""Read what an FMU says of itself: fmpy's model description and our annotation."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import fmpy

from packtwin.fmu.archive import open_archive, read_member
from packtwin.twin.errors import FmuError

__all__ = [
    "binary_members",
    "intermediate_references",
    "mean_output_names",
    "memory_count",
    "provides_adjoint_derivatives",
    "provides_directional_derivatives",
    "read_description",
    "read_root",
]

_NAME = "modelDescription.xml"


def read_description(path: Path, root: ET.Element | None = None) -> Any:
    """Return fmpy's `ModelDescription` of an FMU file, without strict validation.

    Args:
        path: The FMU file.
        root: Its XML, if it was read before.
    """
    root = read_root(path) if root is None else root
    version = root.get("fmiVersion", "")
    if not version.startswith(("1.", "2.", "3.")):
        msg = f"`{path}` is of FMI version `{version}`, expected 1.0, 2.0 or 3.0."
        raise FmuError(msg)
    try:
        return fmpy.read_model_description(str(path), validate=False)
    except Exception as error:  # fmpy raises bare exceptions
        msg = f"`{_NAME}` in `{path}` cannot be understood: {error}."
        raise FmuError(msg) from error


def mean_output_names(root: ET.Element) -> frozenset[str]:
    """Return the outputs that packtwin's annotation calls means over the step."""
    return frozenset(_annotation(root).get("meanOutputs", "").split())


def memory_count(root: ET.Element) -> int | None:
    """Return the length of the memory of a packtwin step map; None where unsaid."""
    text = _annotation(root).get("memoryCount", "")
    return int(text) if text.isdecimal() else None


def _annotation(root: ET.Element) -> ET.Element:
    """Return what packtwin adds to a description, of either version."""
    for place in (
        "./VendorAnnotations/Tool[@name='packtwin']/StepMap",
        "./Annotations/Annotation[@type='org.packtwin']/StepMap",
    ):
        found = root.find(place)
        if found is not None:
            return found
    return ET.Element("StepMap")


def provides_directional_derivatives(root: ET.Element, element: str) -> bool:
    """Whether an FMU of either version promises directional derivatives.

    Args:
        root: Its model description.
        element: `CoSimulation` or `ModelExchange`. FMPy reads the attribute of FMI 2.0
            only.
    """
    names = ("providesDirectionalDerivatives", "providesDirectionalDerivative")
    return _promises(root, element, names)


def provides_adjoint_derivatives(root: ET.Element, element: str) -> bool:
    """Whether an FMU promises adjoint derivatives, which only FMI 3.0 knows."""
    return _promises(root, element, ("providesAdjointDerivatives",))


def _promises(root: ET.Element, element: str, names: tuple[str, ...]) -> bool:
    found = root.find(f"./{element}")
    if found is None:
        return False
    return any(found.get(name) in ("true", "1") for name in names)


def intermediate_references(root: ET.Element) -> frozenset[int]:
    """Return the value references of variables that FMI 3.0 sets inside a step.

    FMPy does not read the attribute; none where the FMU has no intermediate update.
    """
    kind = root.find("./CoSimulation")
    if kind is None or kind.get("providesIntermediateUpdate") not in ("true", "1"):
        return frozenset()
    return frozenset(
        int(variable.get("valueReference", "-1"))
        for variable in root.findall("./ModelVariables/*")
        if variable.get("intermediateUpdate") in ("true", "1")
    )


def binary_members(path: Path) -> dict[str, list[str]]:
    """Return the files directly under each folder of `binaries/`."""
    folders: dict[str, list[str]] = {}
    with open_archive(path) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if len(parts) == 3 and parts[0] == "binaries" and parts[2]:
                folders.setdefault(parts[1], []).append(parts[2])
    return folders


def read_root(path: Path) -> ET.Element:
    """Return the XML of an FMU's model description."""
    with open_archive(path) as archive:
        content = read_member(archive, _NAME, path)
    try:
        return ET.fromstring(content)
    except ET.ParseError as error:
        msg = f"`{_NAME}` in `{path}` is no well-formed XML: {error}."
        raise FmuError(msg) from error
