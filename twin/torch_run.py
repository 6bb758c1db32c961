"""`follow_run`: a run that knows its gradient as one operation of torch.

What runs is anything with values and a gradient in NumPy, such as a coupled system of
FMUs; torch sees one node of the graph and asks it for the gradient of its loss.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["RunWithGradient", "follow_run"]

Vector: TypeAlias = NDArray[np.float64]


@runtime_checkable
class RunWithGradient(Protocol):
    """A function of a vector of parameters; `DifferentiableRun` is one."""

    def values(self, parameters: Vector) -> Vector:
        """Return an array of values."""
        ...

    def gradient(self, parameters: Vector, weights: Vector) -> Vector:
        """Return the gradient of `sum(weights * values(parameters))`."""
        ...


def follow_run(run: RunWithGradient, parameters: Tensor) -> Tensor:
    """Return the values of a run, differentiable once in its parameters.

    Args:
        run: What to run, in double precision.
        parameters: In one axis, on the processor.
    """
    apply: Any = _Apply.apply
    values: Tensor = apply(run, parameters)
    return values


class _Apply(torch.autograd.Function):
    """One node of the graph."""

    @staticmethod
    def forward(ctx: Any, run: RunWithGradient, parameters: Tensor) -> Tensor:
        ctx.run = run
        ctx.save_for_backward(parameters)
        found = run.values(_numbers(parameters))
        return torch.from_numpy(found).to(parameters.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, weights: Tensor) -> tuple[None, Tensor]:
        (parameters,) = ctx.saved_tensors
        found = ctx.run.gradient(_numbers(parameters), _numbers(weights))
        return None, torch.from_numpy(found).to(parameters.dtype)


def _numbers(tensor: Tensor) -> Vector:
    return np.array(tensor.detach().to(torch.float64).numpy())
