"""`DifferentiableProgram`: a vector program and the programs of its gradients.

A gradient is the product of a seed with the Jacobian, recorded by CasADi's reverse
mode on the same scalars and vectorised like the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca

from packtwin.twin.expand import Expansion
from packtwin.twin.lookup import Lookup
from packtwin.twin.vector_program import Program, vectorise

__all__ = ["DifferentiableProgram", "Wanted"]

Wanted: TypeAlias = tuple[bool, ...]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DifferentiableProgram:
    """One vector expression of several vector arguments.

    Attributes:
        expansion: Where the lookups of the expression are.
        lookups: All lookups of the model.
        arguments: SX symbols of the arguments.
        blocks: Block number of every element of every argument; see `vectorise`.
        expression: SX column.
        rows: Block number of every row of the expression.
    """

    expansion: Expansion
    lookups: tuple[Lookup, ...]
    arguments: tuple[Any, ...]
    blocks: tuple[Sequence[int], ...]
    expression: Any
    rows: Sequence[int]

    def value(self) -> Program:
        """Return the program `(arguments) -> (value,)`."""
        return self._program(self.arguments, self.blocks, [self.expression])

    def gradients(self, wanted: Wanted) -> Program:
        """Return the program `(arguments, seed) -> (gradient, ...)`.

        Args:
            wanted: For each argument, whether its gradient is an output.
        """
        seed = ca.SX.sym("seed", self.expression.numel())
        chosen = [a for a, w in zip(self.arguments, wanted, strict=True) if w]
        gradients = ca.jtimes(self.expression, ca.vertcat(*chosen), seed, True)
        edges = [0]
        for argument in chosen:
            edges.append(edges[-1] + argument.numel())
        parts = ca.vertsplit(ca.densify(gradients), edges)
        return self._program((*self.arguments, seed), (*self.blocks, self.rows), parts)

    def _program(
        self,
        arguments: Sequence[Any],
        blocks: Sequence[Sequence[int]],
        expressions: Sequence[Any],
    ) -> Program:
        tape = self.expansion.tape(
            *expressions, lookups=self.lookups, symbols=arguments
        )
        return vectorise(tape, blocks, self.lookups)
