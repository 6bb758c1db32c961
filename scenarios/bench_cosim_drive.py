"""The shipped car over one WLTC: table, rules, vehicle, pack and cooling, recorded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

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
    results, loading_s, drive_s = [], [], []
    for _ in range(_REPEATS):
        began_s = time.process_time()  # other programs do not count
        system = day.drive_system()
        loaded_s = time.process_time()
        results.append(day.time_drive(system))
        loading_s.append(loaded_s - began_s)
        drive_s.append(time.process_time() - loaded_s)
    first, simulated_s = results[0], results[0].status.time_s
    per_step_us = 1e6 / first.stats.step_count
    system = day.drive_system()
    began_s = time.process_time()
    in_python = day.time_drive(system, is_compiled=False)
    python_s = time.process_time() - began_s
    gap = np.abs(in_python.values - first.values).max()
    plan = first.provenance["loop"].partition(": ")[2]
    what = f"EV drive, one WLTC, {len(first.names)} signals recorded"
    return [
        at_least(
            "drive.speed",
            f"{what}: times real time, median of {_REPEATS} (in C: {plan})",
            simulated_s / float(np.median(drive_s)),
            "1",
            60_000.0,
        ),
        BenchRow(
            id="drive.step",
            what=f"{what}: per step, the fastest run",
            value=per_step_us * min(drive_s),
            unit="us",
        ),
        BenchRow(
            id="drive.loading",
            what="EV drive: opening its FMUs and wiring, before the run",
            value=1e3 * float(np.median(loading_s)),
            unit="ms",
        ),
        BenchRow(
            id="drive.python",
            what="EV drive, loop in Python, per step",
            value=per_step_us * python_s,
            unit="us",
        ),
        at_most("drive.gap", "EV drive, C against Python, largest gap", gap, "1", 0.0),
    ]
