"""What `packtwin bench fmu` exports: models, inputs, versions, made once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.fmu.export import Experiment
from packtwin.fmu.source import FmiVersion
from packtwin.scenarios.bench import BenchOptions
from packtwin.scenarios.bench_fmu_driver import DrivenFmu
from packtwin.scenarios.fmu_model import FmuModel
from packtwin.scenarios.fmu_models import find_fmu_model
from packtwin.twin.variable import Interface

__all__ = [
    "SEED",
    "VERSIONS",
    "Bench",
    "FmuCase",
    "Progress",
    "Vector",
    "excitation",
    "full_cases",
    "quick_cases",
]

Vector: TypeAlias = npt.NDArray[np.float64]
Progress: TypeAlias = Callable[[float, str], None]

VERSIONS: tuple[FmiVersion, ...] = ("2.0", "3.0")
SEED = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuCase:
    """One model that is exported.

    Attributes:
        name: As `packtwin export` knows it.
        limit_us: Longest time of a step in a C program; 0 if none was asked for.
        points: Points of the mesh; the model's own by default.
    """

    name: str
    limit_us: float = 0.0
    points: int | None = None

    @property
    def key(self) -> str:
        """The name, usable in a file and in the id of a row."""
        return self.name.replace(":", "_").lower()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Folder, driver and the FMUs made so far, which the parts share."""

    folder: Path
    driver: Path
    cases: tuple[FmuCase, ...]
    options: BenchOptions
    n_step: int
    _models: dict[str, FmuModel] = field(default_factory=dict)
    _paths: dict[tuple[str, str], tuple[Path, float]] = field(default_factory=dict)

    def model(self, case: FmuCase) -> FmuModel:
        """Return the model of a case."""
        if case.name not in self._models:
            self._models[case.name] = find_fmu_model(case.name, points=case.points)
        return self._models[case.name]

    def inputs(self, case: FmuCase, n_step: int) -> Vector:
        """Return random inputs, one row per step."""
        made = self.model(case)
        return excitation(made.subject.interface, n_step, made.experiment)

    def fmu(self, case: FmuCase, version: FmiVersion = "2.0") -> Path:
        """Return the co-simulation FMU of a case for this machine."""
        return self._made(case, version)[0]

    def export_s(self, case: FmuCase, version: FmiVersion = "2.0") -> float:
        """Return what generating, compiling and packing it took, s."""
        return self._made(case, version)[1]

    def driven(
        self,
        case: FmuCase,
        n_step: int,
        *,
        version: FmiVersion = "2.0",
        step_s: float = 1.0,
        inputs: Vector | None = None,
        parameters: Mapping[str, float] | None = None,
    ) -> DrivenFmu:
        """Return an FMU with inputs, ready for the driver; random ones by default."""
        interface = self.model(case).subject.interface
        rows = self.inputs(case, n_step) if inputs is None else inputs
        path = self.fmu(case, version)
        return DrivenFmu.load(
            self.driver, path, interface, rows, step_s, parameters or {}
        )

    def _made(self, case: FmuCase, version: FmiVersion) -> tuple[Path, float]:
        key = (case.name, version)
        if key not in self._paths:
            made = self.model(case)
            path = self.folder / f"{case.key}_{version[0]}.fmu"
            begin = time.perf_counter()
            made.export(path, fmi_version=version)
            self._paths[key] = (path, time.perf_counter() - begin)
        return self._paths[key]


def full_cases() -> tuple[FmuCase, ...]:
    """Return what the issue asks for."""
    return (
        FmuCase(name="cell", limit_us=2.0),
        FmuCase(name="pack"),
        FmuCase(name="vehicle"),
        FmuCase(name="cooling"),
        FmuCase(name="cooling_controller"),
        FmuCase(name="bound_monitor"),
        FmuCase(name="spme:Chen2020", limit_us=40.0),
        FmuCase(name="dfn:Chen2020", limit_us=150.0),
    )


def quick_cases() -> tuple[FmuCase, ...]:
    """Return cases for tests: seconds."""
    return (full_cases()[3],)


def excitation(interface: Interface, n_step: int, experiment: Experiment) -> Vector:
    """Return random inputs within their spans, one row per step."""
    rng = np.random.default_rng(SEED)
    table = np.empty((n_step, len(interface.inputs)))
    for column, v in enumerate(interface.inputs):
        table[:, column] = rng.uniform(*experiment.span(v), n_step)
    return table
