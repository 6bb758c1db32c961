"""LU factorisation of a fixed sparsity pattern as scalar operations.

The pivot order is chosen once, from the pattern: minimum degree on A + A^T with
diagonal pivots. The factorisation and the two triangular solves are then straight
lists of multiplications and additions, which `vectorise` turns into loops over the
parts of the pattern that repeat (the shells of all particles, say).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, final

import casadi as ca
import numpy as np
from numpy.typing import NDArray

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
        order: Pivot order.
        n_factor: Nonzeros of the factors.
        pivots: Positions of the inverted pivots in `lu`.
    """

    factor: ScalarTape
    solve: ScalarTape
    order: tuple[int, ...]
    n_factor: int
    pivots: tuple[int, ...]


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
    n: int, rows: Sequence[int], columns: Sequence[int], n_differential: int
) -> Elimination:
    """Record the elimination of `c D - J`, `D` a diagonal of ones and then zeros.

    Args:
        n: Size of `J`.
        rows: Row of every entry of `J`.
        columns: Column of every entry of `J`.
        n_differential: Number of ones in `D`; the diagonal of `J` must be complete
            below them.
    """
    order = minimum_degree(n, rows, columns)
    tape = Recorder()
    lower: list[dict[int, int]] = [{} for _ in range(n)]
    upper: list[dict[int, int]] = [{} for _ in range(n)]
    rank = {v: k for k, v in enumerate(order)}
    c = tape.argument(1, 0)
    for i in range(n_differential):
        upper[rank[i]][rank[i]] = c
    for k, (i, j) in enumerate(zip(rows, columns, strict=True)):
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
    nodes = list(inverse)
    places_lower = [(k, i) for k in range(n) for i in sorted(lower[k])]
    places_upper = [(k, j) for k in range(n) for j in sorted(upper[k])]
    nodes += [lower[k][i] for k, i in places_lower]
    nodes += [upper[k][j] for k, j in places_upper]
    return Elimination(
        factor=tape.tape([nodes], (len(rows), 1)),
        solve=_solve(n, order, places_lower, places_upper, len(nodes)),
        order=tuple(order),
        n_factor=len(nodes),
        pivots=tuple(range(n)),
    )


def _solve(
    n: int,
    order: Sequence[int],
    places_lower: Sequence[tuple[int, int]],
    places_upper: Sequence[tuple[int, int]],
    n_factor: int,
) -> ScalarTape:
    tape = Recorder()
    y = [tape.argument(1, order[k]) for k in range(n)]
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
