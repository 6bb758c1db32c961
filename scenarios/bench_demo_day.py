"""The whole day of `packtwin bench demo`: limits, balances and the charge it must beat.

The replays on the DFN need PyBaMM; without it their rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from packtwin.scenarios.bench import BenchRow, at_least, at_most
from packtwin.scenarios.ev_day import EvDay
from packtwin.scenarios.fingerprints import has_physics
from packtwin.scenarios.pipeline import Pipeline
from packtwin.scenarios.scenario import Scenario
from packtwin.scenarios.simulation import read_summary
from packtwin.scenarios.stages import ScenarioStages
from packtwin.twin.errors import ScenarioError
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["day_rows", "part"]

Progress: TypeAlias = Callable[[float, str], None]


def day_rows(
    scenario: Scenario,
    ambient_K: float,
    folder: Path,
    spec: SurrogateSpec,
    progress: Progress,
) -> Iterator[BenchRow]:
    """Run the whole day at one ambient temperature."""
    drive = scenario.drive.model_copy(update={"ambient_temperature_K": ambient_K})
    day_scenario = scenario.model_copy(update={"drive": drive})
    place = f"{ambient_K - 273.15:.0f}degC"
    target = folder / place
    stages = ScenarioStages(day_scenario, is_retrained=False).stages()
    quiet = Pipeline(
        folder=target,
        stages=stages[:2],
        progress=lambda _name, share, text: progress(0.5 * share, text),
    )
    quiet.run()
    s = read_summary(target)
    yield from _charge_rows(s, place)
    yield from _balance_rows(s, place)
    if has_physics():
        yield from _search_rows(day_scenario, spec, target, s, part(progress, 0.5, 1.0))


def _charge_rows(s: dict[str, Any], place: str) -> Iterator[BenchRow]:
    yield BenchRow(
        id=f"mpc.{place}.keeps_limits",
        what="MPC keeps voltage, temperature and plating limits on the surrogate pack",
        value=float(s["mpc_keeps_limits"]),
        unit="1",
        target="1",
        met=bool(s["mpc_keeps_limits"]),
    )
    yield BenchRow(
        id=f"charge_start_soc.{place}",
        what="state of charge when plugged in",
        value=100.0 * s["charge_start_soc"],
        unit="%",
    )
    is_whole = s.get("mpc_dfn_status") == "completed"
    lowest = s["mpc_dfn_plating_potential_min_V"] if is_whole else float("-inf")
    if has_physics():
        yield BenchRow(
            id=f"mpc.{place}.dfn_plating_min",
            what="lowest plating potential of the DFN (mean cell) on the MPC's current"
            + ("" if is_whole else ": the replay did not complete"),
            value=1e3 * lowest if is_whole else -1e9,
            unit="mV",
            target=">= -5",
            met=is_whole and lowest >= -0.005,
        )
    for key, what in (
        ("mpc_charge_time_s", "charge time, MPC"),
        ("cccv_charge_time_s", "charge time, fastest CC-CV with the same margins"),
    ):
        yield BenchRow(
            id=f"{key.removesuffix('_s')}.{place}",
            what=what,
            value=s[key] / 60.0,
            unit="min",
        )
    yield BenchRow(
        id=f"mpc.{place}.solve_median",
        what="MPC solve time, median",
        value=1e3 * s["mpc_solve_time_median_s"],
        unit="ms",
    )
    yield BenchRow(
        id=f"mpc.{place}.solve_p99",
        what="MPC solve time, 99 %",
        value=1e3 * s["mpc_solve_time_p99_s"],
        unit="ms",
    )


def _balance_rows(s: dict[str, Any], place: str) -> Iterator[BenchRow]:
    yield at_most(
        f"lithium.{place}",
        "summed current against the lithium of each electrode, over the throughput",
        s["charge_balance_residual_fraction"],
        "1",
        1e-9,
    )
    for part, limit in (
        ("pack", 1e-6),
        ("cooling", 1e-6),
        ("vehicle", 1e-6),
        ("system", 1e-3),
    ):
        yield at_most(
            f"ledger.{place}.{part}",
            f"energy residual of {part} over the turnover",
            max(
                s[f"ledger.{name}.{part}.residual_fraction"] for name in ("mpc", "cccv")
            ),
            "1",
            limit,
        )
    yield at_least(
        f"cosim.{place}.drive_speed",
        "co-simulated drive without MPC, recording all, times real time",
        s["drive_real_time_factor"],
        "1",
        5000.0,
    )


def _search_rows(
    scenario: Scenario,
    spec: SurrogateSpec,
    folder: Path,
    s: dict[str, Any],
    progress: Progress,
) -> Iterator[BenchRow]:
    """Compare with the fastest CC-CV whose *DFN* replay does not plate."""
    best = _plating_free_cccv(scenario, spec, folder, progress)
    place = f"{scenario.drive.ambient_temperature_K - 273.15:.0f}degC"
    yield BenchRow(
        id=f"cccv.{place}.plating_free",
        what=f"charge time, fastest CC-CV without plating on the DFN ({best[0]:.2f}C)",
        value=best[1] / 60.0,
        unit="min",
    )
    yield at_most(
        f"mpc.{place}.against_plating_free_cccv",
        "MPC charge time over that of the fastest plating-free CC-CV",
        s["mpc_charge_time_s"] / best[1],
        "1",
        1.0,
    )


def _plating_free_cccv(
    scenario: Scenario, spec: SurrogateSpec, folder: Path, progress: Progress
) -> tuple[float, float]:
    """Return C-rate and charge time, s, of the fastest CC-CV without plating.

    By bisection to 0.02C; whether it plates is judged on the DFN.
    """
    from packtwin.scenarios.replays import replay_days

    day = EvDay(scenario, spec, folder / "fmu")
    low, high, best_s = 0.1, scenario.charge.c_rate_maximum, float("nan")
    for count in range(12):
        rate = 0.5 * (low + high)
        name = f"search_{count}"
        progress(min(0.95, 0.12 * count), f"DFN replay of CC-CV at {rate:.2f} C")
        trial = day.cccv(rate, _silent)
        replay = replay_days(
            scenario, spec, {name: trial}, folder / f"replay_{name}", _silent
        ).get(name)
        # What the DFN cannot follow to the end counts as plating.
        is_free = replay is not None and replay.status.kind == "completed"
        if is_free and replay is not None:
            charging = replay.time_s > trial.drive_end_s
            is_free = replay["dfn.plating_potential_V"][charging].min() >= 0.0
        if is_free and np.isfinite(trial.charge_time_s):
            low, best_s = rate, trial.charge_time_s
        else:
            high = rate
        if high - low <= 0.02 and np.isfinite(best_s):
            break
    if not np.isfinite(best_s):
        msg = (
            f"Scenario `{scenario.name}`: no CC-CV charge between 0.1 and "
            f"{scenario.charge.c_rate_maximum} C reaches its target without plating on "
            "the DFN; lower the target or warm the pack."
        )
        raise ScenarioError(msg)
    return low, best_s


def _silent(_share: float, _text: str) -> None:
    """Report no progress."""


def part(progress: Progress, start: float, end: float) -> Progress:
    """Return the progress of a part of the whole, from `start` to `end`."""
    return lambda share, text: progress(start + (end - start) * share, text)
