"""One step of any step map with inputs that are Taylor polynomials on it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.compiled import CompiledStepMap
from packtwin.twin.compiled_switched import CompiledSwitched
from packtwin.twin.errors import StepError
from packtwin.twin.step_map import StepMap, StepStatus

__all__ = ["advance_on_rows"]

Vector: TypeAlias = NDArray[np.float64]


def advance_on_rows(
    step_map: StepMap | CompiledStepMap | CompiledSwitched,
    name: str,
    memory: Vector,
    start_s: float,
    span_s: float,
    rows: Vector,
    p: Vector,
) -> tuple[Vector, Vector, StepStatus]:
    """Advance by `span_s`; see `StepMap.advance`.

    Raises:
        StepError: There are more rows than the step map takes.
    """
    if len(rows) > step_map.input_order + 1:
        msg = (
            f"`{name}` got {len(rows) - 1} time derivatives of its inputs, "
            f"but its `input_order` is {step_map.input_order}; give it fewer."
        )
        raise StepError(msg, component=name, time_s=start_s)
    if isinstance(step_map, CompiledStepMap):
        outcome = step_map.step_until_event(
            memory,
            start_s,
            span_s,
            rows[0],
            p,
            slope=rows[1] if len(rows) > 1 else None,
            stops=False,
        )
        return outcome.memory, outcome.outputs, outcome.status
    return step_map.advance(memory, start_s, span_s, rows, p)
