"""The hybrid cell's step in C: time, lithium over days, equality with the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from packtwin.scenarios.bench import BenchRow, at_most, not_measured
from packtwin.scenarios.bench_surrogate_cases import Bench
from packtwin.scenarios.bench_surrogate_loop import CLoop
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepMap
from packtwin.twin.surrogate_model import cell_step_map
from packtwin.twin.surrogate_spec import CellConstants, SurrogateSpec
from packtwin.twin.surrogate_torch import TorchOperations, torch_step

__all__ = ["lithium_rows", "random_inputs", "rows", "runtime_gaps"]

Progress: TypeAlias = Callable[[float, str], None]
Array: TypeAlias = npt.NDArray[np.float64]

_TORCH_OUTPUTS = ("voltage_V", "plating_potential_V", "heat_generation_W")
_TURN_SOC = (0.3, 0.7)
_SECONDS = 3600


def rows(progress: Progress, bench: Bench) -> list[BenchRow]:
    """Measure; a part of `packtwin bench surrogate`."""
    spec, size = bench.spec, bench.size
    progress(0.0, "compiling")
    loop = CLoop(cell_step_map(spec))
    u, p = random_inputs(loop.step_map, spec.constants, size.n_step)
    took_us = 1e6 * loop.step_time_s(u, p, size.n_repeat)
    found = [at_most("step.c", "one cell step in C, in domain", took_us, "µs", 2.0)]
    progress(0.2, "lithium")
    found += lithium_rows(loop, spec, size.n_hour)
    progress(0.6, "points")
    try:
        gaps = runtime_gaps(loop, spec, size.n_point)
    except StepError as error:
        return [*found, not_measured("equal", f"runtimes were not compared: {error}")]
    for name, gap in gaps.items():
        what = f"{name}, largest scaled difference at {size.n_point} random points"
        found.append(at_most(f"equal.{name}", what, gap, "1", 1e-12))
    return found


def random_inputs(
    step_map: StepMap, c: CellConstants, n: int, seed: int = 0
) -> tuple[Array, Array]:
    """Return random currents up to 1C that come back, other inputs at their starts."""
    rng = np.random.default_rng(seed)
    starts = [v.start for v in step_map.interface.inputs]
    u = np.tile(np.array(starts, dtype=np.float64), (n, 1))
    level_A = rng.uniform(0.0, 1.0, n) * c.nominal_capacity_Ah
    u[:, step_map.interface.input_names.index("current_A")] = level_A * np.where(
        rng.random(n) < 0.5, 1.0, -1.0
    )
    parameters = [v.start for v in step_map.interface.parameters]
    return u, np.array(parameters, dtype=np.float64)


def lithium_rows(
    loop: CLoop[StepMap], spec: SurrogateSpec, n_hour: int
) -> Iterator[BenchRow]:
    """Count lithium and charge over hours of random current."""
    c, interface = spec.constants, loop.step_map.interface
    names = interface.output_names
    at_x, at_y = (
        names.index(f"stoichiometry_{k}_mean") for k in ("negative", "positive")
    )
    at_current, at_soc = interface.input_names.index("current_A"), names.index("soc")
    u, p = random_inputs(loop.step_map, c, _SECONDS)
    memory, y = loop.start(u[0], p)

    def lithium_Ah(values: Array) -> tuple[float, float]:
        return (
            float(values[at_x]) * c.negative_capacity_Ah,
            float(values[at_y]) * c.positive_capacity_Ah,
        )

    first, sign = lithium_Ah(y), 1.0
    lithium, charge, passed_Ah = 0.0, 0.0, [0.0]
    for hour in range(n_hour):
        u, p = random_inputs(loop.step_map, c, _SECONDS, seed=hour)
        soc = float(y[at_soc])
        sign = 1.0 if soc > _TURN_SOC[1] else -1.0 if soc < _TURN_SOC[0] else sign
        u[:, at_current] += 0.1 * sign * c.nominal_capacity_Ah
        memory, y = loop.run(memory, u, p)
        passed_Ah.append(math.fsum(u[:, at_current]) / _SECONDS)
        now = lithium_Ah(y)
        lithium = max(lithium, abs(sum(now) - sum(first)) / sum(first))
        counted_Ah = first[0] - math.fsum(passed_Ah)
        charge = max(charge, abs(now[0] - counted_Ah) / c.nominal_capacity_Ah)
    text = f"over {n_hour} h of random current in C"
    yield at_most(
        "lithium.total", f"lithium in both electrodes, {text}", lithium, "1", 1e-12
    )
    yield at_most(
        "lithium.charge",
        f"lithium of the negative electrode against counted charge, {text}",
        charge,
        "1",
        1e-12,
    )


def random_points(
    step_map: StepMap, c: CellConstants, n: int, seed: int = 0
) -> tuple[Array, Array]:
    """Return states and inputs all over the domain, one per row."""
    rng = np.random.default_rng(seed)
    soc = rng.uniform(0.02, 0.98, n)
    columns = []
    for variable in step_map.memory:
        name = variable.name
        if name.startswith("stoichiometry_"):
            side = name.split("_")[1]
            empty = getattr(c, f"{side}_stoichiometry_empty")
            full = getattr(c, f"{side}_stoichiometry_full")
            noise = rng.normal(0.0, 0.02, n)
            columns.append(np.clip(empty + soc * (full - empty) + noise, 0.005, 0.995))
        elif name.startswith("mode_"):
            columns.append(rng.uniform(-2.0, 2.0, n))
        elif name == "heat_content_J":
            columns.append(rng.uniform(-1500.0, 1500.0, n))
        else:
            columns.append(np.full(n, float(variable.start)))
    spread = {
        "current_A": (-2.0 * c.nominal_capacity_Ah, 2.0 * c.nominal_capacity_Ah),
        "coolant_temperature_K": (263.15, 318.15),
        "heat_transfer_coefficient_W_per_m2K": (2.0, 300.0),
    }
    names = step_map.interface.input_names
    u = np.column_stack([rng.uniform(*spread[name], n) for name in names])
    return np.column_stack(columns), u


def runtime_gaps(loop: CLoop[StepMap], spec: SurrogateSpec, n: int) -> dict[str, float]:
    """Return the largest differences of torch and C from CasADi after a 1-s step.

    Each is scaled by the magnitude of the value where that is above 1.
    """
    step_map = loop.step_map
    states, u = random_points(step_map, spec.constants, n)
    p = np.array([v.start for v in step_map.interface.parameters], dtype=np.float64)
    wanted_x, wanted_y = (
        a.full().T for a in step_map.step(states.T, 0.0, 1.0, u.T, np.tile(p, (n, 1)).T)
    )
    ops = TorchOperations(spec.weights)
    with torch.no_grad():
        torch_x, torch_y = torch_step(
            ops, spec, torch.tensor(states), 1.0, torch.tensor(u)
        )
    columns = [step_map.interface.output_names.index(k) for k in _TORCH_OUTPUTS]
    own = [loop.run(x, row[None], p) for x, row in zip(states, u, strict=True)]
    c_x, c_y = (np.stack([pair[k] for pair in own]) for k in (0, 1))
    return {
        "torch_casadi": max(
            _gap(torch_x.numpy(), wanted_x),
            _gap(torch_y.numpy()[:, : len(columns)], wanted_y[:, columns]),
        ),
        "c_casadi": max(_gap(c_x, wanted_x), _gap(c_y, wanted_y)),
    }


def _gap(got: Array, wanted: Array) -> float:
    return float((np.abs(got - wanted) / np.maximum(1.0, np.abs(wanted))).max())
