"""Batched torch tensors of a `Program`, on any device, differentiable to any order.

A vector of `n` elements is a tensor `[n, batch]` inside, so that a run of elements is
a contiguous view and a gather copies whole rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import casadi as ca
import numpy as np
import torch
from torch import Tensor

from packtwin.twin.errors import InterfaceError
from packtwin.twin.scalar_tape import LOOKUP, LOOKUP_SLOPE
from packtwin.twin.torch_operations import LookupTensors, torch_form
from packtwin.twin.vector_program import Group, Operand, Program, Source

__all__ = ["TorchProgram"]

Vectors: TypeAlias = dict[int, Tensor]
Reader: TypeAlias = Callable[[Vectors], Tensor | float]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One group: vector `place` becomes `form` of its operands."""

    form: Callable[..., Tensor]
    operands: tuple[Reader, ...]
    place: int
    last_use: tuple[int, ...]


@final
class TorchProgram:
    """A `Program` as a function of tensors `[batch, size]`."""

    def __init__(
        self,
        program: Program,
        *,
        dtype: torch.dtype = torch.float64,
        device: torch.device | None = None,
    ) -> None:
        """Put tables and constants on the device.

        Raises:
            InterfaceError: an operation has no torch form.
        """
        self._program = program
        self._dtype = dtype
        self._device = device or torch.device("cpu")
        self._lookups = [
            LookupTensors(t, self._dtype, self._device) for t in program.lookups
        ]
        self._n_argument = len(program.argument_sizes)
        self._known: dict[bytes, Tensor] = {}
        readers = [
            tuple(self._reader(o, g.size) for o in g.operands) for g in program.groups
        ]
        last = self._last_uses()
        self._steps = [
            _Step(
                form=self._form(g),
                operands=readers[k],
                place=self._n_argument + k,
                last_use=last[k],
            )
            for k, g in enumerate(program.groups)
        ]
        self._outputs = [
            [
                (first, self._length(o), self._reader(o, self._length(o)))
                for first, o in r
            ]
            for r in program.outputs
        ]

    def __call__(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs `[batch, size]` of arguments `[batch, size]`.

        Autograd and `torch.func` follow every operation.
        """
        vectors: Vectors = {k: a.T.contiguous() for k, a in enumerate(arguments)}
        for step in self._steps:
            vectors[step.place] = step.form(*[read(vectors) for read in step.operands])
            for k in step.last_use:
                del vectors[k]
        n = arguments[0].shape[0]
        return tuple(self._joined(runs, vectors, n) for runs in self._outputs)

    def _joined(
        self, runs: Sequence[tuple[int, int, Reader]], vectors: Vectors, n: int
    ) -> Tensor:
        parts = [torch.zeros(0, n, dtype=self._dtype, device=self._device)]
        for _, size, read in runs:
            value = read(vectors)
            if not isinstance(value, Tensor):
                value = torch.full(
                    (size, n), value, dtype=self._dtype, device=self._device
                )
            parts.append(value.expand(size, n))
        return torch.cat(parts).T

    def _reader(self, operand: Operand, size: int) -> Reader:
        if operand.source is None:
            values = operand.values
            if bool(np.all(values == values[0])):
                number = float(values[0])
                return lambda _: number
            constant = self._table(values[:, None])
            return lambda _: constant
        place, at = self._place(operand.source), operand.indices
        first, n = int(at[0]), self._size(operand.source)
        if size == 1 or bool(np.all(at == first)):
            return lambda v: v[place][first : first + 1]
        if bool(np.all(np.diff(at) == 1)):
            if size == n:
                return lambda v: v[place]
            return lambda v: v[place][first : first + size]
        index = self._table(at)
        return lambda v: v[place].index_select(0, index)

    def _table(self, values: np.ndarray) -> Tensor:
        key = values.dtype.char.encode() + values.tobytes()
        if key not in self._known:
            dtype = torch.int64 if values.dtype.kind == "i" else self._dtype
            self._known[key] = torch.tensor(values, dtype=dtype, device=self._device)
        return self._known[key]

    def _form(self, group: Group) -> Callable[..., Tensor]:
        if group.operation in (LOOKUP, LOOKUP_SLOPE):
            lookup = self._lookups[group.lookup]
            return lookup.value if group.operation == LOOKUP else lookup.slope
        form = torch_form(group.operation, len(group.operands))
        if form is None:
            known = [k for k in dir(ca) if k.startswith("OP_")]
            names = [k for k in known if getattr(ca, k) == group.operation]
            label = names[0] if names else str(group.operation)
            msg = (
                f"CasADi operation `{label}` has no torch form; got it in a program of "
                f"{self._program.n_scalar_operations} operations. Rewrite the model "
                "without it."
            )
            raise InterfaceError(msg)
        return form

    def _place(self, source: Source) -> int:
        return source.number + (0 if source.kind == "argument" else self._n_argument)

    def _size(self, source: Source) -> int:
        if source.kind == "argument":
            return self._program.argument_sizes[source.number]
        return self._program.groups[source.number].size

    @staticmethod
    def _length(operand: Operand) -> int:
        return len(operand.indices) or len(operand.values)

    def _last_uses(self) -> list[tuple[int, ...]]:
        """Return what each group reads as the last one."""
        seen: set[int] = set()
        for runs in self._program.outputs:
            seen |= {self._place(o.source) for _, o in runs if o.source is not None}
        last: list[tuple[int, ...]] = []
        for group in reversed(self._program.groups):
            read = {self._place(o.source) for o in group.operands if o.source}
            last.append(tuple(read - seen))
            seen |= read
        return last[::-1]
