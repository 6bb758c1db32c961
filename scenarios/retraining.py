"""Retraining: generate runs, train a surrogate on them, certify it on others.

PyBaMM and torch are imported only inside the stages that need them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from packtwin.pybamm_models.cells import find_cell
from packtwin.pybamm_models.verdicts import verdict_record
from packtwin.scenarios.adapters import (
    cell_constants,
    cell_tables,
    trajectory,
)
from packtwin.scenarios.fingerprints import stage_fingerprint
from packtwin.scenarios.pipeline import Progress, read_manifest, write_text
from packtwin.scenarios.scenario import Scenario
from packtwin.scenarios.truth import (
    BEYOND,
    SPREAD,
    TRUST_FOLDER,
    USUAL,
    dataset_plan,
    evaluation_plan,
    trust_plans,
)
from packtwin.twin.errors import PackTwinError, ScenarioError, TrainingError
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec, save_spec
from packtwin.twin.trajectory import Trajectory

__all__ = ["certify_on_runs", "generate_runs", "require_extra", "train_on_runs"]

_FINE_POINTS = 2001  # of the facts' tables, for smooth splines


def require_extra(module: str, extra: str, what: str) -> None:
    """Refuse to go on without an optional library, naming the extra to install."""
    if module == "pybamm":
        os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
    if find_spec(module) is None:
        msg = (
            f"{what} needs `{module}`, which is not installed; "
            f'run `pip install "packtwin[{extra}]"`.'
        )
        raise PackTwinError(msg)


def generate_runs(
    scenario: Scenario, folder: Path, progress: Progress
) -> Sequence[Path]:
    """Solve the designed, the trust and the held-out runs; whole files are kept."""
    require_extra("pybamm", "physics", "Stage `generate`")
    from packtwin.pybamm_models.dataset import generate

    plans = (
        dataset_plan(scenario),
        *trust_plans(scenario),
        evaluation_plan(scenario),
    )
    total = sum(len(plan.requests) for plan in plans)
    outputs: list[Path] = []
    done = 0
    for plan in plans:
        outcomes = generate(
            plan.cell,
            plan.requests,
            folder / plan.name,
            n_threads=scenario.dataset.n_thread,
            description=plan.description,
            progress=_counted(progress, done, total),
        )
        done += len(plan.requests)
        outputs += [
            folder / plan.name / f"{outcome.name}.npz"
            for outcome in outcomes
            if outcome.status != "failed"
        ]
        outputs.append(folder / plan.name / "manifest.json")
    return outputs


def train_on_runs(
    scenario: Scenario, folder: Path, progress: Progress
) -> Sequence[Path]:
    """Train a surrogate on the designed runs but for the calibration ones."""
    require_extra("pybamm", "physics", "Stage `train`")
    require_extra("torch", "train", "Stage `train`")
    from packtwin.pybamm_models.facts import cell_facts
    from packtwin.twin.training import train_surrogate
    from packtwin.twin.training_regression import TrainingConfig

    s = scenario
    cell = find_cell(s.cell.name)
    facts = cell_facts(cell, _FINE_POINTS)
    training, _ = _split(scenario, folder)
    try:
        spec = train_surrogate(
            s.cell.name,
            cell_constants(cell, facts),
            cell_tables(facts),
            training,
            TrainingConfig(seed=s.header.seed, **s.training.model_dump()),
            provenance={
                "scenario": s.name,
                "dataset_fingerprint": stage_fingerprint(
                    s, "generate", is_retrained=True
                ),
                "command": f"packtwin train {s.name}",
            },
            progress=lambda share, text: progress(0.85 * share, text),
        )
    except TrainingError as error:
        if error.last_good is None:
            raise
        kept = folder / "surrogate" / "last_good.npz"
        save_spec(error.last_good, kept)
        msg = f"{error} The last good weights are in `{kept}`."
        raise TrainingError(
            msg, iteration=error.iteration, loss=error.loss, last_good=error.last_good
        ) from error
    path = folder / "surrogate" / "trained.npz"
    save_spec(_with_trust(scenario, folder, spec, training, progress), path)
    return [path]


def _with_trust(
    scenario: Scenario,
    folder: Path,
    spec: SurrogateSpec,
    training: Sequence[Trajectory],
    progress: Progress,
) -> SurrogateSpec:
    """Fit bounds and guard on the training runs and on those beyond them."""
    from packtwin.twin.training_trust import TrustConfig, fit_trust

    made = {plan.name for plan in trust_plans(scenario)}
    beyond = [
        _trajectories(scenario, folder / name)
        for name in (f"{TRUST_FOLDER}/{kind}" for kind in BEYOND)
        if name in made
    ]
    return fit_trust(
        spec,
        training,
        beyond,
        TrustConfig(seed=scenario.header.seed),
        lambda share, text: progress(0.85 + 0.15 * share, text),
    )


def certify_on_runs(
    scenario: Scenario, folder: Path, progress: Progress
) -> Sequence[Path]:
    """Attach a certificate from the held-out and calibration runs."""
    from packtwin.twin.calibration import calibrate, calibrate_tolerance
    from packtwin.twin.certificate import certify
    from packtwin.twin.certificate_target import CertificateTargets

    c = scenario.certification
    _, calibration = _split(scenario, folder)
    trained = load_spec(folder / "surrogate" / "trained.npz")
    usual = (
        _trajectories(scenario, folder / TRUST_FOLDER / USUAL)
        if scenario.trust.n_usual_run
        else []
    )
    calibrated = calibrate(trained, [*calibration, *usual])
    if scenario.trust.n_spread_run:
        calibrated = calibrate_tolerance(
            calibrated,
            _trajectories(scenario, folder / TRUST_FOLDER / SPREAD),
            scenario.trust.spread_tolerance,
        )
    spec = certify(
        calibrated,
        _trajectories(scenario, folder / "evaluation"),
        calibration=calibration,
        targets=CertificateTargets(**c.targets.model_dump()),
        strict=c.is_strict,
        progress=progress,
    )
    spec = replace(
        spec,
        certificate={
            **spec.certificate,
            "time_per_step_s": _pack_step_s(spec),
            "mesh_verdict": verdict_record(find_cell(scenario.cell.name)),
            "spent": _spent(folder),
        },
    )
    path = folder / "surrogate" / "certified.npz"
    save_spec(spec, path)
    certificate = folder / "certificate.json"
    write_text(certificate, json.dumps(spec.certificate, indent=1) + "\n")
    return [path, certificate]


def _spent(folder: Path) -> dict[str, dict[str, float]]:
    """Return how long the stages before took."""
    made = {name: read_manifest(folder, name) for name in ("generate", "train")}
    return {name: asdict(m.spent) for name, m in made.items() if m is not None}


def _pack_step_s(spec: SurrogateSpec) -> float | None:
    """Return the time of one step of the pack FMU; nothing without a compiler."""
    from packtwin.fmu.export import export_fmu
    from packtwin.fmu.peer import time_component_step_s
    from packtwin.twin.errors import CompilerError
    from packtwin.twin.pack import pack_step_map

    with tempfile.TemporaryDirectory(prefix="packtwin-certify-") as folder:
        try:
            path = export_fmu(
                pack_step_map(spec), Path(folder) / "pack.fmu", has_derivatives=False
            )
        except CompilerError:
            return None
        return time_component_step_s(path, "power_request_W", (-20e3, 40e3))


def _counted(progress: Progress, before: int, total: int) -> Any:
    """Return a data set's progress callback that counts on from `before`."""

    def report(done: int, _count: int, outcome: Any) -> None:
        progress((before + done) / total, f"{outcome.name}: {outcome.status}")

    return report


def _split(
    scenario: Scenario, folder: Path
) -> tuple[list[Trajectory], list[Trajectory]]:
    """Return training and calibration runs, drawn at random from the same design."""
    runs = _trajectories(scenario, folder / "dataset")
    n = scenario.certification.n_calibration_run
    if n >= len(runs):
        msg = (
            f"Scenario `{scenario.name}`: "
            f"`certification.n_calibration_run` is {n}, but only {len(runs)} "
            "designed runs succeeded; lower it or raise `dataset.n_run`."
        )
        raise ScenarioError(msg)
    order = np.random.default_rng(scenario.header.seed).permutation(len(runs))
    aside = set(order[:n].tolist())
    return (
        [run for i, run in enumerate(runs) if i not in aside],
        [runs[i] for i in sorted(aside)],
    )


def _trajectories(scenario: Scenario, folder: Path) -> list[Trajectory]:
    require_extra("pybamm", "physics", "Reading a data set")
    from packtwin.pybamm_models.dataset import load

    cell = find_cell(scenario.cell.name)
    made = [trajectory(run, cell) for run in load(folder) if len(run.time_s) > 2]
    return [run for run in made if run.is_valid.sum() > 2]
