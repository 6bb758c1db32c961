"""Every figure a report quotes, as one flat table; see `scenarios.report_inputs`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result import Result
from packtwin.scenarios.ev_day import Day, charge_slice
from packtwin.scenarios.ledger import charge_balance, energy_balances
from packtwin.scenarios.replays import COMPARED
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.cooling_parameters import CoolingParameters

__all__ = ["day_figures", "replay_figures", "scenario_figures", "ten_lines"]

Array: TypeAlias = NDArray[np.float64]


def scenario_figures(scenario: Scenario, day: Day, margin_V: float) -> dict[str, Any]:
    """Return the aims of the charge and the figures of the drive."""
    part = charge_slice(day)
    drive = slice(0, part.start + 1)
    result, charge = day.result, scenario.charge
    h = np.diff(result.time_s[drive])
    return {
        "scenario": scenario.name,
        "charge_start_soc": float(result["pack.soc"][part][0]),
        "charge_end_soc": charge.target_soc,
        "cell_voltage_limit_V": charge.cell_voltage_maximum_V,
        "temperature_limit_K": charge.temperature_maximum_K,
        "plating_margin_V": margin_V,
        "plating_target_V": charge.plating_target_V,
        "n_series": scenario.pack.n_series,
        "n_parallel": scenario.pack.n_parallel,
        "ambient_temperature_K": scenario.drive.ambient_temperature_K,
        "drive_duration_s": day.drive_end_s,
        "drive_distance_m": float(result["vehicle.distance_m"][drive][-1]),
        "drive_energy_J": float(result["pack.power_W"][drive][1:] @ h),
        "drive_temperature_max_K": float(result["pack.temperature_max_K"][drive].max()),
        "drive_unmet_energy_J": float(result["vehicle.unmet_power_W"][drive][1:] @ h),
    }


def day_figures(name: str, day: Day, scenario: Scenario) -> dict[str, Any]:
    """Return the figures of one day's charge, its balances and its controller."""
    result, part = day.result, charge_slice(day)
    h = np.diff(result.time_s)
    after = slice(part.start + 1, None)
    figures: dict[str, Any] = {
        "charge_time_s": day.charge_time_s,
        "charge_energy_J": -float(result["pack.power_W"][after] @ h[part.start :]),
        "cooling_energy_J": float(
            result["cooling.cooling_power_W"][after] @ h[part.start :]
        ),
        "temperature_max_K": float(result["pack.temperature_max_K"][part].max()),
        "cell_voltage_max_V": float(result["pack.cell_voltage_max_V"][part].max()),
        "plating_potential_min_V": float(
            result["pack.plating_potential_min_V"][after].min()
        ),
        "c_rate_max": float(-result["pack.c_rate"][after].min()),
        "end_soc": float(result["pack.soc"][-1]),
        "out_of_domain_s": float((result["pack.is_in_domain"][1:] < 0.5) @ h),
        "wall_time_s": result.stats.wall_s,
        "real_time_factor": result.stats.real_time_factor,
    }
    if "charger.solve_time_s" in result:
        figures |= _controller_figures(result, part, scenario.charge.period_s)
    cooling = CoolingParameters(**scenario.cooling)
    ledger: dict[str, float] = {}
    for balance in energy_balances(
        result,
        plate_J_per_K=cooling.plate_heat_capacity_J_per_K,
        reservoir_J_per_K=cooling.reservoir_heat_capacity_J_per_K,
    ):
        ledger |= balance.figures(f"ledger.{name}")
    lithium = charge_balance(result)
    figures |= {
        "ledger_residual_fraction": ledger[f"ledger.{name}.system.residual_fraction"],
        "charge_balance_residual_fraction": lithium.residual_fraction,
        "throughput_Ah": lithium.throughput_Ah,
    }
    return {f"{name}_{key}": value for key, value in figures.items()} | ledger


def replay_figures(name: str, replay: Result, drive_end_s: float) -> dict[str, Any]:
    """Return how the DFN answers the same current and how far the surrogate is off.

    Errors are those of the charge; a replay that stopped early counts as far as it
    came.
    """
    charging = replay.time_s > drive_end_s
    figures: dict[str, Any] = {
        "dfn_status": replay.status.kind,
        "dfn_end_s": float(replay.time_s[-1]),
        "dfn_solve_time_s": replay.stats.wall_s,
    }
    if charging.any():
        truth = {q: replay[f"dfn.{q}"][charging] for q in COMPARED}
        ours = {q: replay[f"surrogate.{q}"][charging] for q in COMPARED}
        figures |= {
            "dfn_plating_potential_min_V": float(truth["plating_potential_V"].min()),
            "dfn_cell_voltage_max_V": float(truth["voltage_V"].max()),
            "dfn_temperature_max_K": float(truth["temperature_K"].max()),
            "surrogate_plating_potential_min_V": float(
                ours["plating_potential_V"].min()
            ),
        }
        for quantity in COMPARED:
            stem, _, unit = quantity.rpartition("_")
            gap = ours[quantity] - truth[quantity]
            figures[f"dfn_{stem}_rms_{unit}"] = float(np.sqrt(np.mean(gap**2)))
            figures[f"dfn_{stem}_error_max_{unit}"] = float(np.abs(gap).max())
    return {f"{name}_{key}": value for key, value in figures.items()}


def ten_lines(summary: Mapping[str, Any]) -> list[str]:
    """Return the ten lines that end a run."""
    from packtwin.scenarios.quantity_text import quantity_text

    def show(key: str) -> str:
        name = key.removeprefix("mpc_").removeprefix("cccv_")
        return quantity_text(name, summary.get(key)).replace("\u00a0", " ")

    def pair(key: str) -> str:
        return f"MPC {show(f'mpc_{key}')}, CC-CV {show(f'cccv_{key}')}"

    start, end = show("charge_start_soc"), show("charge_end_soc")
    searched = "given by the scenario"
    if summary.get("cccv_is_searched"):
        searched = (
            "the fastest that keeps the same limits"
            if summary.get("cccv_keeps_margins")
            else "the lowest tried; it does not keep the limits"
        )
    speed = float(summary["drive_real_time_factor"])
    return [
        f"Drive            {show('drive_distance_m')} in "
        f"{show('drive_duration_s')}, {show('drive_energy_J')} from the pack",
        f"Charge           {start} to {end}: {pair('charge_time_s')}",
        f"CC-CV rate       {show('cccv_c_rate')}, {searched}",
        f"Hottest cell     {pair('temperature_max_K')}; "
        f"limit {show('temperature_limit_K')}",
        f"Lowest plating   {pair('plating_potential_min_V')}; "
        f"margin {show('plating_margin_V')}",
        f"... on the DFN   {pair('dfn_plating_potential_min_V')}; "
        f"target {show('plating_target_V')}",
        f"Residuals        energy {show('ledger_residual_fraction')}, lithium "
        f"{show('charge_balance_residual_fraction')} of the turnover",
        f"MPC solve        median {show('mpc_solve_time_median_s')}, "
        f"99 % {show('mpc_solve_time_p99_s')}",
        f"Co-simulation    drive at {speed:.0f} times real time, pack FMU "
        f"{show('pack_step_time_s')} per step",
        f"Outside domain   {pair('out_of_domain_s')}",
    ]


def _controller_figures(
    result: Result, part: slice, period_s: float
) -> dict[str, float]:
    """Return what the planner did; one value per plan, not per step."""
    active = slice(part.start + 1, None)
    is_on = result["charger.is_charging"][active] > 0.5
    solve = result["charger.solve_time_s"][active][is_on]
    times = result.time_s[active][is_on]
    if not len(solve):
        return {"plan_count": 0.0}
    first = np.concatenate([[True], np.diff(solve) != 0.0])
    due = np.floor((times - times[0]) / period_s + 1e-9)
    fresh = first | np.concatenate([[True], np.diff(due) > 0.0])
    plans = solve[fresh]

    def series(name: str) -> Array:
        column: Array = result[f"charger.{name}"][active][is_on][fresh]
        return column

    return {
        "plan_count": float(len(plans)),
        "solve_time_median_s": float(np.median(plans)),
        "solve_time_p99_s": float(np.quantile(plans, 0.99)),
        "solve_time_max_s": float(plans.max()),
        "infeasible_count": float((series("is_feasible") < 0.5).sum()),
        "fallback_count": float((series("is_fallback") > 0.5).sum()),
        "slack_max_V": float(series("slack_V").max()),
        "slack_max_K": float(series("slack_K").max()),
    }
