"""Two coupled FMUs in the loop that users of FMPy write by hand: zero-order hold."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TypeAlias

import fmpy
import fmpy.fmi2
import numpy as np
from numpy.typing import NDArray

__all__ = ["couple_two_in_fmpy"]

Vector: TypeAlias = NDArray[np.float64]


def couple_two_in_fmpy(
    path: Path,
    ports: tuple[str, str],
    parameter: str,
    values: tuple[float, float],
    grid: tuple[int, float],
) -> tuple[Vector, float]:
    """Return both outputs at all communication points and the loop's processor seconds.

    Each FMU's output feeds the other's input; both step with the values at the start
    of the step (Jacobi). The calls are those of FMPy's own examples, with the lists of
    references made beforehand.

    Args:
        path: An FMI 2.0 co-simulation FMU; two instances of it are coupled.
        ports: Names of its input and its output.
        parameter: Set before initialization.
        values: Of the parameter in the two instances.
        grid: Number of steps and their length, s.
    """
    n_step, step_s = grid
    with tempfile.TemporaryDirectory(prefix="packtwin-peer-") as folder:
        fmpy.extract(str(path), folder)
        description = fmpy.read_model_description(folder)
        at = {v.name: v.valueReference for v in description.modelVariables}
        read, write = [at[ports[1]]], [at[ports[0]]]
        slaves = []
        for i, value in enumerate(values):
            slave = fmpy.fmi2.FMU2Slave(
                guid=description.guid,
                unzipDirectory=folder,
                modelIdentifier=description.coSimulation.modelIdentifier,
                instanceName=f"mass{i}",
            )
            slave.instantiate()
            slave.setReal([at[parameter]], [value])
            slave.setupExperiment(startTime=0.0)
            slave.enterInitializationMode()
            slave.exitInitializationMode()
            slaves.append(slave)
        first, second = slaves
        rows = np.empty((n_step + 1, 2))
        rows[0] = first.getReal(read)[0], second.getReal(read)[0]
        began = time.process_time()
        for k in range(n_step):
            first.setReal(write, [rows[k, 1]])
            second.setReal(write, [rows[k, 0]])
            first.doStep(k * step_s, step_s)
            second.doStep(k * step_s, step_s)
            rows[k + 1] = first.getReal(read)[0], second.getReal(read)[0]
        seconds = time.process_time() - began
        for slave in slaves:
            slave.terminate()
            slave.freeInstance()
    return rows, seconds
