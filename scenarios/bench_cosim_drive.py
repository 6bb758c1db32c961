"""The shipped car over one WLTC: table, rules, vehicle, pack and cooling, recorded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from packtwin.cosim.masters import GaussSeidel
from packtwin.cosim.result import Result
from packtwin.cosim.simulate import simulate
from packtwin.scenarios.bench import BenchRow, at_least, at_most
from packtwin.scenarios.ev_day import EvDay
from packtwin.scenarios.loading import load_scenario
from packtwin.scenarios.pipeline import Pipeline
from packtwin.scenarios.stages import ScenarioStages

__all__ = ["rows"]

_SCENARIO, _CYCLE = "ev_fast_charge_day", "wltc_class3b"
_REPEATS = 15


def rows(folder: Path) -> Sequence[BenchRow]:
    """Measure the drive, with its FMUs exported here."""
    scenario = load_scenario(_SCENARIO)
    drive = scenario.drive.model_copy(update={"cycles": (_CYCLE,)})
    scenario = scenario.model_copy(update={"drive": drive})
    stages = ScenarioStages(scenario, is_retrained=False)
    target = folder / "drive"
    Pipeline(
        folder=target,
        stages=stages.stages()[:1],
        progress=lambda _name, _share, _text: None,
    ).run()
    day = EvDay(scenario, stages.spec(target), target / "fmu")
    step_s = scenario.simulation.step_s
    runs = [_run(day, step_s) for _ in range(_REPEATS)]
    in_python, python_s, _ = _run(day, step_s, is_compiled=False)
    first = runs[0][0]
    per_step_s = np.array([spent_s for _, spent_s, _ in runs])
    gap = np.abs(in_python.values - first.values).max()
    plan = first.provenance["loop"].partition(": ")[2]
    what = f"EV drive, one WLTC, {len(first.names)} signals recorded"
    return [
        at_least(
            "drive.speed",
            f"{what}: times real time, median of {_REPEATS} (in C: {plan})",
            step_s / float(np.median(per_step_s)),
            "1",
            60_000.0,
        ),
        BenchRow(
            id="drive.step",
            what=f"{what}: per step, the fastest run",
            value=float(1e6 * per_step_s.min()),
            unit="us",
        ),
        BenchRow(
            id="drive.loading",
            what="EV drive: loading its FMUs, starting and closing them; apart",
            value=float(1e3 * np.median([rest_s for _, _, rest_s in runs])),
            unit="ms",
        ),
        BenchRow(
            id="drive.python",
            what="EV drive, loop in Python, per step",
            value=1e6 * python_s,
            unit="us",
        ),
        at_most("drive.gap", "EV drive, C against Python, largest gap", gap, "1", 0.0),
    ]


def _run(
    day: EvDay, step_s: float, *, is_compiled: bool = True
) -> tuple[Result, float, float]:
    """Return a drive, the seconds per step and those of all but the steps.

    It is processor time, in which other programs do not count, from the first to the
    last report of progress.
    """
    reports: list[tuple[float, float]] = []
    began_s = time.process_time()
    result = simulate(
        day.drive_system(),
        stop_s=day.plan.duration_s,
        step_s=step_s,
        master=GaussSeidel(is_compiled=is_compiled),
        progress=lambda share: reports.append((share, time.process_time())),
    )
    whole_s = time.process_time() - began_s
    (first, from_s), (last, to_s) = reports[0], reports[-1]
    stepping_s = (to_s - from_s) / (last - first)
    return result, stepping_s / result.stats.step_count, whole_s - stepping_s
