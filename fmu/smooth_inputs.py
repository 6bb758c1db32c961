"""Which inputs of an FMU may change inside a step, and how smoothly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from packtwin.fmu.description import intermediate_references
from packtwin.fmu.file import FmuFile
from packtwin.fmu.mapped_interface import Kind
from packtwin.fmu.stepping import SmoothInputs
from packtwin.fmu.variable_map import MappedVariable

__all__ = ["smooth_inputs"]

_REAL = ("Real", "Float64")
_HIGHEST_ORDER = 3


def smooth_inputs(
    file: FmuFile, kind: Kind, inputs: Sequence[MappedVariable]
) -> SmoothInputs:
    """Return the inputs that may be polynomials during a step.

    In model exchange all continuous ones may. For co-simulation, FMI 2.0 takes time
    derivatives (`canInterpolateInputs`; it does not say up to which order, the first
    is sure); FMI 3.0 takes values at any time inside the step from those inputs that it
    marks `intermediateUpdate`. Order 0 where that is missing or covers only some of the
    inputs.
    """
    places = [
        i
        for i, m in enumerate(inputs)
        if m.kind in _REAL and m.size == 1 and m.variable.variability == "continuous"
    ]
    is_complete = len(places) == len(inputs) and bool(inputs)
    order = _order(file, kind, inputs) if is_complete else 0
    return SmoothInputs(
        references=tuple(inputs[i].reference for i in places),
        factors=np.array([inputs[i].factor for i in places]),
        offsets=np.array([inputs[i].offset for i in places]),
        positions=np.array(places, dtype=np.intp),
        order=order,
    )


def _order(file: FmuFile, kind: Kind, inputs: Sequence[MappedVariable]) -> int:
    if kind == "model-exchange":
        return _HIGHEST_ORDER
    if file.dialect.version == "2.0":
        return 1 if file.description.coSimulation.canInterpolateInputs else 0
    marked = intermediate_references(file.root)
    return _HIGHEST_ORDER if all(m.reference in marked for m in inputs) else 0
