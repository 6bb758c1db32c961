"""What the child process of the checker must know of an FMU, as plain JSON."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

from packtwin.fmu.archive import extract
from packtwin.fmu.checker.description import (
    DescribedVariable,
    Description,
    finite,
    whole,
)
from packtwin.fmu.checker.document import is_true
from packtwin.fmu.checker.reference import reference_plan
from packtwin.fmu.dialect import FMI2, FMI3
from packtwin.fmu.platforms import host_folders, library_suffix

__all__ = ["make_plan"]


def make_plan(
    path: Path, folder: Path, description: Description, kind: str, budget_s: float
) -> dict[str, Any] | str:
    """Return what the child must know, or why nothing can be run."""
    extract(path, folder / "fmu")
    attributes = description.kinds[kind]
    file = attributes.get("modelIdentifier", "") + library_suffix()
    libraries = [folder / "fmu" / "binaries" / host / file for host in host_folders()]
    found = [library for library in libraries if library.is_file()]
    if not found:
        return f"there is no binary `{file}` for this machine ({host_folders()[0]})"
    element = description.root.find("DefaultExperiment")
    experiment = {} if element is None else dict(element.attrib)
    start_s = finite(experiment.get("startTime", "0")) or 0.0
    stop_s = finite(experiment.get("stopTime", ""))
    step_s = finite(experiment.get("stepSize", ""))
    if step_s is None or step_s <= 0.0:
        has_stop = stop_s is not None and stop_s > start_s
        step_s = ((stop_s or 0.0) - start_s) / 100.0 if has_stop else 1.0
    (folder / "fmu" / "resources").mkdir(exist_ok=True)

    def read(name: str) -> bytes | None:
        file = folder / "fmu" / name
        return file.read_bytes() if file.is_file() else None

    return {
        "library": str(found[0]),
        "resources": str(folder / "fmu" / "resources"),
        "version": description.version[:1],
        "folder": str(folder),
        "token": description.token,
        "kind": kind,
        "flags": dict(attributes),
        "categories": [
            item.get("name", "")
            for item in description.root.iterfind("./LogCategories/Category")
        ],
        "start_s": start_s,
        "step_s": step_s,
        "tolerance": max(finite(experiment.get("tolerance", "0")) or 0.0, 0.0),
        "budget_s": budget_s,
        "variables": [
            row
            for v in description.variables
            if (row := _row(description, v)) is not None
        ],
        "unknowns": [
            {"section": u.section, "key": u.key, "dependencies": u.dependencies}
            for u in description.unknowns
        ],
        "states": description.states(),
        "intermediate": [
            v.reference
            for v in description.variables
            if is_true(v.attributes.get("intermediateUpdate"))
        ],
        "n_indicators": _n_indicators(description),
        "references": reference_plan(read, description)
        if kind == "CoSimulation"
        else [],
    }


def _n_indicators(description: Description) -> int:
    """Return the number of event indicators, elements counted."""
    if not description.is_3:
        return whole(description.root.get("numberOfEventIndicators")) or 0
    known = description.by_key()
    listed = description.root.iterfind("./ModelStructure/EventIndicator")
    keys = [whole(item.get("valueReference")) for item in listed]
    return sum(description.size(known[key]) for key in keys if key in known)


def _row(description: Description, v: DescribedVariable) -> dict[str, Any] | None:
    """Return what the probes read and set; nothing for binaries and clocked ones."""
    types = (FMI3 if description.is_3 else FMI2).types
    kinds = {name: kind for name, (_, kind) in types.items()} | {"String": "String"}
    size = description.size(v)
    if v.type not in kinds or v.reference is None or v.key is None:
        return None
    if v.is_clocked or size == 0:
        return None
    # One start value is that of all elements.
    starts = v.starts * size if len(v.starts) == 1 else v.starts
    low, high, nominal = (v.number(name) for name in ("min", "max", "nominal"))
    return {
        "key": v.key,
        "name": v.name,
        "kind": kinds[v.type],
        "reference": v.reference,
        "causality": v.causality,
        "variability": v.variability,
        "initial": v.initial,
        "size": size,
        "starts": starts if len(starts) == size else (),
        "minimum": -sys.float_info.max if low is None else low,
        "maximum": sys.float_info.max if high is None else high,
        "nominal": 1.0 if not nominal or not math.isfinite(nominal) else nominal,
    }
