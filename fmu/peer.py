"""The time of a step of an FMU: as a component, and in FMPy's own loop."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import fmpy
import numpy as np

from packtwin.fmu.component import FmuComponent
from packtwin.twin.component import ticks

__all__ = ["time_component_step_s", "time_fmpy_step_s"]


def time_component_step_s(
    path: Path, varied: str, span: tuple[float, float], repeats: int = 5
) -> float:
    """Return the median seconds of: set inputs, step 1 s, get outputs.

    Args:
        path: An FMI 2.0 co-simulation FMU.
        varied: Input that takes random values.
        span: Its range, in the input's unit.
        repeats: Runs of 3000 steps, of which the median is taken.
    """
    component = FmuComponent(path)
    u = np.array([v.start for v in component.interface.inputs])
    at = component.interface.input_names.index(varied)
    values = np.random.default_rng(1).uniform(*span, 3000)
    second, costs = ticks(1.0), []
    for _ in range(repeats):
        component.initialize(0, u)
        tick, began = 0, time.perf_counter()
        for value in values:
            u[at] = value
            component.step(tick, tick + second, u)
            tick += second
        costs.append((time.perf_counter() - began) / len(values))
    component.close()
    return float(np.median(costs))


def time_fmpy_step_s(path: Path, step_count: int = 2000, repeats: int = 5) -> float:
    """Return the median seconds per step of `fmpy.simulate_fmu` at its best call.

    The FMU is extracted and its description read beforehand; one output is recorded.
    The difference of a long and a short run leaves out the fixed cost.

    Args:
        path: An FMI 2.0 co-simulation FMU with variable step.
        step_count: Steps of the long run, 1 s each.
        repeats: Of which the median is taken.
    """
    with tempfile.TemporaryDirectory(prefix="packtwin-peer-") as folder:
        fmpy.extract(str(path), folder)
        description = fmpy.read_model_description(folder)
        output = next(
            v.name for v in description.modelVariables if v.causality == "output"
        )

        def run(count: int) -> float:
            began = time.perf_counter()
            fmpy.simulate_fmu(
                folder,
                model_description=description,
                stop_time=float(count),
                step_size=1.0,
                output_interval=1.0,
                output=[output],
            )
            return time.perf_counter() - began

        costs = [run(step_count) - run(step_count // 10) for _ in range(repeats)]
    return float(np.median(costs)) / (step_count - step_count // 10)
