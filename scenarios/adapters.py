"""Between the folders: physics facts and runs to what training takes, and back.

`pybamm_models` knows nothing of training and `twin` nothing of PyBaMM; what one calls
a fact or a run the other calls constants, tables and trajectories.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.pybamm_models.cells import Cell
from packtwin.twin.cycle import DriveCycle
from packtwin.twin.particle import graded_particle
from packtwin.twin.surrogate_spec import CellConstants
from packtwin.twin.table import Table, fit_table
from packtwin.twin.trajectory import Trajectory
from packtwin.twin.vehicle import VehicleParameters, vehicle_step_map

__all__ = [
    "cell_constants",
    "cell_current",
    "cell_tables",
    "knots_from_means",
    "report_certificate",
    "thin_knots",
    "trajectory",
]

Array: TypeAlias = NDArray[np.float64]

_SERIES = (
    "voltage_V",
    "ocv_V",
    "soc",
    "temperature_K",
    "plating_potential_V",
    "heat_irreversible_W",
    "heat_reversible_W",
    "stoichiometry_negative_surface",
    "stoichiometry_positive_surface",
)
_NOMINAL_CELL_V = 3.63
_HEAT_TABLE_K = (233.15, 363.15)
_HEAT_SAMPLES = 2601
_FLUX_PIECES, _DIFFUSION_PIECES = 520, 65
# Shells and how much thinner the outermost one is, as `exp(-stretch)`.
_SHELLS_NEGATIVE, _SHELLS_POSITIVE = (10, 3.0), (8, 2.0)
# Relaxing modes: shortest and longest time constant, how many.
_MODES_S, _MODE_ACTIVATION_kK = (2.0, 1500.0, 6), 2.5


def cell_constants(cell: Cell, facts: Any) -> CellConstants:
    """Return the constants of a surrogate from a cell's facts."""
    return CellConstants(
        nominal_capacity_Ah=cell.nominal_capacity_Ah,
        negative_capacity_Ah=facts.capacity_negative_Ah,
        positive_capacity_Ah=facts.capacity_positive_Ah,
        negative_stoichiometry_empty=facts.x0,
        negative_stoichiometry_full=facts.x100,
        positive_stoichiometry_empty=facts.y0,
        positive_stoichiometry_full=facts.y100,
        heat_capacity_J_per_K=facts.heat_capacity_J_per_K,
        cooling_area_m2=facts.cooling_area_m2,
        negative_particle=graded_particle(
            *_SHELLS_NEGATIVE, facts.negative_diffusion.rate_per_s
        ),
        positive_particle=graded_particle(
            *_SHELLS_POSITIVE, facts.positive_diffusion.rate_per_s
        ),
        mode_time_constants_s=tuple(float(t) for t in np.geomspace(*_MODES_S)),
        mode_activation_kK=_MODE_ACTIVATION_kK,
        reference_temperature_K=facts.reference_temperature_K,
        voltage_minimum_V=cell.voltage_min_V,
        voltage_maximum_V=cell.voltage_max_V,
    )


def cell_tables(facts: Any) -> dict[str, Table]:
    """Return the tables of a surrogate from a cell's facts.

    The heat content is the integral of the heat capacity over temperature, 0 at the
    reference temperature; beyond the facts' table the capacity is held.
    """
    warm_K = np.linspace(*_HEAT_TABLE_K, _HEAT_SAMPLES)
    capacity = np.interp(
        warm_K, facts.heat_capacity_temperature_K, facts.heat_capacity_table_J_per_K
    )
    step_J = 0.5 * (capacity[1:] + capacity[:-1]) * np.diff(warm_K)
    heat_J = np.concatenate([[0.0], np.cumsum(step_J)])
    heat_J -= np.interp(facts.reference_temperature_K, warm_K, heat_J)
    return {
        "ocp_negative_V": fit_table(facts.x, facts.ocp_negative_V),
        "ocp_positive_V": fit_table(facts.y, facts.ocp_positive_V),
        "entropy_negative_V_per_K": fit_table(facts.x, facts.entropic_negative_V_per_K),
        "entropy_positive_V_per_K": fit_table(facts.y, facts.entropic_positive_V_per_K),
        "temperature_K": fit_table(heat_J, warm_K),
        "heat_content_J": fit_table(warm_K, heat_J),
        **{
            f"{name}_{side}": table
            for side, d in (
                ("negative", facts.negative_diffusion),
                ("positive", facts.positive_diffusion),
            )
            for name, table in (
                ("flux", fit_table(d.stoichiometry, d.phi, _FLUX_PIECES)),
                ("diffusion", fit_table(d.temperature_K, d.factor, _DIFFUSION_PIECES)),
            )
        },
    }


def trajectory(run: Any, cell: Cell) -> Trajectory:
    """Return a recorded `pybamm_models.run.Run` as training and certifying take it.

    Samples count until the voltage first leaves the cell's window; training learns
    from all of them.
    """
    end_s = run.first_limit_s if np.isfinite(run.first_limit_s) else np.inf
    is_constant = run.kind.startswith("constant")
    rate = float(np.abs(run.current_A).max() / cell.nominal_capacity_Ah)
    return Trajectory(
        name=run.name,
        time_s=run.time_s,
        current_A=run.current_A,
        coolant_temperature_K=run.coolant_temperature_K,
        heat_transfer_coefficient_W_per_m2K=run.heat_transfer_coefficient_W_per_m2_K,
        start_soc=run.start_soc,
        series={name: getattr(run, name) for name in _SERIES},
        is_valid=run.is_in_window & (run.time_s <= end_s),
        is_learnable=np.ones(len(run.time_s), dtype=bool),
        labels={
            "kind": run.kind,
            "c_rate": round(rate, 3) if is_constant else None,
            "temperature_K": round(float(run.temperature_K[0]), 2),
            "nominal_capacity_Ah": cell.nominal_capacity_Ah,
        },
    )


def cell_current(
    vehicle: VehicleParameters, cycle: DriveCycle, cell_count: int
) -> tuple[Array, Array]:
    """Return knots (s, A) of a cell's current when the vehicle drives a cycle.

    The power is shared evenly by all cells and divided by a nominal voltage: what the
    certificate needs is a realistic current, the same for truth and surrogate.
    """
    step_map = vehicle_step_map(vehicle)
    names = step_map.interface.input_names
    u = np.array([v.start for v in step_map.interface.inputs], dtype=float)
    p = np.array([v.start for v in step_map.interface.parameters], dtype=float)
    at = step_map.interface.output_names.index("power_request_W")
    memory, _ = step_map.start(u, p)
    power_W = []
    for k, (speed, slope) in enumerate(zip(*cycle.step_means(1.0), strict=True)):
        u[names.index("speed_m_per_s")] = speed
        u[names.index("acceleration_m_per_s2")] = slope
        memory, y, _ = step_map.advance(memory, float(k), 1.0, u, p)
        power_W.append(float(y[at]))
    return knots_from_means(np.array(power_W) / (cell_count * _NOMINAL_CELL_V))


def knots_from_means(mean: Array, step_s: Array | float = 1.0) -> tuple[Array, Array]:
    """Return knots of a piecewise-linear signal with the same integral as step means.

    A knot is the average of the steps beside it, weighted by their lengths; the first
    and last are those steps' own values. So the integral is kept exactly.

    Args:
        mean: Mean over each step, shape `(n,)`.
        step_s: Length of each step, or of all.
    """
    h = np.broadcast_to(np.asarray(step_s, dtype=float), mean.shape)
    inner = (mean[1:] * h[1:] + mean[:-1] * h[:-1]) / (h[1:] + h[:-1])
    values = np.concatenate([mean[:1], inner, mean[-1:]])
    return np.concatenate([[0.0], np.cumsum(h)]), values


def thin_knots(
    time_s: Array, columns: Sequence[Array], tolerances: Sequence[float]
) -> NDArray[np.intp]:
    """Return the knots to keep so that each linear signal stays within its tolerance.

    A solver stops at every knot, so fewer are faster. After D. Douglas, T. Peucker,
    Cartographica 10 (1973) 112-122, doi:10.3138/FM57-6770-U75U-7727.
    """
    is_kept = np.zeros(len(time_s), dtype=bool)
    is_kept[[0, -1]] = True
    pending = [(0, len(time_s) - 1)]
    while pending:
        a, b = pending.pop()
        if b - a < 2:
            continue
        inner = slice(a + 1, b)
        share = (time_s[inner] - time_s[a]) / (time_s[b] - time_s[a])
        miss = np.zeros(b - a - 1)
        for values, tolerance in zip(columns, tolerances, strict=True):
            line = values[a] + share * (values[b] - values[a])
            miss = np.maximum(miss, np.abs(values[inner] - line) / tolerance)
        worst = int(miss.argmax())
        if miss[worst] > 1.0:
            split = a + 1 + worst
            is_kept[split] = True
            pending += [(a, split), (split, b)]
    return np.flatnonzero(is_kept)


def report_certificate(
    certificate: dict[str, Any], provenance: dict[str, Any]
) -> dict[str, Any]:
    """Return a spec's certificate in the shape that the report shows."""
    if not certificate:
        return {}
    targets = certificate.get("targets", [])
    return {
        **certificate,
        "is_valid": bool(targets) and all(item["met"] for item in targets),
        "errors": certificate.get("errors") or _error_rows(certificate.get("runs", [])),
        "provenance": provenance,
    }


def _error_rows(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, float, float], list[dict[str, Any]]] = {}
    for run in runs:
        labels = run["labels"]
        rate = labels.get("c_rate")
        key = (
            str(labels.get("kind", "run")),
            round(float(run["start_temperature_K"]), 1),
            -1.0 if rate is None else float(rate),
        )
        groups.setdefault(key, []).append(run)
    return [
        {
            "kind": kind.replace("_", " "),
            "temperature_K": temperature_K,
            "c_rate": None if rate < 0.0 else rate,
            "run_count": len(group),
            "statistics": {
                quantity: {
                    "rms": float(
                        np.sqrt(np.mean([run["rms"][quantity] ** 2 for run in group]))
                    ),
                    "p99": max(run["p99"][quantity] for run in group),
                    "maximum": max(run["maximum"][quantity] for run in group),
                    "count": len(group),
                }
                for quantity in group[0]["rms"]
            },
        }
        for (kind, temperature_K, rate), group in sorted(groups.items())
    ]
