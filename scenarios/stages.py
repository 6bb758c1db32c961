"""The six stages of a scenario: generate, train, certify, export, simulate, report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from packtwin.scenarios.adapters import report_certificate
from packtwin.scenarios.catalogue import find_path, known_names
from packtwin.scenarios.fingerprints import (
    STAGES,
    StageName,
    stage_fingerprint,
)
from packtwin.scenarios.fmu_model import FmuModel
from packtwin.scenarios.loading import scenario_toml
from packtwin.scenarios.pipeline import Progress, Stage, read_manifest, write_text
from packtwin.scenarios.retraining import (
    certify_on_runs,
    generate_runs,
    train_on_runs,
)
from packtwin.scenarios.scenario import Scenario
from packtwin.twin.calibration import declare_tolerance
from packtwin.twin.errors import ScenarioError
from packtwin.twin.surrogate_spec import SurrogateSpec, load_spec

__all__ = ["ScenarioStages", "surrogate_path"]


class ScenarioStages:
    """Makes the stages of one scenario.

    A run without retraining has three: export, simulate, report, with the shipped (or
    the scenario's own) surrogate as an input. Retraining adds the three before.
    """

    def __init__(self, scenario: Scenario, *, is_retrained: bool) -> None:
        """Choose the scenario and where its surrogate comes from."""
        self._scenario, self._is_retrained = scenario, is_retrained

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages in order."""
        names = STAGES if self._is_retrained else STAGES[3:]
        return tuple(self._stage(name) for name in names)

    def spec(self, folder: Path) -> SurrogateSpec:
        """Return the surrogate the later stages use.

        Raises:
            ScenarioError: There is none; the message says how to get one.
        """
        spec = load_spec(self.spec_path(folder))
        return declare_tolerance(spec, self._scenario.cell.parameter_tolerance)

    def spec_path(self, folder: Path) -> Path:
        """Return the file of the surrogate the later stages use."""
        if self._is_retrained:
            return folder / "surrogate" / "certified.npz"
        return surrogate_path(self._scenario)

    def _stage(self, name: StageName) -> Stage:
        first = "generate" if self._is_retrained else "export"
        at = STAGES.index(name)
        if name == "export" and not self._is_retrained:
            surrogate_path(self._scenario)
        return Stage(
            name=name,
            fingerprint=stage_fingerprint(
                self._scenario, name, is_retrained=self._is_retrained
            ),
            work=getattr(self, f"_{name}"),
            seed=self._scenario.header.seed,
            upstream="" if name == first else STAGES[at - 1],
        )

    def _generate(self, folder: Path, progress: Progress) -> Sequence[Path]:
        return generate_runs(self._scenario, folder, progress)

    def _train(self, folder: Path, progress: Progress) -> Sequence[Path]:
        return train_on_runs(self._scenario, folder, progress)

    def _certify(self, folder: Path, progress: Progress) -> Sequence[Path]:
        return certify_on_runs(self._scenario, folder, progress)

    def _export(self, folder: Path, progress: Progress) -> Sequence[Path]:
        from packtwin.scenarios.fmu_models import cooling_fmu, pack_fmu, vehicle_fmu
        from packtwin.twin.cooling import CoolingParameters
        from packtwin.twin.pack import PackLayout

        s, spec = self._scenario, self.spec(folder)
        start_K = s.start_temperature_K
        layout = PackLayout(**{**s.pack.model_dump(), "start_temperature_K": start_K})
        coolant = {"initial_coolant_temperature_K": start_K, **s.cooling}
        plans: dict[str, Callable[[], FmuModel]] = {
            "vehicle": lambda: vehicle_fmu(s.vehicle.name),
            "cooling": lambda: cooling_fmu(CoolingParameters(**coolant)),
            "pack": lambda: pack_fmu(spec, layout),
        }
        outputs = []
        for k, (name, make) in enumerate(plans.items()):
            progress((k + 0.1) / len(plans), f"compiling {name}.fmu")
            made = make()
            path = folder / "fmu" / f"{name}.fmu"
            # Derivatives would triple the time of this stage, and nobody asks for them.
            outputs.append(made.export(path, has_derivatives=False))
        path = folder / "certificate.json"
        write_text(path, json.dumps(spec.certificate, indent=1) + "\n")
        return [*outputs, path]

    def _simulate(self, folder: Path, progress: Progress) -> Sequence[Path]:
        from packtwin.scenarios.simulation import simulate_scenario

        return simulate_scenario(self._scenario, self.spec(folder), folder, progress)

    def _report(self, folder: Path, progress: Progress) -> Sequence[Path]:
        from packtwin.scenarios.report import write_report
        from packtwin.scenarios.simulation import read_report_inputs

        spec = self.spec(folder)
        results, replays, summary = read_report_inputs(folder)
        progress(0.2, "drawing")
        text = scenario_toml(self._scenario)
        write_text(folder / "scenario.toml", text)
        report = write_report(
            folder,
            title=self._scenario.header.description or self._scenario.name,
            scenario_text=text,
            results=results,
            replays=replays,
            certificate=report_certificate(spec.certificate, spec.provenance),
            summary=summary,
            stages=self._past_stages(folder),
        )
        return [report, folder / "scenario.toml"]

    def _past_stages(self, folder: Path) -> list[dict[str, Any]]:
        rows = []
        for name in STAGES[:-1]:
            manifest = read_manifest(folder, name) if self._has(name) else None
            rows.append(
                {
                    "name": name,
                    "seconds": manifest.seconds if manifest else 0.0,
                    "status": "run" if manifest else "up to date",
                    "fingerprint": manifest.fingerprint[:16] if manifest else "shipped",
                }
            )
        return rows

    def _has(self, name: StageName) -> bool:
        return self._is_retrained or name in STAGES[3:]


def surrogate_path(scenario: Scenario) -> Path:
    """Return the file of the shipped or named surrogate of a scenario.

    Raises:
        ScenarioError: There is none; the message says how to train one.
    """
    try:
        return find_path("surrogate", scenario.surrogate, where="`cell.surrogate`")
    except ScenarioError as error:
        known = ", ".join(f"`{name}`" for name in known_names("surrogate")) or "none"
        msg = (
            f"Scenario `{scenario.name}` has no trained surrogate "
            f"`{scenario.surrogate}` (shipped: {known}); train one with "
            "`packtwin run SCENARIO --retrain` or name a file in `cell.surrogate`."
        )
        raise ScenarioError(msg) from error
