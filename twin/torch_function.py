"""`TorchFunction`: a `DifferentiableProgram` as a batched, differentiable function.

On the processor value and gradient are two compiled programs, and autograd sees one
operation instead of hundreds: nothing but the arguments is kept for the backward pass.
Everywhere else, and for gradients of gradients (`create_graph=True`), the value is made
of torch operations that autograd follows to any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from packtwin.twin.batch_program import BatchProgram
from packtwin.twin.compiler import Compiler
from packtwin.twin.differentiable_program import DifferentiableProgram, Wanted
from packtwin.twin.vector_torch import TorchProgram

__all__ = ["TorchFunction"]

_Kind: TypeAlias = tuple[torch.dtype, torch.device]


@final
class TorchFunction:
    """A function of matrices `[batch, n]`, made on the first call of each kind."""

    def __init__(
        self,
        differentiable: DifferentiableProgram,
        name: str,
        compiler: Compiler | None,
    ) -> None:
        """Keep what to make.

        Args:
            differentiable: The expression.
            name: C identifier.
            compiler: For tensors on the processor; None: torch operations there too.
        """
        self._differentiable = differentiable
        self._name = name
        self._compiler = compiler
        self._compiled: dict[Wanted, BatchProgram] = {}
        self._torch: dict[_Kind, TorchProgram] = {}

    def __call__(self, *arguments: Tensor) -> Tensor:
        """Return the value `[batch, m]`, differentiable in every argument."""
        if self._compiler is None or arguments[0].device.type != "cpu":
            return self.follow(*arguments)
        apply: Any = _Apply.apply
        value: Tensor = apply(self, *arguments)
        return value

    def follow(self, *arguments: Tensor) -> Tensor:
        """Return the value, made of torch operations."""
        kind = (arguments[0].dtype, arguments[0].device)
        if kind not in self._torch:
            program = self._differentiable.value()
            self._torch[kind] = TorchProgram(program, dtype=kind[0], device=kind[1])
        return self._torch[kind](*arguments)[0]

    def compute(self, wanted: Wanted, arguments: Sequence[Tensor]) -> list[Tensor]:
        """Return the value, or the wanted gradients, as numbers made in C.

        Args:
            wanted: Empty for the value; else see `DifferentiableProgram.gradients`.
            arguments: Of the program.
        """
        if wanted not in self._compiled:
            d = self._differentiable
            program = d.gradients(wanted) if wanted else d.value()
            suffix = "".join(str(int(w)) for w in wanted) or "value"
            self._compiled[wanted] = BatchProgram(
                program, f"{self._name}_{suffix}", self._compiler
            )
        matrices = [a.detach().to(torch.float64).numpy() for a in arguments]
        results = self._compiled[wanted](matrices, torch.get_num_threads())
        return [torch.from_numpy(r).to(arguments[0].dtype) for r in results]


class _Apply(torch.autograd.Function):
    """One node of the graph."""

    @staticmethod
    def forward(ctx: Any, function: TorchFunction, *arguments: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(*arguments)
        return function.compute((), arguments)[0]

    @staticmethod
    def backward(ctx: Any, *seeds: Tensor) -> tuple[Tensor | None, ...]:
        function: TorchFunction = ctx.function
        wanted = tuple(ctx.needs_input_grad[1:])
        if torch.is_grad_enabled():
            found = _followed(function, wanted, ctx.saved_tensors, seeds)
        else:
            found = function.compute(wanted, (*ctx.saved_tensors, *seeds))
        gradients = iter(found)
        return None, *(next(gradients) if w else None for w in wanted)


def _followed(
    function: TorchFunction,
    wanted: Wanted,
    arguments: Sequence[Tensor],
    seeds: Sequence[Tensor],
) -> Sequence[Tensor]:
    """Return gradients that autograd follows."""
    # Views, because one argument may be computed from another.
    views = [a.view_as(a) for a in arguments]
    chosen = [a for a, w in zip(views, wanted, strict=True) if w]
    value = function.follow(*views)
    return torch.autograd.grad(
        value, chosen, seeds, create_graph=True, materialize_grads=True
    )
