"""What was measured about a cell's mesh, and the file that keeps it.

A coarse mesh can be wrong by hundreds of millivolts in plating potential and still
look smooth, so a cell's mesh is compared with the one of twice the points everywhere.
`packtwin converge CELL` measures; nothing here needs PyBaMM.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, final

from packtwin.pybamm_models.cells import Cell, Mesh
from packtwin.twin.errors import ModelError

__all__ = [
    "COUNTS",
    "VERDICTS_PATH",
    "Comparison",
    "Figures",
    "Limits",
    "Verdict",
    "doubled",
    "read_verdicts",
    "verdict_of",
    "verdict_record",
    "write_verdicts",
]

VERDICTS_PATH = Path(__file__).with_name("mesh_verdicts.json")
COUNTS = ("x_n", "x_s", "x_p", "r_n", "r_p")

_FORMAT = "packtwin-mesh-verdicts-2"
_MEASURED = (
    "voltage_max_V",
    "voltage_rms_V",
    "plating_potential_max_V",
    "end_time_fraction",
    "end_time_s",
    "end_plating_potential_V",
)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How far two meshes may differ on any load."""

    voltage_V: float = 1e-3
    plating_potential_V: float = 1e-3
    end_time_fraction: float = 5e-3


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Differences of one load on two meshes, over their common time.

    Attributes:
        load: Name of the load.
        c_rate: Its largest magnitude; positive discharges.
        temperature_K: At which the cell is held.
        voltage_max_V: Largest difference.
        voltage_rms_V: Root of the mean square.
        plating_potential_max_V: Largest difference; none where the model has none.
        end_time_fraction: Difference of the time at which the voltage limit is met.
        end_time_s: That time on the coarser mesh, or the load's length.
        end_plating_potential_V: At the end of the common time.
    """

    load: str
    c_rate: float
    temperature_K: float
    voltage_max_V: float
    voltage_rms_V: float
    plating_potential_max_V: float | None
    end_time_fraction: float
    end_time_s: float
    end_plating_potential_V: float | None

    def score(self, limits: Limits) -> float:
        """Return the largest difference as a multiple of its limit."""
        return max(
            self.voltage_max_V / limits.voltage_V,
            (self.plating_potential_max_V or 0.0) / limits.plating_potential_V,
            self.end_time_fraction / limits.end_time_fraction,
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Figures of every load against one finer mesh."""

    finer_mesh: Mesh
    finer_is_flux_integrated: bool
    figures: tuple[Figures, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a mesh agrees with finer ones.

    Attributes:
        cell: Name of the cell, parameter set or BPX file.
        parameter_set: PyBaMM's name, or the BPX file's.
        family: `SPM`, `SPMe` or `DFN`.
        is_flux_integrated: See `particle_flux.IntegratedFluxDFN`.
        voltage_min_V: Lower end of the window, SOC 0.
        voltage_max_V: Upper end of the window, SOC 1.
        mesh: What was judged.
        n_state: Differential states on that mesh, 0 if not recorded.
        n_algebraic: Algebraic states on that mesh.
        time_per_step_s: Of one 1-s step of the 1C charge, compiled; none if unknown.
        limits: What the differences were held against.
        comparisons: One per finer mesh.
        provenance: Solver, command and versions.
    """

    cell: str
    parameter_set: str
    family: str = "DFN"
    is_flux_integrated: bool
    voltage_min_V: float
    voltage_max_V: float
    mesh: Mesh
    n_state: int = 0
    n_algebraic: int = 0
    time_per_step_s: float | None = None
    limits: Limits = field(default_factory=Limits)
    comparisons: tuple[Comparison, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """Largest difference as a multiple of its limit."""
        return max(
            (f.score(self.limits) for c in self.comparisons for f in c.figures),
            default=math.inf,
        )

    @property
    def is_met(self) -> bool:
        """True where all limits hold on every load against every finer mesh."""
        return self.score <= 1.0

    @property
    def is_complete(self) -> bool:
        """Whether the mesh with every count doubled is among the finer ones."""
        return any(
            c.finer_mesh == doubled(self.mesh, *COUNTS) for c in self.comparisons
        )

    def is_about(self, cell: Cell) -> bool:
        """Whether the equations judged are those of `cell`."""
        return (
            self.family == "DFN"
            and self.parameter_set == cell.parameter_set
            and self.is_flux_integrated == cell.is_flux_integrated
            and self.voltage_min_V == cell.voltage_min_V
            and self.voltage_max_V == cell.voltage_max_V
            and self.mesh == cell.mesh
        )


def doubled(mesh: Mesh, *names: str) -> Mesh:
    """Return `mesh` with twice the points in the named domains (default `r_n`)."""
    changes: dict[str, Any] = {n: 2 * getattr(mesh, n) for n in names or ("r_n",)}
    return replace(mesh, **changes)


def verdict_of(cell: Cell, path: Path | None = None) -> Verdict | None:
    """Return the verdict on the mesh of `cell` against the one doubled everywhere.

    Args:
        cell: Its name does not matter, its equations and mesh do.
        path: A file written by `packtwin converge`; the shipped one if None.

    Returns:
        The verdict, met or not; none if that mesh was never judged.
    """
    for verdict in read_verdicts(path or VERDICTS_PATH):
        if verdict.is_about(cell) and verdict.is_complete:
            return verdict
    return None


def verdict_record(cell: Cell) -> dict[str, Any]:
    """Return what a manifest or certificate says about the mesh of `cell`."""
    verdict = verdict_of(cell)
    if verdict is None:
        return {"is_met": False, "reason": "the mesh was never judged"}
    return {
        "is_met": verdict.is_met,
        "score": _rounded(verdict.score),
        "limits": asdict(verdict.limits),
        "mesh": asdict(verdict.mesh),
        "provenance": dict(verdict.provenance),
    }


def write_verdicts(verdicts: Sequence[Verdict], path: Path) -> None:
    """Store verdicts in `path`, in place of older ones on the same mesh and peers."""
    kept = [
        old
        for old in (read_verdicts(path) if path.exists() else ())
        if not any(_is_superseded(old, new) for new in verdicts)
    ]
    content = {
        "format": _FORMAT,
        "verdicts": [_to_json(verdict) for verdict in [*verdicts, *kept]],
    }
    temporary = path.with_name(f"{path.name}.part")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)


def read_verdicts(path: Path) -> tuple[Verdict, ...]:
    """Return the verdicts of a file.

    Raises:
        ModelError: it is missing or no file of verdicts.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = (
            f"`{path}` is no file of mesh verdicts ({error}). Give a file that "
            "`packtwin converge` wrote, or a new name."
        )
        raise ModelError(message) from error


@lru_cache(maxsize=8)
def _read(path: Path, _changed_ns: int) -> tuple[Verdict, ...]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["format"] != _FORMAT:
        message = f"format `{content['format']}`, expected `{_FORMAT}`"
        raise ValueError(message)
    return tuple(_from_json(entry) for entry in content["verdicts"])


def _is_superseded(old: Verdict, new: Verdict) -> bool:
    return (old.cell, old.family, old.is_flux_integrated, old.is_complete) == (
        new.cell,
        new.family,
        new.is_flux_integrated,
        new.is_complete,
    ) and (old.is_complete or old.mesh == new.mesh)


def _to_json(verdict: Verdict) -> dict[str, Any]:
    made = asdict(verdict)
    if verdict.time_per_step_s is not None:
        made["time_per_step_s"] = _rounded(verdict.time_per_step_s)
    for comparison in made["comparisons"]:
        comparison["figures"] = [
            {
                name: _rounded(value) if name in _MEASURED else value
                for name, value in figures.items()
            }
            for figures in comparison["figures"]
        ]
    return {"is_met": verdict.is_met} | made


def _from_json(entry: dict[str, Any]) -> Verdict:
    fields = {name: value for name, value in entry.items() if name != "is_met"}
    fields["mesh"] = Mesh(**entry["mesh"])
    fields["limits"] = Limits(**entry["limits"])
    fields["comparisons"] = tuple(
        Comparison(
            finer_mesh=Mesh(**c["finer_mesh"]),
            finer_is_flux_integrated=c["finer_is_flux_integrated"],
            figures=tuple(Figures(**f) for f in c["figures"]),
        )
        for c in entry["comparisons"]
    )
    return Verdict(**fields)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
