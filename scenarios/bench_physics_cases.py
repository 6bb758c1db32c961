"""What `packtwin bench physics` measures: cells, currents, compiled step maps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt

from packtwin.pybamm_models.cells import find_cell
from packtwin.pybamm_models.peers import nominal_capacity_Ah
from packtwin.pybamm_models.physics import (
    Family,
    Physics,
    physics_model,
    physics_of_cell,
)
from packtwin.scenarios.bench import BenchOptions
from packtwin.twin.compiled import CompiledStepMap, compile_step_map
from packtwin.twin.implicit import implicit_source

__all__ = [
    "DEFAULT_MESH",
    "Bench",
    "Case",
    "Progress",
    "Stepper",
    "full_size",
    "part_of",
    "quick_size",
    "random_current_A",
    "starts_of",
]

Progress: TypeAlias = Callable[[float, str], None]
Vector: TypeAlias = npt.NDArray[np.float64]

DEFAULT_MESH = "default mesh"
SEED = 1
_ZERO_SHARE = 0.1
_SHIPPED = ("lg_m50_chen2020", "lg_m50_oregan2022")
_SETS = ("Chen2020", "ORegan2022", "Marquis2019", "Ecker2015", "OKane2022")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One cell to solve.

    Attributes:
        name: Family and set, or family and shipped cell.
        physics: Its equations.
        mesh: Which mesh, in words.
    """

    name: str
    physics: Physics
    mesh: str = DEFAULT_MESH


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured.

    Attributes:
        accuracy: Cases compared with PyBaMM.
        speed: Cases that are timed.
        robustness: Cases driven through rests, pulses and reversals.
        n_second: Length of the random current, s.
        n_peer_second: The same for the peers, which are slower.
        n_repeat: Timed runs; the median counts.
        n_seed: Seeds of the robustness test.
        n_pybamm_seed: How many of them PyBaMM drives too.
        n_robust_second: Length of each.
        n_run: Designed runs of the data factory.
        n_run_second: Length of each.
    """

    accuracy: tuple[Case, ...]
    speed: tuple[Case, ...]
    robustness: tuple[Case, ...]
    n_second: int = 600
    n_peer_second: int = 60
    n_repeat: int = 7
    n_seed: int = 50
    n_pybamm_seed: int = 5
    n_robust_second: int = 1000
    n_run: int = 200
    n_run_second: int = 1800


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Stepper:
    """A case's compiled step map and what its making took."""

    map: CompiledStepMap
    capacity_Ah: float
    model_s: float
    generate_s: float
    compile_s: float

    def parameters(self, **others: float) -> Vector:
        """Return the parameters; those not given keep their starts."""
        return np.array(
            [others.get(v.name, v.start) for v in self.map.interface.parameters]
        )

    def column(self, name: str) -> int:
        """Return the place of an output."""
        return self.map.interface.output_names.index(name)

    def inputs(self, current_A: Vector, **others: float) -> Vector:
        """Return one row of inputs per current; those not given keep their starts."""
        rows = np.array(
            [others.get(v.name, v.start) for v in self.map.interface.inputs]
        )
        table = np.tile(rows, (len(current_A), 1))
        table[:, self.map.interface.input_names.index("current_A")] = current_A
        return table


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Size and the step maps made so far, which the parts share."""

    size: Size
    options: BenchOptions
    steppers: dict[str, Stepper] = field(default_factory=dict)

    def stepper(self, case: Case) -> Stepper:
        """Return the compiled step map of a case, made on the first call."""
        if case.name not in self.steppers:
            self.steppers[case.name] = _made(case)
        return self.steppers[case.name]


def full_size() -> Size:
    """Return what the issue asks for."""
    plain = [_plain(family, name) for name in _SETS for family in _families()]
    isothermal = Case(
        name="SPMe.Prada2013.isothermal",
        physics=Physics(
            family="SPMe", parameter_set="Prada2013", options={"thermal": "isothermal"}
        ),
    )
    timed = [c for c in plain if c.physics.parameter_set in _SETS[:2]]
    shipped = [_shipped(family, name) for name in _SHIPPED for family in _families()]
    return Size(
        accuracy=(*plain, isothermal),
        speed=(*timed, *shipped),
        robustness=(_plain("DFN", "Chen2020"), _shipped("DFN", _SHIPPED[1])),
    )


def quick_size() -> Size:
    """Return a size for tests: seconds, one cell."""
    case = (_plain("SPMe", "Chen2020"),)
    return Size(
        accuracy=case,
        speed=case,
        robustness=case,
        n_second=20,
        n_peer_second=20,
        n_repeat=3,
        n_seed=3,
        n_pybamm_seed=1,
        n_robust_second=60,
        n_run=4,
        n_run_second=60,
    )


def random_current_A(n_second: int, capacity_Ah: float, seed: int = SEED) -> Vector:
    """Return a new current every second, uniform from -1C to 1C, a tenth of it zero."""
    rng = np.random.default_rng(seed)
    current_A = capacity_Ah * rng.uniform(-1.0, 1.0, n_second)
    current_A[rng.uniform(size=n_second) < _ZERO_SHARE] = 0.0
    return current_A


def part_of(progress: Progress, index: int, count: int) -> Progress:
    """Return the progress of one of `count` equal parts."""
    return lambda share, text: progress((index + share) / count, text)


def starts_of(soc: float, temperature_K: float) -> Mapping[str, float]:
    """Return start values of a lumped cell in surroundings of its temperature."""
    return {
        "soc_start": soc,
        "temperature_start_K": temperature_K,
        "ambient_temperature_K": temperature_K,
    }


def _made(case: Case) -> Stepper:
    marks = [time.perf_counter()]
    model = physics_model(case.physics)
    marks.append(time.perf_counter())
    source = implicit_source(model)
    marks.append(time.perf_counter())
    compiled = compile_step_map(source)
    marks.append(time.perf_counter())
    model_s, generate_s, compile_s = np.diff(marks)
    return Stepper(
        map=compiled,
        capacity_Ah=nominal_capacity_Ah(case.physics),
        model_s=float(model_s),
        generate_s=float(generate_s),
        compile_s=float(compile_s),
    )


def _families() -> tuple[Family, ...]:
    return ("SPMe", "DFN")


def _plain(family: Family, name: str) -> Case:
    return Case(
        name=f"{family}.{name}", physics=Physics(family=family, parameter_set=name)
    )


def _shipped(family: Family, name: str) -> Case:
    return Case(
        name=f"{family}.{name}",
        physics=physics_of_cell(find_cell(name), family),
        mesh="converged mesh",
    )
