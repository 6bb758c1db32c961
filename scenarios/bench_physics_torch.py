"""The physics residuals in torch: error against CasADi, time of a training step.

measure_torch() -> rows
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from packtwin.pybamm_models.physics import Family, Physics, physics_model
from packtwin.scenarios.bench import BenchRow, at_most
from packtwin.scenarios.bench_physics_cases import Bench, Progress
from packtwin.twin.model import Model
from packtwin.twin.residual import Engine, TorchResidual, torch_residual

__all__ = ["PhysicalPoints", "measure_torch", "physical_points", "rows"]

Array: TypeAlias = npt.NDArray[np.float64]

_SETS = ("Chen2020", "ORegan2022")
_LIMITS_MS: dict[Family, float] = {"SPMe": 20.0, "DFN": 200.0}
_ERROR_LIMIT = 1e-11
_BATCH, _N_ERROR, _N_REPEAT = 1024, 64, 15
_NOISE = 0.02
_SOC, _TEMPERATURE_K = (0.1, 0.9), (263.15, 318.15)
_STEP_S = 1.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalPoints:
    """Random arguments of a model's residual, one sample per row."""

    x0: Array
    x1: Array
    z1: Array
    u1: Array
    p: Array

    def tensors(
        self, *, requires_grad: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Return `x0, x1, z1, u1, p` as tensors."""

        def tensor(values: Array) -> Tensor:
            return torch.tensor(values, requires_grad=requires_grad)

        return (
            tensor(self.x0),
            tensor(self.x1),
            tensor(self.z1),
            tensor(self.u1),
            tensor(self.p),
        )

    def wanted_residual(self, model: Model, scale: Array, h_s: float) -> Array:
        """Return what CasADi makes of the residual."""
        columns = [a.T for a in (self.x1, self.z1, self.u1, self.p)]
        slope = model.rhs(0.0, *columns).full().T
        parts = [self.x1 - self.x0 - h_s * slope]
        if model.algebraic is not None:
            parts.append(model.algebraic(0.0, *columns).full().T)
        return np.asarray(np.concatenate(parts, axis=1) / scale)


def physical_points(model: Model, n: int, seed: int = 0) -> PhysicalPoints:
    """Return states of a cell at random charge and temperature, each off by 2 %.

    Args:
        model: Of `physics_model`, lumped.
        n: Number of samples.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    inputs, parameters = (np.tile(v, (n, 1)) for v in model.start_vectors())
    names = model.interface.parameter_names
    parameters[:, names.index("soc_start")] = rng.uniform(*_SOC, n)
    parameters[:, names.index("temperature_start_K")] = rng.uniform(*_TEMPERATURE_K, n)
    x, z = (part.full().T for part in model.initial(inputs.T, parameters.T))
    nominal = np.array([v.nominal for v in model.algebraic_states])

    def noise(like: Array) -> Array:
        return rng.uniform(-_NOISE, _NOISE, like.shape)

    spread = {"current_A": (-5.0, 5.0), "ambient_temperature_K": _TEMPERATURE_K}
    for k, name in enumerate(model.interface.input_names):
        inputs[:, k] = rng.uniform(*spread.get(name, (0.0, 30.0)), n)
    return PhysicalPoints(
        x0=x * (1.0 + noise(x)),
        x1=x * (1.0 + noise(x)),
        z1=z + nominal * noise(z),
        u1=inputs,
        p=parameters,
    )


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Measure; a part of `packtwin bench physics`."""
    progress(0.0, "residuals")
    return measure_torch(is_quick=bench.options.is_quick)


def measure_torch(*, is_quick: bool = False) -> list[BenchRow]:
    """Return error and time of the residuals of SPMe and DFN, on one thread.

    Args:
        is_quick: SPMe of one set only, in few repeats.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [
            row
            for family in _LIMITS_MS
            for parameter_set in _SETS
            if not is_quick or (family, parameter_set) == ("SPMe", _SETS[0])
            for row in _model_rows(family, parameter_set, 2 if is_quick else _N_REPEAT)
        ]
    finally:
        torch.set_num_threads(threads)


def _model_rows(
    family: Family, parameter_set: str, n_repeat: int
) -> Iterator[BenchRow]:
    model = physics_model(Physics(family=family, parameter_set=parameter_set))
    label = f"{family} {parameter_set}"
    key = f"torch.{family}.{parameter_set}".lower()
    engines: tuple[Engine, ...] = ("auto", "torch")
    for engine in engines:
        begin = time.perf_counter()
        physics = torch_residual(model, engine=engine)
        _backward(physics, physical_points(model, 2))
        made_s = time.perf_counter() - begin
        yield _peer(
            f"{key}.make.{engine}",
            f"first residual and gradient, compilation included, {label}, `{engine}`",
            made_s,
            "s",
        )
        yield at_most(
            f"{key}.error.{engine}",
            f"torch residual against CasADi, scaled max-norm, {label}, `{engine}`",
            _scaled_error(physics),
            "1",
            _ERROR_LIMIT,
        )
        points = physical_points(model, _BATCH)
        took_ms = 1e3 * min(_backward(physics, points) for _ in range(n_repeat))
        what = f"forward + backward, batch {_BATCH}, 1 thread, {label}, `{engine}`"
        if engine == "auto":
            limit = _LIMITS_MS[family]
            yield at_most(f"{key}.time.{engine}", what, took_ms, "ms", limit)
        else:
            yield _peer(f"{key}.time.{engine}", what, took_ms, "ms")


def _scaled_error(physics: TorchResidual) -> float:
    """Return the largest error of a row, relative to the sample's largest row."""
    points = physical_points(physics.model, _N_ERROR)
    want = points.wanted_residual(physics.model, physics.scale, _STEP_S)
    got = physics.residual(*points.tensors(), h_s=_STEP_S).numpy()
    largest = np.abs(want).max(axis=1)
    return float((np.abs(got - want).max(axis=1) / np.maximum(1.0, largest)).max())


def _backward(physics: TorchResidual, points: PhysicalPoints) -> float:
    """Return the seconds of a loss and its gradient in every argument."""
    tensors = points.tensors(requires_grad=True)
    begin = time.perf_counter()
    loss = physics.residual(*tensors, h_s=_STEP_S).square().sum()
    torch.autograd.backward(loss)
    return time.perf_counter() - begin


def _peer(key: str, what: str, value: float, unit: str) -> BenchRow:
    return BenchRow(id=key, what=what, value=float(value), unit=unit)
