"""FMPy drives a model-exchange FMU: outputs by CVODE, derivatives at one point."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import fmpy
import numpy as np
from fmpy.simulation import instantiate_fmu
from numpy.typing import NDArray

__all__ = ["cvode_outputs", "slope_errors"]

Vector: TypeAlias = NDArray[np.float64]

_STEP = 1e-5
_START_S = 0.0


def cvode_outputs(
    path: Path, inputs: Mapping[str, float], stop_s: float, relative_tolerance: float
) -> dict[str, float]:
    """Return the outputs at the end of a run with constant inputs."""
    result = fmpy.simulate_fmu(
        str(path),
        fmi_type="ModelExchange",
        solver="CVode",
        start_values=dict(inputs),
        stop_time=stop_s,
        output_interval=stop_s,
        relative_tolerance=relative_tolerance,
    )
    return {n: float(result[n][-1]) for n in result.dtype.names if n != "time"}


def slope_errors(path: Path, inputs: Mapping[str, float]) -> dict[str, float]:
    """Return the worst relative error of each kind of derivative.

    Every output and state derivative is differentiated to every input and state, by
    the FMU and by central differences of two widths, whose error is extrapolated away
    (L. F. Richardson, Phil. Trans. R. Soc. A 210 (1911) 307-357,
    doi:10.1098/rsta.1911.0009). The keys are `directional` and, in FMI 3, `adjoint`.
    """
    folder = fmpy.extract(str(path))
    try:
        errors: dict[str, float] = _errors(
            folder, fmpy.read_model_description(folder), inputs
        )
        return errors
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _errors(folder: str, description: Any, inputs: Mapping[str, float]) -> Any:
    is_3 = description.fmiVersion.startswith("3")
    variables = {v.name: v for v in description.modelVariables}
    scalar = [v for v in variables.values() if not v.dimensions]
    rates = [d.variable for d in description.derivatives if not d.variable.dimensions]
    states = [v.derivative for v in rates]
    outputs = [v for v in scalar if v.causality == "output"]
    knowns = [v for v in scalar if v.causality == "input"] + states
    unknowns = [v.valueReference for v in (*outputs, *rates)]
    fmu = instantiate_fmu(folder, description, fmi_type="ModelExchange")
    write, read = (
        (fmu.setFloat64, fmu.getFloat64) if is_3 else (fmu.setReal, fmu.getReal)
    )
    if is_3:
        fmu.enterInitializationMode(startTime=_START_S)
    else:
        fmu.setupExperiment(startTime=_START_S)
        fmu.enterInitializationMode()
    write([variables[n].valueReference for n in inputs], [*inputs.values()])
    fmu.exitInitializationMode()
    fmu.enterContinuousTimeMode()
    references = [v.valueReference for v in knowns]
    columns, matrix = [], []
    start = np.zeros(len(states))
    fmu.getContinuousStates(_pointer(start), len(start))

    def at(known: int, move: float) -> Vector:
        """Return the unknowns after one known was moved."""
        index = known - (len(knowns) - len(states))
        x, value = start.copy(), base
        if index >= 0:
            x[index] += move
        else:
            value = base + move
        fmu.setContinuousStates(_pointer(x), len(x))
        if index < 0:
            write([references[known]], [value])
        return np.array(read(unknowns))

    for known, reference in enumerate(references):
        base = read([reference])[0]
        size = _STEP * max(1.0, abs(base))
        pairs = [
            (at(known, width) - at(known, -width)) / (2.0 * width)
            for width in (size, 2.0 * size)
        ]
        at(known, 0.0)
        columns.append((4.0 * pairs[0] - pairs[1]) / 3.0)
        matrix.append(fmu.getDirectionalDerivative(unknowns, [reference], [1.0]))
    want, got = np.array(columns).T, np.array(matrix).T
    size_of = np.abs(want).max(axis=1, keepdims=True)
    errors = {"directional": _worst(got - want, size_of)}
    if is_3:
        transposed = [
            fmu.getAdjointDerivative([u], references, [1.0], len(references))
            for u in unknowns
        ]
        errors["adjoint"] = _worst(np.array(transposed) - want, size_of)
    fmu.freeInstance()
    return errors


def _pointer(values: Vector) -> Any:
    return values.ctypes.data_as(ctypes.POINTER(ctypes.c_double))


def _worst(difference: Vector, size: Vector) -> float:
    """Return the largest difference as a share of its row's largest derivative."""
    share = np.abs(difference) / np.maximum(size, np.finfo(float).tiny)
    return float(np.where(size > 1e-9, share, 0.0).max())
