"""The simulate stage: two days, their replays, and every figure of the report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from packtwin.cosim.result import Result, read_parquet
from packtwin.scenarios.ev_day import Day, EvDay
from packtwin.scenarios.fingerprints import has_physics
from packtwin.scenarios.pipeline import write_text
from packtwin.scenarios.replays import COMPARED, Replay, replay_days, replay_of
from packtwin.scenarios.scenario import Scenario
from packtwin.scenarios.summary import (
    day_figures,
    replay_figures,
    scenario_figures,
)
from packtwin.twin.errors import ScenarioError
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["read_report_inputs", "read_summary", "simulate_scenario"]

Array: TypeAlias = NDArray[np.float64]
Report: TypeAlias = Callable[[float, str], None]

NAMES = ("mpc", "cccv")


def simulate_scenario(
    scenario: Scenario, spec: SurrogateSpec, folder: Path, progress: Report
) -> Sequence[Path]:
    """Run the day with MPC and with CC-CV, replay both, write series and summary.

    Args:
        scenario: The job.
        spec: The surrogate inside the pack FMU.
        folder: The run folder; the FMUs are in `fmu/`.
        progress: Called with the fraction done and a message.
    """
    day = EvDay(scenario, spec, folder / "fmu")
    days: dict[str, Day] = {}
    summary: dict[str, Any] = {}
    with_mpc = scenario.charge.controller == "mpc"
    if with_mpc:
        days["mpc"] = day.mpc(_part(progress, 0.0, 0.3))
    days["cccv"], figures = _baseline(scenario, day, _part(progress, 0.3, 0.6))
    summary |= scenario_figures(
        scenario, next(iter(days.values())), day.limits.plating_margin_V
    )
    summary |= figures
    for name, item in days.items():
        summary |= day_figures(name, item, scenario)
        summary[f"{name}_keeps_limits"] = day.keeps_limits(
            item,
            replace(
                day.limits,
                voltage_margin_V=0.0,
                temperature_margin_K=0.0,
            ),
        )
    summary["ledger_residual_fraction"] = max(
        summary[f"{name}_ledger_residual_fraction"] for name in days
    )
    summary["charge_balance_residual_fraction"] = max(
        summary[f"{name}_charge_balance_residual_fraction"] for name in days
    )
    summary |= _timing(day)
    replays = _replays(scenario, spec, days, folder, _part(progress, 0.6, 0.98))
    for name, replay in replays.items():
        summary |= replay_figures(name, replay, days[name].drive_end_s)
    results = {name: item.result for name, item in days.items()}
    return _write(folder, results, replays, summary)


def read_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a run folder.

    Raises:
        ScenarioError: It is missing or cut off.
    """
    path = folder / "summary.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = (
            f"`{path}` cannot be read ({error}); run `packtwin simulate` on the "
            "scenario again."
        )
        raise ScenarioError(msg) from error
    return dict(content)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Shown:
    """A run with the surrogate's mean cell beside its recorded series."""

    time_s: Array
    series: Mapping[str, Array]
    provenance: Mapping[str, str]


def read_report_inputs(
    folder: Path,
) -> tuple[dict[str, _Shown], dict[str, Replay | None], dict[str, Any]]:
    """Return runs, replays and summary of a run folder as the report takes them."""
    results: dict[str, _Shown] = {}
    replays: dict[str, Replay | None] = {}
    for name in NAMES:
        path = folder / f"result_{name}.parquet"
        if not path.is_file():
            continue
        result = read_parquet(path)
        other = folder / f"replay_{name}.parquet"
        replay = read_parquet(other) if other.is_file() else None
        series = result.series
        if replay is not None:
            series |= {
                f"surrogate.{quantity}": np.interp(
                    result.time_s, replay.time_s, replay[f"surrogate.{quantity}"]
                )
                for quantity in COMPARED
            }
        results[name] = _Shown(
            time_s=result.time_s, series=series, provenance=result.provenance
        )
        replays[name] = replay_of(replay)
    return results, replays, read_summary(folder)


def _baseline(
    scenario: Scenario, day: EvDay, progress: Report
) -> tuple[Day, dict[str, Any]]:
    c_rate = scenario.charge.baseline.c_rate
    if c_rate is not None:
        run = day.cccv(c_rate, progress)
        kept = day.keeps_limits(run, replace(day.limits, voltage_margin_V=0.0))
        return run, _baseline_figures(c_rate, kept, is_searched=False)
    c_rate, kept, run = day.best_cccv(progress)
    return run, _baseline_figures(c_rate, kept, is_searched=True)


def _baseline_figures(
    c_rate: float, is_kept: bool, *, is_searched: bool
) -> dict[str, Any]:
    return {
        "cccv_c_rate": c_rate,
        "cccv_is_searched": is_searched,
        "cccv_keeps_margins": is_kept,
    }


def _timing(day: EvDay) -> dict[str, float]:
    drive = day.time_drive()
    per_step = day.time_components()
    return {
        "drive_wall_time_s": drive.stats.wall_s,
        "drive_real_time_factor": drive.stats.real_time_factor,
        **{f"{name}_step_time_s": value for name, value in per_step.items()},
    }


def _replays(
    scenario: Scenario,
    spec: SurrogateSpec,
    days: Mapping[str, Day],
    folder: Path,
    progress: Report,
) -> dict[str, Result]:
    if not (scenario.simulation.has_replay and has_physics()):
        return {}
    return replay_days(scenario, spec, days, folder / "replay", progress)


def _write(
    folder: Path,
    results: Mapping[str, Result],
    replays: Mapping[str, Result],
    summary: Mapping[str, Any],
) -> list[Path]:
    outputs: list[Path] = []
    for stem in ("result", "replay"):
        for name in NAMES:
            (folder / f"{stem}_{name}.parquet").unlink(missing_ok=True)
    main = next(iter(results.values()))
    main.write_parquet(folder / "result.parquet")
    outputs.append(folder / "result.parquet")
    for stem, table in (("result", results), ("replay", replays)):
        for name, item in table.items():
            path = folder / f"{stem}_{name}.parquet"
            item.write_parquet(path)
            outputs.append(path)
    plain = {key: _plain(value) for key, value in summary.items()}
    path = folder / "summary.json"
    write_text(path, json.dumps(plain, indent=1, allow_nan=False) + "\n")
    return [*outputs, path]


def _plain(value: Any) -> Any:
    """Return a value for JSON; what is not finite was not computed."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _part(progress: Report, start: float, end: float) -> Report:
    return lambda fraction, text: progress(start + (end - start) * fraction, text)
