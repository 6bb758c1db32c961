"""The cells packtwin knows: parameter set, mesh, voltage window and thermal body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import final

from packtwin.twin.errors import ScenarioError

__all__ = ["CELLS", "DEFAULT_CELL", "Cell", "Mesh", "find_cell"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """Points per domain; a stretch > 0 grades the shells towards the surface.

    The ratio of the innermost to the outermost shell tends to exp(stretch).
    """

    x_n: int = 20
    x_s: int = 20
    x_p: int = 20
    r_n: int = 20
    r_p: int = 20
    r_n_stretch: float = 0.0
    r_p_stretch: float = 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell as PyBaMM simulates it.

    `voltage_min_V` and `voltage_max_V` define the window, hence SOC 0 and 1; the
    simulation stops at the wider `stop_voltage_*`, so that a run records a little
    beyond the window.
    """

    name: str
    parameter_set: str
    nominal_capacity_Ah: float
    mesh: Mesh
    is_flux_integrated: bool
    """Use `particle_flux.IntegratedFluxDFN` (stoichiometry-dependent diffusivity)."""
    voltage_min_V: float = 2.5
    voltage_max_V: float = 4.2
    stop_voltage_min_V: float = 2.2
    stop_voltage_max_V: float = 4.35
    current_max_c_rate: float = 3.0
    temperature_min_K: float = 263.15
    temperature_max_K: float = 333.15


DEFAULT_CELL = "lg_m50_oregan2022"

CELLS: Mapping[str, Cell] = MappingProxyType(
    {
        cell.name: cell
        for cell in (
            Cell(
                name="lg_m50_oregan2022",
                parameter_set="ORegan2022",
                nominal_capacity_Ah=5.0,
                mesh=Mesh(
                    x_n=29,
                    x_s=3,
                    x_p=7,
                    r_n=48,
                    r_p=32,
                    r_n_stretch=4.0,
                    r_p_stretch=3.0,
                ),
                is_flux_integrated=True,
            ),
            Cell(
                name="lg_m50_chen2020",
                parameter_set="Chen2020",
                nominal_capacity_Ah=5.0,
                mesh=Mesh(
                    x_n=20,
                    x_s=8,
                    x_p=16,
                    r_n=20,
                    r_p=16,
                    r_n_stretch=4.0,
                    r_p_stretch=3.0,
                ),
                is_flux_integrated=False,
            ),
        )
    }
)


def find_cell(name: str) -> Cell:
    """Return the cell called `name`.

    Raises:
        ScenarioError: no such cell; the message lists the known ones.
    """
    try:
        return CELLS[name]
    except KeyError as error:
        known = ", ".join(f"`{known}`" for known in CELLS)
        message = f"Cell `{name}` is unknown. Known cells: {known}."
        raise ScenarioError(message) from error
