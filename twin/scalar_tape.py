"""`ScalarTape`: scalar operations in single-assignment form, without repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError

__all__ = [
    "COMMUTATIVE",
    "CONSTANT",
    "INPUT",
    "LOOKUP",
    "LOOKUP_SLOPE",
    "CutCalls",
    "Recorder",
    "ScalarTape",
    "record_tape",
]

Indices: TypeAlias = NDArray[np.int64]

INPUT, CONSTANT = -1, -2
LOOKUP, LOOKUP_SLOPE = 1001, 1002
COMMUTATIVE = frozenset({ca.OP_ADD, ca.OP_MUL, ca.OP_FMIN, ca.OP_FMAX, ca.OP_HYPOT})


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScalarTape:
    """Nodes in execution order; every array has one entry per node.

    Attributes:
        operation: CasADi operation code, `LOOKUP`, `LOOKUP_SLOPE`, `INPUT` (then
            `first` and `second` are argument and element) or `CONSTANT`.
        first: First operand.
        second: Second operand, -1 if none.
        payload: Index of the lookup, else 0.
        value: The constant's value, else 0.
        outputs: Nodes of every output's nonzeros.
        argument_sizes: Nonzeros of every argument.
    """

    operation: Indices
    first: Indices
    second: Indices
    payload: Indices
    value: NDArray[np.float64]
    outputs: tuple[Indices, ...]
    argument_sizes: tuple[int, ...]


class Recorder:
    """Collects nodes; the same operation on the same operands is one node."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int, int, float]] = []
        self._known: dict[tuple[int, int, int, int, float], int] = {}

    def node(
        self, op: int, a: int = -1, b: int = -1, payload: int = 0, value: float = 0.0
    ) -> int:
        """Return the number of a node, a new one if it is not known."""
        if op in COMMUTATIVE and b < a:
            a, b = b, a
        simpler = self._simplified(op, a, b)
        if simpler is not None:
            return simpler
        row = (op, a, b, payload, value)
        found = self._known.get(row)
        if found is None:
            found = len(self.rows)
            self._known[row] = found
            self.rows.append(row)
        return found

    def constant(self, value: float) -> int:
        """Return the node of a constant."""
        return self.node(CONSTANT, value=value)

    def _simplified(self, op: int, a: int, b: int) -> int | None:
        """Fold what cutting out the lookups left: x - x, 0 x and x + 0."""
        if op == ca.OP_SUB and a == b:
            return self.constant(0.0)
        if op in (ca.OP_ADD, ca.OP_MUL):
            for zero, other in ((a, b), (b, a)):
                if self.rows[zero][0] == CONSTANT and self.rows[zero][4] == 0.0:
                    return other if op == ca.OP_ADD else zero
        return None

    def argument(self, k: int, i: int) -> int:
        """Return the node of element `i` of argument `k`."""
        return self.node(INPUT, k, i)

    def tape(
        self, outputs: Sequence[Sequence[int]], argument_sizes: tuple[int, ...]
    ) -> ScalarTape:
        """Return what was recorded, as far as the outputs need it."""
        keep = self._needed(outputs)
        number = np.cumsum(keep) - 1
        columns = list(zip(*self.rows, strict=True)) or [()] * 5
        ints = [np.array(c, dtype=np.int64)[keep] for c in columns[:4]]
        is_operation = ints[0] >= 0
        for column in (ints[1], ints[2]):
            is_node = is_operation & (column >= 0)
            column[is_node] = number[column[is_node]]
        return ScalarTape(
            operation=ints[0],
            first=ints[1],
            second=ints[2],
            payload=ints[3],
            value=np.array(columns[4], dtype=np.float64)[keep],
            outputs=tuple(number[np.array(nodes, dtype=np.int64)] for nodes in outputs),
            argument_sizes=argument_sizes,
        )

    def _needed(self, outputs: Sequence[Sequence[int]]) -> NDArray[np.bool_]:
        keep = np.zeros(len(self.rows), dtype=bool)
        for nodes in outputs:
            keep[list(nodes)] = True
        for k in reversed(range(len(self.rows))):
            op, a, b = self.rows[k][:3]
            if keep[k] and op >= 0:
                keep[a] = True
                if b >= 0:
                    keep[b] = True
        return keep


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutCalls:
    """Lookup calls that were cut out of SX expressions; see `expand`.

    Attributes:
        arguments: SX column of the calls' arguments.
        placeholders: SX columns that stand for their values, slopes and arguments.
        lookups: The lookup's index of every call.
    """

    arguments: Any
    placeholders: tuple[Any, Any, Any]
    lookups: tuple[int, ...]


def record_tape(
    symbols: Sequence[Any], expressions: Sequence[Any], cut: CutCalls | None = None
) -> ScalarTape:
    """Record SX expressions.

    Args:
        symbols: SX columns; arguments of the tape.
        expressions: SX columns; outputs of the tape.
        cut: Lookup calls to put back in: their placeholders become lookup nodes.

    Raises:
        InterfaceError: a call's argument is needed before it is known.
    """
    none = ca.SX(0, 1)
    chosen = cut or CutCalls(arguments=none, placeholders=(none,) * 3, lookups=())
    function = ca.Function(
        "tape", [*symbols, *chosen.placeholders], [chosen.arguments, *expressions]
    )
    reader = _Reader(function=function, calls=chosen.lookups)
    for k in range(function.n_instructions()):
        reader.read(k)
    sizes = tuple(function.nnz_in(k) for k in range(len(symbols)))
    return reader.recorder.tape(reader.outputs[1:], sizes)


class _Reader:
    def __init__(self, *, function: ca.Function, calls: tuple[int, ...]) -> None:
        self.recorder = Recorder()
        self._function = function
        self._calls = calls
        self._work: dict[int, int] = {}
        n_out = function.n_out()
        self.outputs = [[-1] * function.nnz_out(k) for k in range(n_out)]

    def read(self, k: int) -> None:
        """Record instruction `k`."""
        function = self._function
        op = function.instruction_id(k)
        o, i = function.instruction_output(k), function.instruction_input(k)
        if op == ca.OP_OUTPUT:
            self.outputs[o[0]][o[1]] = self._work[i[0]]
        elif op == ca.OP_INPUT:
            self._work[o[0]] = self._input(i[0], i[1])
        elif op == ca.OP_CONST:
            value = float(function.instruction_constant(k))
            self._work[o[0]] = self.recorder.constant(value)
        else:
            self._work[o[0]] = self.recorder.node(op, *(self._work[j] for j in i))

    def _input(self, argument: int, element: int) -> int:
        place = argument - (self._function.n_in() - 3)
        if place < 0:
            return self.recorder.argument(argument, element)
        node = self.outputs[0][element]
        if node < 0:
            msg = f"The argument of lookup call {element} is not known in time."
            raise InterfaceError(msg)
        if place == 2:
            return node
        op = (LOOKUP, LOOKUP_SLOPE)[place]
        return self.recorder.node(op, node, payload=self._calls[element])
