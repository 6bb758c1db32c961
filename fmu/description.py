"""Read what an FMU says of itself: fmpy's model description and our annotation."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import fmpy

from packtwin.fmu.archive import open_archive, read_member
from packtwin.twin.errors import FmuError

__all__ = ["binary_members", "mean_output_names", "read_description"]

_NAME = "modelDescription.xml"


def read_description(path: Path) -> Any:
    """Return fmpy's `ModelDescription` of an FMU file, without strict validation."""
    root = _root(path)
    version = root.get("fmiVersion", "")
    if not version.startswith(("1.", "2.", "3.")):
        msg = f"`{path}` is of FMI version `{version}`, expected 1.0, 2.0 or 3.0."
        raise FmuError(msg)
    try:
        return fmpy.read_model_description(str(path), validate=False)
    except Exception as error:  # fmpy raises bare exceptions
        msg = f"`{_NAME}` in `{path}` cannot be understood: {error}."
        raise FmuError(msg) from error


def mean_output_names(path: Path) -> frozenset[str]:
    """Return the outputs that packtwin's annotation calls means over the step."""
    found = _root(path).find("./VendorAnnotations/Tool[@name='packtwin']/StepMap")
    text = "" if found is None else found.get("meanOutputs", "")
    return frozenset(text.split())


def binary_members(path: Path) -> dict[str, list[str]]:
    """Return the files directly under each folder of `binaries/`."""
    folders: dict[str, list[str]] = {}
    with open_archive(path) as archive:
        for name in archive.namelist():
            parts = name.split("/")
            if len(parts) == 3 and parts[0] == "binaries" and parts[2]:
                folders.setdefault(parts[1], []).append(parts[2])
    return folders


def _root(path: Path) -> ET.Element:
    with open_archive(path) as archive:
        content = read_member(archive, _NAME, path)
    try:
        return ET.fromstring(content)
    except ET.ParseError as error:
        msg = f"`{_NAME}` in `{path}` is no well-formed XML: {error}."
        raise FmuError(msg) from error
