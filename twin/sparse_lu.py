"""LU factorisation of a fixed sparsity pattern as scalar operations.

The pivot order is chosen once, from the pattern: rows are swapped where the diagonal
has no entry, then minimum degree on A + A^T with diagonal pivots. The factorisation and
the two triangular solves are then straight lists of multiplications and additions,
which `vectorise` turns into loops over the parts of the pattern that repeat (the shells
of all particles, say).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from packtwin.twin.errors import InterfaceError
from packtwin.twin.matching import match_rows
from packtwin.twin.scalar_tape import Recorder, ScalarTape

__all__ = ["Elimination", "eliminate", "minimum_degree"]

Indices: TypeAlias = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Elimination:
    """The factorisation of one pattern.

    Attributes:
        factor: Tape `(entries, c) -> (lu)`: the entries of `J` in the order given to
            `eliminate` become the factors' nonzeros (pivots are stored inverted).
        solve: Tape `(lu, b) -> (x,)`.
        order: Columns in pivot order.
        pivot_rows: The row of each of their pivots.
        n_factor: Nonzeros of the factors; the inverted pivots come first.
    """

    factor: ScalarTape
    solve: ScalarTape
    order: tuple[int, ...]
    pivot_rows: tuple[int, ...]
    n_factor: int


def minimum_degree(n: int, rows: Sequence[int], columns: Sequence[int]) -> list[int]:
    """Return an elimination order of small fill for the pattern of A + A^T.

    Ties are broken by index, so that equal parts are eliminated in step. After
    A. George, J. W. H. Liu, SIAM Review 31 (1989) 1-19, doi:10.1137/1031001.
    """
    neighbours: list[set[int]] = [set() for _ in range(n)]
    for i, j in zip(rows, columns, strict=True):
        if i != j:
            neighbours[i].add(j)
            neighbours[j].add(i)
    left = set(range(n))
    order = []
    while left:
        pivot = min(left, key=lambda k: (len(neighbours[k]), k))
        left.remove(pivot)
        order.append(pivot)
        around = neighbours[pivot]
        for k in around:
            neighbours[k] |= around
            neighbours[k] -= {k, pivot}
    return order


def eliminate(
    n: int,
    rows: Sequence[int],
    columns: Sequence[int],
    n_differential: int,
    names: Sequence[str] = (),
) -> Elimination:
    """Record the elimination of `c D - J`, `D` a diagonal of ones and then zeros.

    Args:
        n: Size of `J`.
        rows: Row of every entry of `J`.
        columns: Column of every entry of `J`.
        n_differential: Number of ones in `D`.
        names: Of the unknowns, for errors.

    Raises:
        InterfaceError: the block of `J` beside the zeros of `D` is singular whatever
            its entries are.
    """
    row_of = _pivot_rows(n, rows, columns, n_differential, names)
    column_of = {i: j for j, i in enumerate(row_of)}
    moved = [column_of[i] for i in rows]
    order = minimum_degree(n, moved, columns)
    tape = Recorder()
    lower: list[dict[int, int]] = [{} for _ in range(n)]
    upper: list[dict[int, int]] = [{} for _ in range(n)]
    rank = {v: k for k, v in enumerate(order)}
    c = tape.argument(1, 0)
    for i in range(n_differential):
        upper[rank[i]][rank[i]] = c
    for k, (i, j) in enumerate(zip(moved, columns, strict=True)):
        a, b = rank[i], rank[j]
        node = tape.argument(0, k)
        if i == j and i < n_differential:
            node = tape.node(ca.OP_SUB, c, node)
        else:
            node = tape.node(ca.OP_NEG, node)
        if a > b:
            lower[b][a] = node
        else:
            upper[a][b] = node
    inverse = []
    for k in range(n):
        pivot = tape.node(ca.OP_INV, upper[k].pop(k))
        inverse.append(pivot)
        for i in lower[k]:
            lower[k][i] = tape.node(ca.OP_MUL, lower[k][i], pivot)
        for i, factor in lower[k].items():
            for j, entry in upper[k].items():
                product = tape.node(ca.OP_MUL, factor, entry)
                place = lower[j] if i > j else upper[i]
                at = i if i > j else j
                old = place.get(at)
                place[at] = (
                    tape.node(ca.OP_NEG, product)
                    if old is None
                    else tape.node(ca.OP_SUB, old, product)
                )
    pivot_rows = tuple(row_of[j] for j in order)
    nodes = list(inverse)
    places_lower = [(k, i) for k in range(n) for i in sorted(lower[k])]
    places_upper = [(k, j) for k in range(n) for j in sorted(upper[k])]
    nodes += [lower[k][i] for k, i in places_lower]
    nodes += [upper[k][j] for k, j in places_upper]
    return Elimination(
        factor=tape.tape([nodes], (len(rows), 1)),
        solve=_solve(order, pivot_rows, places_lower, places_upper, len(nodes)),
        order=tuple(order),
        pivot_rows=pivot_rows,
        n_factor=len(nodes),
    )


def _pivot_rows(
    n: int,
    rows: Sequence[int],
    columns: Sequence[int],
    n_differential: int,
    names: Sequence[str],
) -> list[int]:
    """Return the row of each column's pivot, moving algebraic rows only."""
    first = n_differential
    inner = [
        (i - first, j - first)
        for i, j in zip(rows, columns, strict=True)
        if i >= first and j >= first
    ]
    row_of, unmatched = match_rows(
        n - first, [i for i, _ in inner], [j for _, j in inner]
    )
    if unmatched:
        labels = [names[first + j] if names else str(first + j) for j in unmatched]
        msg = (
            "The algebraic equations do not determine "
            f"{', '.join(f'`{label}`' for label in labels)}: no equation is left for "
            "it, whatever the values are. Expected one algebraic equation per "
            "algebraic state, in which it appears (index 1); differentiate a "
            "constraint on the continuous states, or make one of them algebraic."
        )
        raise InterfaceError(msg)
    return [*range(first), *(first + i for i in row_of)]


def _solve(
    order: Sequence[int],
    pivot_rows: Sequence[int],
    places_lower: Sequence[tuple[int, int]],
    places_upper: Sequence[tuple[int, int]],
    n_factor: int,
) -> ScalarTape:
    tape, n = Recorder(), len(order)
    y = [tape.argument(1, row) for row in pivot_rows]
    for number, (k, i) in enumerate(places_lower, start=n):
        product = tape.node(ca.OP_MUL, tape.argument(0, number), y[k])
        y[i] = tape.node(ca.OP_SUB, y[i], product)
    by_row: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for number, (k, j) in enumerate(places_upper, start=n + len(places_lower)):
        by_row[k].append((number, j))
    for k in reversed(range(n)):
        for number, j in by_row[k]:
            product = tape.node(ca.OP_MUL, tape.argument(0, number), y[j])
            y[k] = tape.node(ca.OP_SUB, y[k], product)
        y[k] = tape.node(ca.OP_MUL, y[k], tape.argument(0, k))
    x = [0] * n
    for k in range(n):
        x[order[k]] = y[k]
    return tape.tape([x], (n_factor, n))
