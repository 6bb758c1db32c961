"""FMPy's own simulation loop, timed as the peer of `FmuComponent`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import fmpy
import numpy as np

__all__ = ["time_fmpy_step_s"]


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
