"""Whose mesh is judged: a cell, a PyBaMM parameter set or a BPX file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import pybamm

from packtwin.pybamm_models.bpx_cell import read_bpx
from packtwin.pybamm_models.cells import CELLS, Cell, Mesh
from packtwin.pybamm_models.physics import physics_of_cell
from packtwin.pybamm_models.physics_build import recipe_of
from packtwin.pybamm_models.physics_definition import Chemistry, Family, Physics
from packtwin.pybamm_models.physics_parameters import load_set, number_of
from packtwin.twin.errors import ModelError
from packtwin.twin.variable import nearest_names

__all__ = ["Subject", "find_subject", "subject_of_cell"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The equations whose mesh is judged and the window of SOC 0 to 1."""

    name: str
    physics: Physics
    nominal_capacity_Ah: float
    voltage_min_V: float
    voltage_max_V: float

    @property
    def parameter_set(self) -> str:
        """Name of the set, or of the BPX file."""
        return Path(self.physics.parameter_set).name

    def on(self, mesh: Mesh) -> Physics:
        """Return the equations on `mesh`, which stop at the ends of the window."""
        stops = {
            "Lower voltage cut-off [V]": self.voltage_min_V,
            "Upper voltage cut-off [V]": self.voltage_max_V,
        }
        overrides = {**self.physics.overrides, **stops}
        return replace(self.physics, mesh=mesh, overrides=overrides)


def subject_of_cell(cell: Cell, family: Family = "DFN") -> Subject:
    """Return the equations of `cell`."""
    return Subject(
        name=cell.name,
        physics=physics_of_cell(cell, family),
        nominal_capacity_Ah=cell.nominal_capacity_Ah,
        voltage_min_V=cell.voltage_min_V,
        voltage_max_V=cell.voltage_max_V,
    )


def find_subject(
    name: str,
    family: Family = "DFN",
    *,
    is_flux_integrated: bool = False,
    chemistry: Chemistry = "lithium_ion",
) -> Subject:
    """Return what `name` stands for: a cell, a PyBaMM parameter set or a BPX file.

    A set without thermal data is judged isothermal.

    Raises:
        ModelError: no such name, or PyBaMM cannot build it.
    """
    if name in CELLS:
        return subject_of_cell(CELLS[name], family)
    _refuse_unknown(name)
    values = load_set(name)
    if name.endswith(".json"):
        physics = read_bpx(Path(name), family).physics
    else:
        physics = Physics(family=family, parameter_set=name, chemistry=chemistry)
    physics = _with_thermal(replace(physics, is_flux_integrated=is_flux_integrated))
    return Subject(
        name=Path(name).name,
        physics=physics,
        nominal_capacity_Ah=number_of("Nominal cell capacity [A.h]", values),
        voltage_min_V=number_of("Lower voltage cut-off [V]", values),
        voltage_max_V=number_of("Upper voltage cut-off [V]", values),
    )


def _refuse_unknown(name: str) -> None:
    known = [*CELLS, *pybamm.parameter_sets]
    if name in known or name.endswith(".json"):
        return
    message = (
        f"`{name}` is neither a cell nor a parameter set; nearest: "
        f"{nearest_names(name, known)}. Give one of the cells "
        f"{', '.join(f'`{cell}`' for cell in CELLS)}, one of PyBaMM's parameter sets "
        "or a BPX file ending in `.json`."
    )
    raise ModelError(message)


def _with_thermal(physics: Physics) -> Physics:
    """Return `physics`, isothermal where it can only be built so."""
    try:
        recipe_of(physics)
    except ModelError as refused:
        isothermal = replace(
            physics, options={**physics.options, "thermal": "isothermal"}
        )
        if physics.chemistry == "sodium_ion" or not physics.is_lumped:
            raise
        try:
            recipe_of(isothermal)
        except ModelError:
            raise refused from None
        return isothermal
    return physics
