"""`StepSensitivities`: how one step of a component depends on what went into it.

A step with held inputs maps memory before, inputs and parameters to memory after and
outputs; the start maps inputs and parameters to them. Tangents go through such a map
forwards, weights (gradients of a loss) backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cause", "Effect", "StepSensitivities", "TakenStep"]

Vector: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TakenStep:
    """A step that a component took, or its start.

    Attributes:
        start_s: Where it began.
        span_s: Its length; zero for a start.
        inputs: Held over it.
        before: The state saved before it; None for a start.
        after: The state saved after it.
    """

    start_s: float
    span_s: float
    inputs: Vector
    before: Any
    after: Any

    @property
    def is_start(self) -> bool:
        """Whether it is no step but the start."""
        return self.span_s == 0.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Tangents or weights of what goes into a step; a start has no memory before it."""

    memory: Vector
    inputs: Vector
    parameters: Vector


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Tangents or weights of what comes out of a step."""

    memory: Vector
    outputs: Vector


@runtime_checkable
class StepSensitivities(Protocol):
    """Exact first derivatives of the steps of a component."""

    @property
    def memory_count(self) -> int:
        """Length of the memory."""
        ...

    def push_forward(self, taken: TakenStep, cause: Cause) -> Effect:
        """Return the tangent of what came out along `cause`.

        May leave the component in the state after the step.
        """
        ...

    def pull_back(self, taken: TakenStep, effect: Effect) -> Cause:
        """Return the gradient, to what went in, of the weights `effect`.

        May leave the component in the state after the step.
        """
        ...
