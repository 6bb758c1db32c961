"""From what a solver returned to a `Run` on the 1-s grid, or to an error."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import Cell
from packtwin.pybamm_models.facts import cell_facts
from packtwin.pybamm_models.request import Request
from packtwin.pybamm_models.run import Run
from packtwin.twin.errors import ModelError

__all__ = ["as_run", "solve_failure"]


def as_run(
    cell: Cell,
    request: Request,
    solved_s: npt.NDArray[np.float64],
    arrays: dict[str, npt.NDArray[np.float64]],
    *,
    limit: str,
    solve_s: float,
) -> Run:
    """Make a run of what a solver returned at `solved_s`, event time included.

    Args:
        cell: Whose window counts.
        request: What was asked.
        solved_s: Times, increasing; whole seconds are kept.
        arrays: Outputs by name at those times.
        limit: Name of the event that ended it, empty if none.
        solve_s: Wall-clock time.
    """
    end_s = float(solved_s[-1])
    is_stopped = bool(limit)
    grid_s, index = np.unique(np.round(solved_s, 6), return_index=True)
    is_on_grid = grid_s == np.round(grid_s)
    if is_stopped:
        is_on_grid[-1] = False
    index = index[is_on_grid]
    grid_s = grid_s[is_on_grid]
    facts = cell_facts(cell)
    x = arrays["stoichiometry_negative_mean"]
    voltage_V = arrays["voltage_V"]
    margin_V = np.minimum(
        voltage_V - cell.voltage_min_V, cell.voltage_max_V - voltage_V
    )
    return Run(
        name=request.name,
        kind=request.kind,
        cell=cell.name,
        status="limit" if is_stopped else "ok",
        limit=limit,
        end_time_s=end_s,
        first_limit_s=_first_crossing_s(solved_s, margin_V),
        start_soc=request.start_soc,
        heat_transfer_coefficient_W_per_m2_K=(
            request.heat_transfer_coefficient_W_per_m2_K
        ),
        solve_s=solve_s,
        time_s=grid_s,
        current_A=np.interp(grid_s, request.time_s, request.current_A),
        coolant_temperature_K=np.interp(
            grid_s, request.time_s, request.coolant_temperature_K
        ),
        soc=((x - facts.x0) / (facts.x100 - facts.x0))[index],
        is_in_window=(margin_V >= 0)[index],
        **{name: values[index] for name, values in arrays.items()},
    )


def solve_failure(cell: Cell, request: Request, reason: Exception) -> ModelError:
    """Return the error of a solve that failed because of `reason`, to be raised."""
    return ModelError(
        f"The ground truth of cell `{cell.name}` failed on `{request.name}` "
        f"(start SOC {request.start_soc:.3f}, start temperature "
        f"{request.start_temperature_K:.1f} K): {str(reason).rstrip('.')}. Lower the "
        "current or start inside the window."
    )


def _first_crossing_s(
    time_s: npt.NDArray[np.float64], margin_V: npt.NDArray[np.float64]
) -> float:
    outside = np.flatnonzero(margin_V < 0)
    if not len(outside):
        return float("nan")
    last = int(outside[0])
    if last == 0:
        return float(time_s[0])
    share = margin_V[last - 1] / (margin_V[last - 1] - margin_V[last])
    return float(time_s[last - 1] + share * (time_s[last] - time_s[last - 1]))
