"""`packtwin bench demo`: the numbers of the main job, measured on the spot.

The held-out truth and the DFN replays need PyBaMM; without it their rows are left out
and one row says so.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

from packtwin.scenarios.adapters import trajectory
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_demo_day import day_rows, part
from packtwin.scenarios.fingerprints import has_physics
from packtwin.scenarios.loading import load_scenario
from packtwin.scenarios.scenario import Scenario
from packtwin.scenarios.stages import ScenarioStages
from packtwin.scenarios.truth import evaluation_plan
from packtwin.scenarios.vehicle_study import compare_with_epa, compare_with_fastsim
from packtwin.twin.surrogate_spec import SurrogateSpec

__all__ = ["rows"]

Progress: TypeAlias = Callable[[float, str], None]

SCENARIO = "ev_fast_charge_day"
AMBIENT_K = (298.15, 308.15)
TRUTH_FOLDER = Path("runs") / "bench" / "evaluation"  # kept: solving it takes minutes


def rows(progress: Progress) -> list[BenchRow]:
    """Measure everything and return one row per figure."""
    scenario = load_scenario(SCENARIO)
    stages = ScenarioStages(scenario, is_retrained=False)
    found: list[BenchRow] = []
    with tempfile.TemporaryDirectory(prefix="packtwin-bench-") as name:
        folder = Path(name)
        spec = stages.spec(folder)
        found += _vehicle_rows()
        progress(0.05, "vehicles compared")
        if has_physics():
            found += _surrogate_rows(scenario, spec, part(progress, 0.05, 0.5))
        else:
            found.append(_missing_physics())
        for k, ambient_K in enumerate(AMBIENT_K):
            share = part(progress, 0.5 + 0.25 * k, 0.75 + 0.25 * k)
            found += day_rows(scenario, ambient_K, folder, spec, share)
        found += _step_rows(folder)
    return found


def _surrogate_rows(
    scenario: Scenario, spec: SurrogateSpec, progress: Progress
) -> Iterator[BenchRow]:
    from packtwin.pybamm_models.cells import find_cell
    from packtwin.pybamm_models.dataset import generate, load
    from packtwin.twin.certificate import certify
    from packtwin.twin.certificate_target import CertificateTargets

    cell = find_cell(scenario.cell.name)
    plan = evaluation_plan(scenario)
    generate(
        cell,
        plan.requests,
        TRUTH_FOLDER,
        n_threads=scenario.dataset.n_thread,
        description=plan.description,
        progress=lambda done, total, outcome: progress(
            0.9 * done / total, f"DFN {outcome.name}"
        ),
    )
    runs = [trajectory(run, cell) for run in load(TRUTH_FOLDER)]
    runs = [run for run in runs if run.is_valid.sum() >= 2]
    targets = CertificateTargets(**scenario.certification.targets.model_dump())
    measured = certify(spec, runs, targets=targets).certificate
    for item in measured["targets"]:
        yield BenchRow(
            id=f"surrogate.{item['id']}",
            what=item["what"],
            value=item["value"],
            unit=item["unit"],
            target=f"<= {item['target']:g}",
            met=item["met"],
        )
    for key, value in measured["bounds"].items():
        yield BenchRow(
            id=f"surrogate.p99.{key}",
            what=f"99 % of the held-out set's samples have a smaller error of {key}",
            value=value,
            unit=key.rpartition("_")[2],
        )


def _vehicle_rows() -> Iterator[BenchRow]:
    table = compare_with_fastsim()
    for label, limit in (
        ("traction", 10.0),
        ("regenerated", 10.0),
        ("auxiliary", 10.0),
        ("battery", 7.0),
    ):
        errors = [abs(getattr(row, f"{label}_error")) for row in table]
        worst = table[int(np.argmax(errors))]
        yield at_most(
            f"vehicle.fastsim.{label}",
            f"{label} energy against FASTSim, worst of {len(table)} "
            f"({worst.vehicle}, {worst.cycle})",
            100.0 * max(errors),
            "%",
            limit,
        )
    for row in compare_with_epa():
        name = re.sub(r"\W+", "_", row.vehicle)
        note = " (its measurement contradicts its sisters')" if row.is_outlier else ""
        yield BenchRow(
            id=f"peer.epa.{name}.{row.cycle}.{row.mass_kg:.0f}kg",
            what=f"wall energy of {row.vehicle} on {row.cycle}, measured by EPA "
            f"(computed: {row.predicted_Wh_per_mi:.1f})",
            value=row.measured_Wh_per_mi,
            unit="Wh/mi",
        )
        yield at_most(
            f"vehicle.epa.{name}.{row.cycle}.{row.mass_kg:.0f}kg",
            f"wall energy of {row.vehicle} ({row.mass_kg:.0f} kg) on {row.cycle} "
            f"against EPA{note}",
            100.0 * abs(row.error),
            "%",
            10.0,
        )


def _step_rows(folder: Path) -> Iterator[BenchRow]:
    """Time the pack FMU here and under FMPy's own loop."""
    from packtwin.fmu.peer import time_component_step_s, time_fmpy_step_s

    path = next(folder.rglob("pack.fmu"))
    step_s = time_component_step_s(path, "power_request_W", (-20e3, 40e3))
    yield at_most(
        "fmu.pack_step",
        "pack FMU: set inputs, step in power mode, get outputs (median of 5)",
        1e6 * step_s,
        "us",
        20.0,
    )
    yield BenchRow(
        id="fmu.pack_step.fmpy",
        what="the same FMU under FMPy's simulate_fmu, per step (peer)",
        value=1e6 * time_fmpy_step_s(path),
        unit="us",
    )


def _missing_physics() -> BenchRow:
    return BenchRow(
        id="surrogate",
        what="held-out runs and DFN replays were not measured: PyBaMM is missing",
        value=0.0,
        unit="1",
        target="installed",
        met=False,
    )
