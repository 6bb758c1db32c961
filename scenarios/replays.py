"""Replay a recorded day on the ground truth: the mean cell's current on the DFN."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result import Result, RunStats, RunStatus
from packtwin.pybamm_models.cells import find_cell
from packtwin.scenarios.adapters import knots_from_means, thin_knots, trajectory
from packtwin.scenarios.ev_day import Day
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.rollout import Roller
from packtwin.twin.surrogate_spec import SurrogateSpec
from packtwin.twin.units import unit_of_name

__all__ = ["Replay", "replay_days", "replay_of"]

Array: TypeAlias = NDArray[np.float64]

_BLOCK_S = 10.0
_TOLERANCES = (0.002, 0.02)  # A and K: far below what the comparison resolves
COMPARED = ("voltage_V", "plating_potential_V", "temperature_K")


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """The DFN on a run's current, as a report reads it.

    `compared` maps a quantity to the run's series of the same, mean, cell.
    """

    time_s: Array
    voltage_V: Array
    temperature_K: Array
    plating_potential_V: Array
    soc: Array
    compared: Mapping[str, str] = field(default_factory=dict)


def replay_days(
    scenario: Scenario,
    spec: SurrogateSpec,
    days: Mapping[str, Day],
    folder: Path,
    progress: Callable[[float, str], None],
) -> dict[str, Result]:
    """Solve the DFN on the mean cell's current of charges, in parallel.

    The DFN starts at rest some minutes before the charge, so that this begins with
    the gradients that the drive has left; there the current is averaged over 10 s.
    Its heat-transfer coefficient is constant; the coolant temperature is shifted so
    that the heat flow at the recorded temperature is the recorded one. Each returned
    series is `dfn.*` or, for the surrogate's cell on the same current, `surrogate.*`.

    Args:
        scenario: The job.
        spec: The surrogate, compared on exactly the same current.
        days: By the name of their charger.
        folder: Where solved runs are kept, so that a killed replay resumes.
        progress: Called with the fraction done and a message.
    """
    # The one import of PyBaMM here; see `stages.require_physics`.
    from packtwin.pybamm_models.dataset import generate, load

    cell = find_cell(scenario.cell.name)
    requests = {name: _request(scenario, name, day) for name, day in days.items()}
    generate(
        cell,
        tuple(requests.values()),
        folder,
        n_threads=min(len(requests), scenario.dataset.n_thread),
        progress=lambda done, total, outcome: progress(
            done / total, f"DFN replay {outcome.name}: {outcome.status}"
        ),
    )
    runs = {run.name: run for run in load(folder)}
    roller = Roller(spec)
    return {
        name: _as_result(
            runs[name],
            roller.follow(trajectory(runs[name], cell)),
            float(days[name].result.time_s[-1] - request.time_s[-1]),
        )
        for name, request in requests.items()
        if name in runs
    }


def replay_of(result: Result | None) -> Replay | None:
    """Return a stored replay as a report reads it."""
    if result is None:
        return None
    return Replay(
        time_s=result.time_s,
        voltage_V=result["dfn.voltage_V"],
        temperature_K=result["dfn.temperature_K"],
        plating_potential_V=result["dfn.plating_potential_V"],
        soc=result["dfn.soc"],
        compared={quantity: f"surrogate.{quantity}" for quantity in COMPARED},
    )


def _request(scenario: Scenario, name: str, day: Day) -> Any:
    """Return the last part of the drive, in blocks, and the charge, step by step."""
    from packtwin.pybamm_models.request import Request

    result, step_s = day.result, scenario.simulation.step_s
    plug = int(np.searchsorted(result.time_s, day.drive_end_s - 1e-6))
    block = max(1, round(_BLOCK_S / step_s))
    count = min(int(scenario.simulation.replay_lead_s / step_s), plug) // block
    start = plug - count * block
    current = result["pack.current_A"] / scenario.pack.n_parallel
    lead = current[start + 1 : plug + 1].reshape(count, block).mean(axis=1)
    h = np.concatenate([np.full(count, block * step_s), np.diff(result.time_s[plug:])])
    time_s, knots_A = knots_from_means(np.concatenate([lead, current[plug + 1 :]]), h)
    rows = np.concatenate(
        [np.arange(start, plug, block), np.arange(plug, len(current))]
    )
    film = result["cooling.heat_transfer_coefficient_W_per_m2K"][rows]
    warm_K = result["pack.temperature_mean_K"][rows]
    coolant_K = result["cooling.coolant_temperature_K"][rows]
    constant = float(film.mean())
    coolant_K = warm_K - film / constant * (warm_K - coolant_K)
    kept = thin_knots(time_s, (knots_A, coolant_K), _TOLERANCES)
    return Request(
        name=name,
        kind="replay",
        time_s=time_s[kept],
        current_A=knots_A[kept],
        start_soc=float(result["pack.soc"][start]),
        start_temperature_K=float(warm_K[0]),
        coolant_temperature_K=coolant_K[kept],
        heat_transfer_coefficient_W_per_m2_K=constant,
    )


def _as_result(run: Any, rolled: Mapping[str, Array], start_s: float) -> Result:
    columns = {f"dfn.{name}": getattr(run, name) for name in (*COMPARED, "soc")}
    columns |= {f"surrogate.{name}": rolled[name] for name in COMPARED}
    columns["dfn.current_A"] = run.current_A
    length_s = float(run.time_s[-1])
    return Result(
        time_s=start_s + np.asarray(run.time_s, dtype=float),
        names=tuple(columns),
        units=tuple(unit_of_name(name) for name in columns),
        values=np.column_stack(list(columns.values())),
        status=RunStatus(
            kind="completed" if run.status == "ok" else "stopped",
            time_s=start_s + length_s,
            reason=run.limit,
        ),
        stats=RunStats(
            wall_s=float(run.solve_s),
            step_count=len(run.time_s) - 1,
            real_time_factor=length_s / max(float(run.solve_s), 1e-9),
        ),
        provenance={"model": "DFN", "cell": run.cell},
    )
