"""What `packtwin bench fmu` exports: models, inputs, versions, made once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.fmu.export import FmiVersion, export_fmu
from packtwin.scenarios.bench import BenchOptions
from packtwin.scenarios.bench_fmu_driver import DrivenFmu
from packtwin.scenarios.fmu_models import FmuModel, find_fmu_model
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

VERSIONS: tuple[FmiVersion, ...] = ("2.0",)
SEED = 1
_SHARE_OF_START = 0.02


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class FmuCase:
    """One model that is exported.

    Attributes:
        name: As `packtwin export` knows it.
        limit_us: Longest time of a step in a C program; 0 if none was asked for.
        spans: Ranges of random inputs; the others vary a little about their starts.
        points: Points of the mesh; the model's own by default.
    """

    name: str
    limit_us: float = 0.0
    spans: Mapping[str, tuple[float, float]] = field(default_factory=dict)
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
    ) -> DrivenFmu:
        """Return an FMU with inputs, ready for the driver; random ones by default."""
        interface = self.model(case).subject.interface
        rows = excitation(interface, n_step, case.spans) if inputs is None else inputs
        path = self.fmu(case, version)
        return DrivenFmu.load(self.driver, path, interface, rows, step_s)

    def _made(self, case: FmuCase, version: FmiVersion) -> tuple[Path, float]:
        key = (case.name, version)
        if key not in self._paths:
            made = self.model(case)
            path = self.folder / f"{case.key}_{version[0]}.fmu"
            begin = time.perf_counter()
            export_fmu(
                made.subject, path, fmi_version=version, description=made.account
            )
            self._paths[key] = (path, time.perf_counter() - begin)
        return self._paths[key]


def full_cases() -> tuple[FmuCase, ...]:
    """Return what the issue asks for."""
    current = {"current_A": (-2.5, 2.5)}
    return (
        FmuCase(name="cell", limit_us=2.0, spans=current),
        FmuCase(name="pack", spans={"power_request_W": (-20e3, 20e3)}),
        FmuCase(name="vehicle", spans={"speed_m_per_s": (0.0, 30.0)}),
        FmuCase(
            name="cooling",
            spans={
                "heat_cell_to_coolant_W": (0.0, 3e3),
                "pump_command": (0.0, 1.0),
                "chiller_command": (0.0, 1.0),
            },
        ),
        FmuCase(name="spme:Chen2020", limit_us=40.0, spans=current),
        FmuCase(name="dfn:Chen2020", limit_us=150.0, spans=current),
    )


def quick_cases() -> tuple[FmuCase, ...]:
    """Return cases for tests: seconds."""
    return (full_cases()[3],)


def excitation(
    interface: Interface, n_step: int, spans: Mapping[str, tuple[float, float]]
) -> Vector:
    """Return random inputs, one row per step; discrete ones keep their starts."""
    rng = np.random.default_rng(SEED)
    table = np.empty((n_step, len(interface.inputs)))
    for column, v in enumerate(interface.inputs):
        size = _SHARE_OF_START * abs(v.start) if v.start else v.nominal
        low, high = spans.get(v.name, (v.start - size, v.start + size))
        draws = rng.uniform(low, high, n_step)
        if v.variability == "discrete":
            draws[:] = v.start
        table[:, column] = np.clip(draws, v.minimum, v.maximum)
    return table
