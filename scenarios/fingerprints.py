"""What each stage depends on, as one hash: its settings, its files, its upstream."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from packtwin.pybamm_models.cells import find_cell
from packtwin.scenarios.catalogue import find_path
from packtwin.scenarios.scenario import Scenario

__all__ = ["STAGES", "StageName", "file_digest", "has_physics", "stage_fingerprint"]

StageName: TypeAlias = Literal[
    "generate", "train", "certify", "export", "simulate", "report"
]
STAGES: tuple[StageName, ...] = (
    "generate",
    "train",
    "certify",
    "export",
    "simulate",
    "report",
)

# Code whose change makes a quick stage stale. The slow ones only depend on their
# settings: a newer library never invalidates trained artefacts.
_CODE: dict[StageName, tuple[str, ...]] = {
    "export": ("twin", "fmu"),
    "simulate": ("cosim", "scenarios"),
    "report": ("scenarios",),
}


def stage_fingerprint(
    scenario: Scenario, stage: StageName, *, is_retrained: bool
) -> str:
    """Return the hash of exactly what a stage depends on.

    Args:
        scenario: The job.
        stage: Which stage.
        is_retrained: Whether the surrogate comes from this run's own training; else
            the shipped file (or the one that the scenario names) is an input.
    """
    inputs = _inputs(scenario, stage, is_retrained=is_retrained)
    inputs["code"] = [_code_digest(folder) for folder in _CODE.get(stage, ())]
    text = json.dumps({"stage": stage, **inputs}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_physics() -> bool:
    """Whether PyBaMM is installed, so that runs can be replayed on the DFN."""
    return find_spec("pybamm") is not None


def _inputs(
    scenario: Scenario, stage: StageName, *, is_retrained: bool
) -> dict[str, Any]:
    s = scenario

    def upstream(name: StageName) -> str:
        return stage_fingerprint(s, name, is_retrained=is_retrained)

    match stage:
        case "generate":
            dataset = s.dataset.model_dump(mode="json", exclude={"n_thread"})
            held_out = s.certification.model_dump(
                mode="json", exclude={"targets", "is_strict", "n_calibration_run"}
            )
            return {
                "cell": repr(find_cell(s.cell.name)),
                "seed": s.header.seed,
                "dataset": dataset,
                "trust": s.trust.model_dump(mode="json"),
                "held_out": held_out,
                "cycles": _files("cycle", s.certification.cycles),
                "vehicle": _files("vehicle", [s.vehicle.name]),
                "cell_count": s.pack.n_series * s.pack.n_parallel,
            }
        case "train":
            return {
                "upstream": upstream("generate"),
                "training": s.training.model_dump(mode="json"),
                "n_calibration_run": s.certification.n_calibration_run,
                "seed": s.header.seed,
            }
        case "certify":
            return {
                "upstream": upstream("train"),
                "certification": s.certification.model_dump(mode="json"),
            }
        case "export":
            return {
                "surrogate": upstream("certify")
                if is_retrained
                else _files("surrogate", [s.surrogate]),
                "parameter_tolerance": s.cell.parameter_tolerance,
                "pack": s.pack.model_dump(mode="json"),
                "start_temperature_K": s.start_temperature_K,
                "vehicle": _files("vehicle", [s.vehicle.name]),
                "cooling": s.cooling,
            }
        case "simulate":
            return {
                "upstream": upstream("export"),
                "cell": repr(find_cell(s.cell.name)),
                "drive": s.drive.model_dump(mode="json", exclude={"cycles"}),
                "cycles": _files("cycle", s.drive.cycles),
                "charge": s.charge.model_dump(mode="json"),
                "simulation": s.simulation.model_dump(mode="json"),
                "has_physics": has_physics(),
            }
        case "report":
            return {
                "upstream": upstream("simulate"),
                "header": s.header.model_dump(mode="json"),
            }


def _files(kind: Any, names: Any) -> list[str]:
    """Return the content's hash of every file; the path does not matter."""
    return [file_digest(find_path(kind, name)) for name in names]


@lru_cache
def _code_digest(folder: str) -> str:
    """Return the hash of a folder's code; all folders lie beside this one."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent / folder
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".c", ".h", ".j2"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
