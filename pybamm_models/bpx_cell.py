"""A BPX file as `Physics`, with a report of what it supports and what was not read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, final

from packtwin.pybamm_models.bpx_file import read_bpx_file
from packtwin.pybamm_models.cells import Mesh
from packtwin.pybamm_models.physics_build import (
    INITIAL_CONCENTRATION,
    MAXIMUM_CONCENTRATION,
    Recipe,
    recipe_of,
)
from packtwin.pybamm_models.physics_definition import Family, Physics
from packtwin.pybamm_models.physics_parameters import number_of
from packtwin.twin.errors import ModelError

__all__ = ["BpxCell", "BpxReport", "read_bpx"]

_AGEING = re.compile(r"SEI|[Pp]lating|LAM|[Cc]rack|[Dd]egradation")
_THERMAL = {
    "Density [kg.m-3]": "Positive electrode density [kg.m-3]",
    "Specific heat capacity [J.K-1.kg-1]": (
        "Positive electrode specific heat capacity [J.kg-1.K-1]"
    ),
    "Volume [m3]": "Cell volume [m3]",
    "External surface area [m2]": "Cell cooling surface area [m2]",
}
_COOLING = "Total heat transfer coefficient [W.m-2.K-1]"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BpxReport:
    """Which features a BPX file supports.

    Attributes:
        title: From its header.
        version: BPX version of the file.
        family: Model it was made for.
        is_thermal: It has what a lumped temperature needs.
        missing_thermal: What it lacks for that.
        has_cooling: It gives a heat transfer coefficient (0 otherwise).
        has_entropy: Its open-circuit potentials depend on temperature.
        has_activation_energy: Transport or kinetics depend on temperature.
        has_hysteresis: It gives lithiation and delithiation potentials.
        ageing: User-defined ageing parameters; the standard has none.
        soc_start: State of charge that the file starts from.
        not_read: Entries that have no effect on the model, with the reason.
        notes: Remarks of `bpx` and PyBaMM, such as defaults they used.
    """

    title: str
    version: str
    family: str
    is_thermal: bool
    missing_thermal: tuple[str, ...]
    has_cooling: bool
    has_entropy: bool
    has_activation_energy: bool
    has_hysteresis: bool
    ageing: tuple[str, ...]
    soc_start: float
    not_read: tuple[str, ...]
    notes: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BpxCell:
    """The physics of a BPX file and the report on it."""

    physics: Physics
    report: BpxReport


def read_bpx(
    path: Path, family: Family | None = None, mesh: Mesh | None = None
) -> BpxCell:
    """Read a BPX file.

    The temperature is lumped where the file has thermal data, else isothermal.

    Args:
        path: The file, ending in `.json`.
        family: Model to build; the file's own if None.
        mesh: Points per domain; PyBaMM's default if None.

    Raises:
        ModelError: the file is no usable BPX file.
    """
    if path.suffix != ".json":
        message = f"BPX file `{path}` must end in `.json`. Rename or convert it."
        raise ModelError(message)
    file = read_bpx_file(path)
    header = file.content["Header"]
    missing = tuple(
        theirs for theirs, name in _THERMAL.items() if name not in file.values
    )
    thermal: Literal["isothermal", "lumped"] = "isothermal" if missing else "lumped"
    physics = Physics(
        family=family or header["Model"],
        parameter_set=str(path),
        options={"thermal": thermal},
        mesh=mesh or Mesh(),
    )
    recipe = recipe_of(physics)
    names = _names(file.content.get("Parameterisation", {}))
    state = file.content.get("State") or {}
    user_defined = _user_defined(file.content)
    return BpxCell(
        physics=physics,
        report=BpxReport(
            title=str(header.get("Title") or ""),
            version=str(header["BPX"]),
            family=str(header["Model"]),
            is_thermal=not missing,
            missing_thermal=missing,
            has_cooling="Heat transfer coefficient [W.m-2.K-1]"
            in (state.get("Thermal environment") or {}),
            has_entropy=any(n.startswith("Entropic change") for n in names),
            has_activation_energy=any("activation energy" in n for n in names),
            has_hysteresis=any("lithiation)" in n for n in names),
            ageing=tuple(n for n in user_defined if _AGEING.search(n)),
            soc_start=_soc_start(recipe),
            not_read=_not_read(file.content, recipe, user_defined),
            notes=file.notes,
        ),
    )


def _names(content: Any) -> list[str]:
    """Return all keys of a nested JSON object."""
    if not isinstance(content, Mapping):
        return []
    return [*content, *(n for value in content.values() for n in _names(value))]


def _user_defined(content: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(content.get("Parameterisation", {}).get("User-defined") or {})


def _soc_start(recipe: Recipe) -> float:
    x = number_of(INITIAL_CONCENTRATION["negative"], recipe.values) / number_of(
        MAXIMUM_CONCENTRATION["negative"], recipe.values
    )
    return (x - recipe.window.x0) / (recipe.window.x100 - recipe.window.x0)


def _not_read(
    content: Mapping[str, Any], recipe: Recipe, user_defined: tuple[str, ...]
) -> tuple[str, ...]:
    state = content.get("State") or {}
    found = [f"User-defined: {n}" for n in user_defined if n not in recipe.needed]
    found += [
        f"State: Degradation: {name} (the cell is modelled as new)"
        for name in (state.get("Degradation") or {})
    ]
    found += [
        f"State: Initial conditions: {name} (no hysteresis option is set)"
        for name in (state.get("Initial conditions") or {})
        if name.startswith("Initial hysteresis state")
    ]
    found += [
        f"{name} (no hysteresis option is set)"
        for name in sorted(set(_names(content.get("Parameterisation", {}))))
        if "lithiation)" in name or "hysteresis decay" in name
    ]
    if content.get("Validation"):
        found.append("Validation (measurements to compare with)")
    return tuple(found)
