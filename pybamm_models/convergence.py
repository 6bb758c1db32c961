"""Is a cell's mesh fine enough? Charges on the mesh and on a finer one.

A coarse mesh can be wrong by hundreds of millivolts in plating potential and still
look smooth, so every cell ships with a measured verdict (`mesh_verdicts.json`).
Rewrite it with `python -m packtwin.pybamm_models.convergence` (minutes).
"""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np

from packtwin.pybamm_models.cells import CELLS, DEFAULT_CELL, Cell, Mesh
from packtwin.pybamm_models.run import Run
from packtwin.pybamm_models.simulation import replay

__all__ = [
    "CHARGES",
    "END_TIME_LIMIT",
    "PLATING_LIMIT_V",
    "VERDICTS_PATH",
    "VOLTAGE_LIMIT_V",
    "Charge",
    "ChargeFigures",
    "Verdict",
    "doubled",
    "study",
    "write_verdicts",
]

logger = logging.getLogger(__name__)

VERDICTS_PATH = Path(__file__).with_name("mesh_verdicts.json")

VOLTAGE_LIMIT_V = 1e-3
PLATING_LIMIT_V = 1e-3
END_TIME_LIMIT = 5e-3

# So well cooled that the cell stays at the coolant's temperature (within 0.2 K).
_ISOTHERMAL_W_PER_M2_K = 1e4


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A constant-current charge from SOC 0.1 to the upper window voltage."""

    c_rate: float
    temperature_K: float


CHARGES = (
    Charge(c_rate=0.6, temperature_K=298.15),
    Charge(c_rate=1.0, temperature_K=298.15),
    Charge(c_rate=2.0, temperature_K=298.15),
    Charge(c_rate=0.5, temperature_K=273.15),
    Charge(c_rate=2.0, temperature_K=318.15),
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFigures:
    """Differences of one charge on two meshes, over their common time."""

    charge: Charge
    voltage_max_V: float
    voltage_rms_V: float
    plating_potential_max_V: float
    end_time_fraction: float
    end_time_s: float
    end_plating_potential_V: float
    solve_s: float
    finer_solve_s: float


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether `cell`'s mesh agrees with the `finer` one on every charge."""

    cell: Cell
    finer: Cell
    figures: tuple[ChargeFigures, ...]

    @property
    def is_met(self) -> bool:
        """True where all three limits hold on every charge."""
        return all(
            f.voltage_max_V <= VOLTAGE_LIMIT_V
            and f.plating_potential_max_V <= PLATING_LIMIT_V
            and f.end_time_fraction <= END_TIME_LIMIT
            for f in self.figures
        )


def doubled(mesh: Mesh, *names: str) -> Mesh:
    """Return `mesh` with twice the points in the named domains (default `r_n`)."""
    changes: dict[str, Any] = {n: 2 * getattr(mesh, n) for n in names or ("r_n",)}
    return replace(mesh, **changes)


def study(
    cell: Cell, finer: Cell | None = None, charges: Sequence[Charge] = CHARGES
) -> Verdict:
    """Compare `cell` with `finer` (default: twice the negative-particle points).

    Both may differ in mesh and flux scheme only.
    """
    fine = finer or replace(cell, mesh=doubled(cell.mesh))
    return Verdict(
        cell=cell,
        finer=fine,
        figures=tuple(
            _compare(charge, _charge(cell, charge), _charge(fine, charge))
            for charge in charges
        ),
    )


def write_verdicts(verdicts: Sequence[Verdict], path: Path = VERDICTS_PATH) -> None:
    """Store the verdicts with the versions and the command that made them."""
    content = {
        "command": "python -m packtwin.pybamm_models.convergence",
        "versions": {
            "python": platform.python_version(),
            "pybamm": version("pybamm"),
            "pybammsolvers": version("pybammsolvers"),
        },
        "limits": {
            "voltage_V": VOLTAGE_LIMIT_V,
            "plating_potential_V": PLATING_LIMIT_V,
            "end_time_fraction": END_TIME_LIMIT,
        },
        "verdicts": [
            {
                "cell": v.cell.name,
                "is_met": v.is_met,
                "is_flux_integrated": v.cell.is_flux_integrated,
                "mesh": asdict(v.cell.mesh),
                "finer_is_flux_integrated": v.finer.is_flux_integrated,
                "finer_mesh": asdict(v.finer.mesh),
                "figures": [_rounded(f) for f in v.figures],
            }
            for v in verdicts
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _rounded(figures: ChargeFigures) -> dict[str, Any]:
    flat = asdict(figures)
    charge: dict[str, Any] = flat.pop("charge")
    return charge | {name: float(f"{value:.4g}") for name, value in flat.items()}


def _charge(cell: Cell, charge: Charge) -> Run:
    duration_s = float(np.ceil(1.3 * 3600.0 / charge.c_rate))
    level_A = -charge.c_rate * cell.nominal_capacity_Ah
    run = replay(
        replace(cell, stop_voltage_max_V=cell.voltage_max_V + 2e-3),
        np.array([0.0, 1.0, duration_s]),
        np.array([0.0, level_A, level_A]),
        start_soc=0.1,
        temperature_K=charge.temperature_K,
        coolant_temperature_K=charge.temperature_K,
        heat_transfer_coefficient_W_per_m2_K=_ISOTHERMAL_W_PER_M2_K,
    )
    logger.info(
        "%s %s: %.0f s in %.1f s", cell.name, charge, run.end_time_s, run.solve_s
    )
    return run


def _compare(charge: Charge, run: Run, fine: Run) -> ChargeFigures:
    ends_s = [
        r.first_limit_s if r.first_limit_s == r.first_limit_s else r.end_time_s
        for r in (run, fine)
    ]
    n = int(min(len(run.time_s), len(fine.time_s), np.floor(min(ends_s)) + 1))
    voltage_V = run.voltage_V[:n] - fine.voltage_V[:n]
    plating_V = run.plating_potential_V[:n] - fine.plating_potential_V[:n]
    return ChargeFigures(
        charge=charge,
        voltage_max_V=float(np.abs(voltage_V).max()),
        voltage_rms_V=float(np.sqrt(np.mean(voltage_V**2))),
        plating_potential_max_V=float(np.abs(plating_V).max()),
        end_time_fraction=abs(ends_s[0] / ends_s[1] - 1.0),
        end_time_s=ends_s[0],
        end_plating_potential_V=float(run.plating_potential_V[n - 1]),
        solve_s=run.solve_s,
        finer_solve_s=fine.solve_s,
    )


def _shipped_studies() -> Iterator[Verdict]:
    default = CELLS[DEFAULT_CELL]
    for cell in CELLS.values():
        yield study(cell)
    everything = doubled(default.mesh, "x_n", "x_s", "x_p", "r_n", "r_p")
    yield study(default, replace(default, mesh=everything))
    # PyBaMM's own flux: its default mesh, and how it nears ours when refined.
    finest = Mesh(r_n=160, r_p=40, r_n_stretch=1.5)
    for mesh in (Mesh(), Mesh(r_n=60), finest):
        stock = replace(default, mesh=mesh, is_flux_integrated=False)
        yield study(stock, default)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    found: list[Verdict] = []
    for verdict in _shipped_studies():
        found.append(verdict)
        write_verdicts(found)
