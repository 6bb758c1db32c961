"""`VectorProgram`: a scalar expression graph as few operations on long vectors.

Discretised physics repeats the same formula at every node of a mesh. CasADi expands it
to tens of thousands of scalar operations, which C compilers compile for minutes and
execute one at a time. Here nodes with the same formula (same operations on inputs of
the same block, constants aside) become one *group*, a vector operation; groups that
work element by element on each other form a *loop*. The program has no language: C
loops (`vector_c`) and batched torch tensors (`vector_torch`) are made from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.lookup import Lookup
from packtwin.twin.scalar_tape import COMMUTATIVE, CONSTANT, INPUT, ScalarTape

__all__ = ["Group", "Operand", "Program", "Source", "vectorise", "vectorise_sorted"]

Indices: TypeAlias = NDArray[np.int64]
Array: TypeAlias = NDArray[np.float64]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A vector that operands read: argument or group, by `kind` and `number`."""

    kind: str  # "argument" or "group"
    number: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operand:
    """What one operand of a group reads, element by element.

    Attributes:
        source: Argument or group; None for constants.
        indices: Element read for each element of the group, shape `(n,)`.
        values: Constants, shape `(n,)`, where `source` is None.
    """

    source: Source | None
    indices: Indices
    values: Array


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group:
    """One vector operation.

    Attributes:
        operation: CasADi operation code, or `LOOKUP` / `LOOKUP_SLOPE`.
        size: Number of elements.
        operands: One or two.
        lookup: Index of the lookup, for those operations.
        loop: Loops are executed in ascending order; groups of one loop are equally
            long and read each other element by element only.
    """

    operation: int
    size: int
    operands: tuple[Operand, ...]
    lookup: int
    loop: int


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Program:
    """Groups in an executable order and where the results come from.

    Attributes:
        argument_sizes: Length of each argument vector.
        groups: Sorted by loop; operands refer to earlier groups.
        outputs: Per output vector, runs `(first, operand)` that fill it.
        output_sizes: Length of each output vector.
        lookups: Tables in the order that groups index them.
    """

    argument_sizes: tuple[int, ...]
    groups: tuple[Group, ...]
    outputs: tuple[tuple[tuple[int, Operand], ...], ...]
    output_sizes: tuple[int, ...]
    lookups: tuple[Lookup, ...]
    n_scalar_operations: int


def vectorise(
    tape: ScalarTape,
    blocks: Sequence[Sequence[int]] | None = None,
    lookups: Sequence[Lookup] = (),
) -> Program:
    """Find the repeated formulas of a tape.

    Args:
        tape: The operations.
        blocks: For each argument, the block number of every element: elements of
            different blocks never share a group. Default: one block per argument.
        lookups: Tables that the function's placeholders call; see `expand`.
    """
    groups, reader = _grouped(tape, blocks)
    return _program(groups, reader, tape.outputs, lookups)


def vectorise_sorted(
    tape: ScalarTape,
    output: int,
    blocks: Sequence[Sequence[int]] | None = None,
    lookups: Sequence[Lookup] = (),
) -> tuple[Program, list[int]]:
    """Vectorise, with output number `output` sorted so that few long runs fill it.

    Returns:
        The program, and for each element of that output its index in the tape's.
    """
    groups, reader = _grouped(tape, blocks)
    order = reader.order(tape.outputs[output])
    outputs = list(tape.outputs)
    outputs[output] = outputs[output][order]
    return _program(groups, reader, outputs, lookups), order


def _grouped(
    tape: ScalarTape, blocks: Sequence[Sequence[int]] | None
) -> tuple[tuple[Group, ...], _Reader]:
    chosen = blocks or [[0] * n for n in tape.argument_sizes]
    tape, colours = _coloured(tape, chosen)
    members, position = _members(tape, colours)
    loops = _loops(tape, colours, members, position)
    order = sorted(members, key=lambda g: (loops[g], g))
    number = {g: i for i, g in enumerate(order)}
    reader = _Reader(tape=tape, colours=colours, position=position, number=number)
    groups = tuple(
        Group(
            operation=int(tape.operation[members[g][0]]),
            size=len(members[g]),
            operands=reader.operands(members[g]),
            lookup=int(tape.payload[members[g][0]]),
            loop=loops[g],
        )
        for g in order
    )
    return groups, reader


def _program(
    groups: tuple[Group, ...],
    reader: _Reader,
    outputs: Sequence[Indices],
    lookups: Sequence[Lookup],
) -> Program:
    return Program(
        argument_sizes=reader.tape.argument_sizes,
        groups=groups,
        outputs=tuple(reader.runs(nodes) for nodes in outputs),
        output_sizes=tuple(len(nodes) for nodes in outputs),
        lookups=tuple(lookups),
        n_scalar_operations=int(np.sum(reader.tape.operation >= 0)),
    )


_BY_VALUE = {ca.OP_POW, ca.OP_CONSTPOW}


def _coloured(
    tape: ScalarTape, blocks: Sequence[Sequence[int]]
) -> tuple[ScalarTape, Indices]:
    """Number the formulas: equal colours are equal up to constants and elements.

    The tape is returned with commutative operands in ascending order of colour.
    """
    known: dict[tuple[Any, ...], int] = {}
    first, second = tape.first.copy(), tape.second.copy()
    colours = np.empty(len(tape.operation), dtype=np.int64)
    for i, op in enumerate(tape.operation):
        a, b = tape.first[i], tape.second[i]
        if op == CONSTANT:
            key: tuple[Any, ...] = ("constant",)
        elif op == INPUT:
            key = ("argument", a, blocks[a][b])
        else:
            one = colours[a]
            two = colours[b] if b >= 0 else -1
            if op in COMMUTATIVE and two < one:
                one, two = two, one
                first[i], second[i] = b, a
            key = (op, one, two, tape.payload[i])
            if op in _BY_VALUE and tape.operation[b] == CONSTANT:
                key = (*key, tape.value[b])
        colours[i] = known.setdefault(key, len(known))
    return replace(tape, first=first, second=second), colours


def _members(tape: ScalarTape, colours: Indices) -> tuple[dict[int, Indices], Indices]:
    """Return the elements of every group in order, and every node's position."""
    n = len(tape.operation)
    position = np.zeros(n, dtype=np.int64)
    is_input = tape.operation == INPUT
    position[is_input] = tape.second[is_input]
    members: dict[int, Indices] = {}
    by_colour = np.argsort(colours, kind="stable")
    edges = np.flatnonzero(np.diff(colours[by_colour])) + 1
    for nodes in np.split(by_colour, edges):
        if not len(nodes) or tape.operation[nodes[0]] < 0:
            continue
        a, b = tape.first[nodes], tape.second[nodes]
        keys = [np.where(b >= 0, position[b], 0), position[a]]
        ordered = nodes[np.lexsort(keys)]
        members[int(colours[nodes[0]])] = ordered
        position[ordered] = np.arange(len(ordered))
    return members, position


def _loops(
    tape: ScalarTape, colours: Indices, members: dict[int, Indices], position: Indices
) -> dict[int, int]:
    """Give each group the earliest loop in which all it reads is ready."""
    loop_of: dict[int, int] = {}
    open_loops: dict[int, list[int]] = {}
    n_loops = 0
    for colour, nodes in members.items():
        n, earliest = len(nodes), 0
        for operands in (tape.first[nodes], tape.second[nodes]):
            lead = operands[0]
            if lead < 0 or tape.operation[lead] < 0:
                continue
            other = int(colours[lead])
            is_same = len(members[other]) == n and bool(
                np.array_equal(position[operands], np.arange(n))
            )
            earliest = max(earliest, loop_of[other] + (0 if is_same else 1))
        candidates = [k for k in open_loops.get(n, []) if k >= earliest]
        if not candidates:
            candidates = [n_loops]
            open_loops.setdefault(n, []).append(n_loops)
            n_loops += 1
        loop_of[colour] = candidates[0]
    return loop_of


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Turns node numbers into operands."""

    tape: ScalarTape
    colours: Indices
    position: Indices
    number: dict[int, int]

    def operands(self, nodes: Indices) -> tuple[Operand, ...]:
        """Return the operands of a group's nodes."""
        columns = [self.tape.first[nodes], self.tape.second[nodes]]
        return tuple(self.operand(c) for c in columns if c[0] >= 0)

    def operand(self, nodes: Indices) -> Operand:
        """Return one operand, all of whose nodes have the same colour."""
        source = self._source(nodes[0])
        values, indices = self.tape.value[nodes], self.position[nodes]
        if source is None:
            return Operand(source=None, indices=indices[:0], values=values)
        return Operand(source=source, indices=indices, values=values[:0])

    def order(self, nodes: Indices) -> list[int]:
        """Return an order in which what is read from one source is side by side."""

        def place(k: int) -> tuple[str, int, int]:
            source = self._source(nodes[k])
            if source is None:
                return "", 0, 0
            return source.kind, source.number, int(self.position[nodes[k]])

        return sorted(range(len(nodes)), key=place)

    def _source(self, node: np.int64) -> Source | None:
        if self.tape.operation[node] == CONSTANT:
            return None
        if self.tape.operation[node] == INPUT:
            return Source(kind="argument", number=int(self.tape.first[node]))
        return Source(kind="group", number=self.number[int(self.colours[node])])

    def runs(self, nodes: Indices) -> tuple[tuple[int, Operand], ...]:
        """Cut an output vector where the colour changes."""
        if not len(nodes):
            return ()
        edges = np.flatnonzero(np.diff(self.colours[nodes])) + 1
        starts = [0, *edges.tolist()]
        return tuple(
            (first, self.operand(part))
            for first, part in zip(starts, np.split(nodes, edges), strict=True)
        )
