"""One step as equal substeps, with inputs that are polynomials on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from packtwin.twin.input_polynomial import (
    PROJECTED_SUBSTEPS,
    is_beyond,
    shifted,
    substep_rows,
)

__all__ = ["SingleStep", "take_substeps"]

Vector: TypeAlias = NDArray[np.float64]

SingleStep: TypeAlias = Callable[
    [Vector, float, float, Vector], tuple[Vector, Vector, bool]
]
"""`(memory, t, h, rows) -> (memory, y, whether it could be done)`."""


def take_substeps(
    single: SingleStep,
    memory: Vector,
    span: tuple[float, float],
    inputs: tuple[Vector, int],
    outputs: NDArray[np.bool_],
    count: int = 1,
) -> tuple[Vector, Vector, bool]:
    """Advance by the substeps that length and inputs ask for.

    Args:
        single: Takes one substep.
        memory: At the start.
        span: Start time and length, s.
        inputs: Rows of the polynomial, and the order that `single` takes.
        outputs: Flags of those that are means over the step.
        count: Smallest number of substeps.

    Returns:
        Memory and outputs at the end, and whether every substep could be done.
    """
    (t, h), (rows, order) = span, inputs
    is_projected = is_beyond(rows, order)
    n = max(count, PROJECTED_SUBSTEPS) if is_projected else count
    now, total = memory, np.zeros(len(outputs))
    y = total
    for i in range(n):
        given = substep_rows(rows, order, i * (h / n), h / n)
        now, y, is_done = single(now, t + i * (h / n), h / n, given)
        if not is_done:
            return memory, y, False
        total = total + y
    if is_projected:
        # Outputs at the end are those of the inputs there, not of their means.
        _, y, is_done = single(now, t + h, 0.0, shifted(rows, h)[: order + 1])
    return now, np.where(outputs, total / n, y), is_done
